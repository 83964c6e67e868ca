import type { Matcher } from '@pollux/model';
import type { Appendable } from './appendable.ts';
import type { Queryable, TimeRange } from './queryable.ts';

/** How an engine treats a second sample of one series and timestamp. */
export type WriteSemantics =
  /** Prometheus: in order, duplicates refused. */
  | 'append'
  /** InfluxDB: any time, last write wins. */
  | 'upsert';

/** A place that keeps samples of one database and retention policy; opened by name, closed when the role ends. */
export interface Engine extends Appendable, Queryable {
  readonly semantics: WriteSemantics;
  /** Hides the samples of matching series in the range at once. */
  deleteSamples(range: TimeRange, matchers: readonly Matcher[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens engines per (database, retention policy); the same pair gives the same engine. */
export interface EngineFactory {
  open(database: string, retentionPolicy: string): Promise<Engine>;
}
