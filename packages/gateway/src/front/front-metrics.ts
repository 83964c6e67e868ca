import type { Counter, Family, Registry } from '@pollux/telemetry';

export type FrontMetrics = {
  readonly rejected: Family<Counter>;
  readonly splits: Counter;
  readonly unjoined: Counter;
  readonly unchanged: Counter;
};

/** `running` and `waiting` are asked at each scrape. */
export function frontMetrics(
  registry: Registry,
  gate: () => { readonly running: number; readonly waiting: number },
): FrontMetrics {
  registry.gaugeFrom(
    'pollux_gateway_queries_running',
    'Queries that are worked on.',
    () => gate().running,
  );
  registry.gaugeFrom(
    'pollux_gateway_queries_waiting',
    'Queries that wait for their turn.',
    () => gate().waiting,
  );
  return {
    rejected: registry.counters(
      'pollux_gateway_queries_rejected_total',
      'Queries answered 429, by the limit of gateway.yml.',
      ['limit'],
    ),
    splits: registry.counter(
      'pollux_gateway_queries_split_total',
      'Range queries asked for in pieces of split_interval.',
    ),
    unchanged: registry.counter(
      'pollux_gateway_queries_unchanged_total',
      'Range queries answered by the bytes of an earlier answer, since what could change had not.',
    ),
    unjoined: registry.counter(
      'pollux_gateway_queries_unjoined_total',
      'Range queries asked for once more as a whole, since their pieces could not be joined.',
    ),
  };
}
