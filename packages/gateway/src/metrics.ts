import type { Counter, Family, Registry } from '@pollux/telemetry';

export type GatewayMetrics = {
  readonly requests: Family<Counter>;
  readonly failures: Family<Counter>;
  readonly retries: Counter;
  readonly replans: Counter;
  readonly stitched: Counter;
  readonly uncovered: Counter;
};

export function gatewayMetrics(registry: Registry): GatewayMetrics {
  return {
    requests: registry.counters(
      'pollux_gateway_upstream_requests_total',
      'Requests sent to members.',
      ['member'],
    ),
    failures: registry.counters(
      'pollux_gateway_upstream_failures_total',
      'Requests that a member did not answer.',
      ['member'],
    ),
    retries: registry.counter(
      'pollux_gateway_retries_total',
      'Times a request went to another member after a failure.',
    ),
    replans: registry.counter(
      'pollux_gateway_replans_total',
      'Queries planned again because a reply covered less than was known.',
    ),
    stitched: registry.counter(
      'pollux_gateway_stitched_total',
      'Range queries answered by more than one replica.',
    ),
    uncovered: registry.counter(
      'pollux_gateway_uncovered_total',
      'Queries that touched a time nobody covers.',
    ),
  };
}
