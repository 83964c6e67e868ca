import { createHash } from 'node:crypto';
import type { Gauge, Registry } from '@pollux/telemetry';

/** Upstream's metrics of reloads. */
export class ReloadGauges {
  readonly #successful: Gauge;
  readonly #timestamp: Gauge;
  readonly #hash: Gauge;

  constructor(registry: Registry) {
    this.#successful = registry.gauge(
      'alertmanager_config_last_reload_successful',
      'Whether the last configuration reload attempt was successful.',
    );
    this.#timestamp = registry.gauge(
      'alertmanager_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
    );
    this.#hash = registry.gauge(
      'alertmanager_config_hash',
      'Hash of the currently loaded alertmanager configuration.',
    );
  }

  /** The hash is the first six bytes of the MD5 of the file, so that equal files have equal values on all members. */
  succeeded(text: string, nowMs: number): void {
    this.#successful.set(1);
    this.#timestamp.set(nowMs / 1000);
    this.#hash.set(createHash('md5').update(text).digest().readUIntBE(0, 6));
  }

  failed(): void {
    this.#successful.set(0);
  }
}
