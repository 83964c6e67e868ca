import type { Counter, Gauge, Histogram, Registry } from '@pollux/telemetry';
import type { QueryStats } from './result.ts';

const DURATION_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Prometheus' self-metrics of its query engine. */
export class EngineMetrics {
  readonly queries: Gauge;
  readonly queued: Gauge;
  readonly samples: Counter;
  readonly samplesRead: Counter;
  readonly refused: Counter;
  readonly prepare: Histogram;
  readonly queue: Histogram;
  readonly evaluate: Histogram;

  constructor(registry: Registry, maxConcurrency: number) {
    this.queries = registry.gauge(
      'prometheus_engine_queries',
      'The current number of queries being executed or waiting.',
    );
    registry
      .gauge('prometheus_engine_queries_concurrent_max', 'The max number of concurrent queries.')
      .set(maxConcurrency);
    this.queued = registry.gauge(
      'pollux_engine_queries_queued',
      'Queries waiting for one of the concurrent slots.',
    );
    this.refused = registry.counter(
      'pollux_engine_queries_refused_total',
      'Queries refused because the queue was full.',
    );
    this.samples = registry.counter(
      'prometheus_engine_query_samples_total',
      'The total number of samples loaded by all queries.',
    );
    this.samplesRead = registry.counter(
      'prometheus_engine_query_samples_read_total',
      'The total number of samples read by all queries; overlapping windows read a sample once.',
    );
    const durations = registry.histograms(
      'prometheus_engine_query_duration_histogram_seconds',
      'The duration of various parts of PromQL query execution.',
      ['slice'],
      DURATION_BOUNDS,
    );
    this.prepare = durations.with('prepare_time');
    this.queue = durations.with('queue_time');
    this.evaluate = durations.with('inner_eval');
  }

  /** Of a query that gave an answer. */
  observe(stats: QueryStats): void {
    this.queue.observe(stats.queueMs / 1000);
    this.prepare.observe(stats.prepareMs / 1000);
    this.evaluate.observe(stats.evalMs / 1000);
    this.samples.inc(stats.totalQueryableSamples);
    this.samplesRead.inc(stats.samplesRead);
  }
}
