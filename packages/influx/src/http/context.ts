import type { Clock } from '@pollux/base';
import type { Counter, Log } from '@pollux/telemetry';
import type { PrometheusCodec } from '../codec-port.ts';
import type { PrometheusView } from '../engine-port.ts';
import type { KnownSeries } from '../line-protocol/known-series.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import type { QueryExecutor } from '../query/executor.ts';
import type { RunningQueries } from '../query/running-queries.ts';
import type { Statistic } from '../query/statistics.ts';
import type { PointWriter } from '../write/point-writer.ts';
import type { Access } from './access.ts';

export type HttpMetrics = {
  readonly writeRequests: Counter;
  readonly writeErrors: Counter;
  readonly points: Counter;
  readonly queries: Counter;
  readonly queryErrors: Counter;
};

/** What the routes work on. */
export type HttpContext = {
  readonly clock: Clock;
  readonly startedMs: number;
  readonly log: Log;
  readonly meta: MetaStore;
  readonly writer: PointWriter;
  readonly executor: QueryExecutor;
  readonly running: RunningQueries;
  /** For /debug/vars. */
  readonly statistics: () => readonly Statistic[];
  readonly codec: PrometheusCodec;
  readonly access: Access;
  readonly metrics: HttpMetrics;
  readonly maxBodyBytes: number;
  readonly acceptsUnsigned: boolean;
  /** Of the line protocol. */
  readonly knownSeries: KnownSeries;
  readonly maxRowLimit: number;
  readonly replicaLabels: readonly string[];
  readonly version: string;
  /** Of every answer, from `[http.headers]`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly viewOf: (database: string, retentionPolicy: string) => PrometheusView;
};
