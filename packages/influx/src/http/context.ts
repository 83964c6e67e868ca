import type { Clock } from '@pollux/base';
import type { Queryable } from '@pollux/storage';
import type { Counter, Log } from '@pollux/telemetry';
import type { PrometheusCodec } from '../codec-port.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import type { QueryExecutor } from '../query/executor.ts';
import type { PointWriter } from '../write/point-writer.ts';
import type { Access } from './access.ts';

export type HttpMetrics = {
  readonly writeRequests: Counter;
  readonly writeErrors: Counter;
  readonly points: Counter;
  readonly histogramsDropped: Counter;
  readonly queries: Counter;
  readonly queryErrors: Counter;
};

/** What the routes work on. */
export type HttpContext = {
  readonly clock: Clock;
  readonly log: Log;
  readonly meta: MetaStore;
  readonly writer: PointWriter;
  readonly executor: QueryExecutor;
  readonly codec: PrometheusCodec;
  readonly access: Access;
  readonly metrics: HttpMetrics;
  readonly maxBodyBytes: number;
  readonly acceptsUnsigned: boolean;
  readonly maxRowLimit: number;
  readonly replicaLabels: readonly string[];
  readonly version: string;
  readonly queryableOf: (database: string, retentionPolicy: string) => Queryable;
};
