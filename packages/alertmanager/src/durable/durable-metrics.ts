import type { Counter, Family, Registry } from '@pollux/telemetry';

/** What went wrong with a file: it is read, appended to, synced or begun anew. */
export type DurableOperation = 'read' | 'write' | 'sync' | 'rewrite';
const OPERATIONS: readonly DurableOperation[] = ['read', 'write', 'sync', 'rewrite'];

/** Metrics of the files that are this program's own; one instance for each registry. */
export class DurableMetrics {
  readonly failures: Family<Counter>;
  readonly damagedBytes: Family<Counter>;
  readonly rewrites: Family<Counter>;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.failures = registry.counters(
      'pollux_alertmanager_durable_failures_total',
      'Operations on a file of own state that failed; alerts are taken and sent all the same.',
      ['file', 'operation'],
    );
    this.damagedBytes = registry.counters(
      'pollux_alertmanager_durable_damaged_bytes_total',
      'Bytes of a file of own state that could not be read and were passed over.',
      ['file'],
    );
    this.rewrites = registry.counters(
      'pollux_alertmanager_durable_rewrites_total',
      'How often a file of own state was written anew without what is no longer needed.',
      ['file'],
    );
  }

  introduce(file: string, sizeBytes: () => number): void {
    for (const operation of OPERATIONS) this.failures.with(file, operation);
    this.damagedBytes.with(file);
    this.rewrites.with(file);
    this.#registry.gaugeFrom(
      `pollux_alertmanager_durable_${file}_bytes`,
      'Size of the file of own state.',
      sizeBytes,
    );
  }
}
