import type { Counter, Family, Gauge, Registry } from '@pollux/telemetry';

export type GatewayMetrics = {
  readonly requests: Family<Counter>;
  readonly failures: Family<Counter>;
  readonly retries: Counter;
  readonly hedges: Counter;
  readonly refused: Family<Counter>;
  readonly droppedLines: Counter;
  readonly bodyBytes: Gauge;
  readonly replans: Counter;
  readonly coalesced: Counter;
  readonly stitched: Counter;
  readonly spliced: Counter;
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
    hedges: registry.counter(
      'pollux_gateway_hedges_total',
      'Requests sent to a second member because the first was slow.',
    ),
    refused: registry.counters('pollux_gateway_refused_total', 'Requests refused at the door.', [
      'reason',
    ]),
    droppedLines: registry.counter(
      'pollux_gateway_log_lines_dropped_total',
      'Lines of access and error logs that could not be written.',
    ),
    bodyBytes: registry.gauge(
      'pollux_gateway_buffered_body_bytes',
      'Bodies of requests that are being passed on.',
    ),
    replans: registry.counter(
      'pollux_gateway_replans_total',
      'Queries planned again because a reply covered less than was known.',
    ),
    coalesced: registry.counter(
      'pollux_gateway_coalesced_total',
      'Queries answered together with an equal one that was under way.',
    ),
    stitched: registry.counter(
      'pollux_gateway_stitched_total',
      'Range queries answered by more than one replica.',
    ),
    spliced: registry.counter(
      'pollux_gateway_spliced_total',
      'Parts of queries evaluated here over series put together from several replicas.',
    ),
    uncovered: registry.counter(
      'pollux_gateway_uncovered_total',
      'Queries that touched a time nobody covers.',
    ),
  };
}
