import type { Counter, Histogram, Registry } from '@pollux/telemetry';

/** client_golang's default bounds, seconds. */
const QUERY_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Upstream's metrics of a state that the members share. */
export type StateMetrics = {
  readonly queries: Counter;
  readonly querySeconds: Histogram;
  readonly relayed: Counter;
};

/** Those of silences, which are looked for by an index. */
export type SilenceMetrics = StateMetrics & {
  /** Silences that the index named and whose matchers were tried. */
  readonly scanned: Counter;
  /** Those that the index left out. */
  readonly skipped: Counter;
  /** Silences of other members whose matchers cannot be used here, by where they came from. */
  readonly unusableGossiped: Counter;
  readonly unusableLoaded: Counter;
};

export function stateMetrics(registry: Registry, name: 'silences' | 'nflog'): StateMetrics {
  const of = name === 'silences' ? 'silence' : 'notification log';
  const counter = (suffix: string, help: string): Counter =>
    registry.counter(`alertmanager_${name}_${suffix}`, help);
  // Looking into a map of this process cannot fail; who watches for errors finds the series.
  counter('query_errors_total', `How many ${of} queries failed.`);
  return {
    queries: counter('queries_total', `How many ${of} queries were received.`),
    querySeconds: registry.histogram(
      `alertmanager_${name}_query_duration_seconds`,
      `Duration of ${of} queries, of those that had anything to look through.`,
      QUERY_BOUNDS,
    ),
    relayed: counter(
      'gossip_messages_propagated_total',
      'Number of received gossip messages that have been further gossiped.',
    ),
  };
}

/** `sizes` are read when scraped. */
export function silenceMetrics(
  registry: Registry,
  sizes: { readonly silences: () => number; readonly indexed: () => number },
): SilenceMetrics {
  const name = (suffix: string): string => `alertmanager_silences_${suffix}`;
  registry.gaugeFrom(name('state_size'), 'The number of silences in the state.', sizes.silences);
  registry.gaugeFrom(
    name('matcher_index_size'),
    'The number of silences in the index of matchers.',
    sizes.indexed,
  );
  const unusable = registry.counters(
    name('matcher_compile_errors_total'),
    'How many silence matcher compilations failed.',
    ['stage'],
  );
  return {
    ...stateMetrics(registry, 'silences'),
    scanned: registry.counter(
      name('query_silences_scanned_total'),
      'How many silences were scanned during query evaluation.',
    ),
    skipped: registry.counter(
      name('query_silences_skipped_total'),
      'How many silences were skipped during query evaluation using an index.',
    ),
    unusableGossiped: unusable.with('index'),
    unusableLoaded: unusable.with('load_snapshot'),
  };
}
