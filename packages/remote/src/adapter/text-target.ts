import type { Labels } from '@pollux/model';

/** A store of another kind, which takes samples as text. */
export interface TextTarget {
  /** `remote` of upstream's metrics. */
  readonly name: 'graphite' | 'influxdb' | 'opentsdb';
  /** What each sample of a series says of it, made once a series; null where the store's format cannot say it. */
  head(labels: Labels): string | null;
  /** One sample, with what ends it; `value` is finite. */
  sample(head: string, timestampMs: number, value: number): string;
  /**
   * Resolves when the store has them. Throws UnavailableError where sending again may help, and TargetRefusedError where the
   * store would say the same again.
   */
  send(samples: string): Promise<void>;
}
