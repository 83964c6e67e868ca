import type { Clock } from '@pollux/base';
import type { PointColumns, StoreEngine, WriteTarget } from '../engine-port.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import { PartialWriteError } from './errors.ts';

/** Sends batches to the engine under the rules of the retention policy they go to. */
export class PointWriter {
  readonly #meta: MetaStore;
  readonly #engine: StoreEngine;
  readonly #clock: Clock;

  constructor(meta: MetaStore, engine: StoreEngine, clock: Clock) {
    this.#meta = meta;
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Where writes to the policy go now: its shard duration and the oldest time it takes. */
  target(database: string, retentionPolicy: string): WriteTarget {
    const policy = this.#meta.requirePolicy(this.#meta.requireDatabase(database), retentionPolicy);
    const durationMs = Number(policy.durationNanos / 1_000_000n);
    return {
      database,
      retentionPolicy: policy.name,
      groupDurationMs: Number(policy.shardDurationNanos / 1_000_000n),
      oldestMs: durationMs === 0 ? null : this.#clock.now() - durationMs,
    };
  }

  /** Resolves when everything that can be stored is synced; PartialWriteError tells what was dropped. */
  async write(database: string, retentionPolicy: string, batch: PointColumns): Promise<void> {
    if (batch.count === 0) return;
    const outcome = await this.#engine.write(this.target(database, retentionPolicy), batch);
    if (outcome.firstConflict !== null) {
      const { measurement, field, given, existing } = outcome.firstConflict;
      throw new PartialWriteError(
        `field type conflict: input field "${field}" on measurement "${measurement}" is type ${given}, already exists as type ${existing}`,
        outcome.conflictPoints,
      );
    }
    if (outcome.expiredPoints > 0) {
      throw new PartialWriteError('points beyond retention policy', outcome.expiredPoints);
    }
  }
}
