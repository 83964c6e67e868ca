import type { Clock } from '@pollux/base';
import type {
  MetricMetadata,
  PlacedSamples,
  PointColumns,
  SampleColumns,
  SampleOutcome,
  SampleRules,
  WriteOutcome,
  WriteTarget,
} from '@pollux/storage';
import type { StoreEngine } from '../engine-port.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import { PartialWriteError } from './errors.ts';
import type { Subscriptions } from './subscriptions.ts';

export type PointWriterOptions = {
  readonly meta: MetaStore;
  readonly engine: StoreEngine;
  readonly clock: Clock;
  readonly replicaLabels: readonly string[];
  readonly subscriptions: Subscriptions;
};

/** Sends batches to the engine under the rules of the retention policy they go to. */
export class PointWriter {
  readonly #meta: MetaStore;
  readonly #engine: StoreEngine;
  readonly #clock: Clock;
  readonly #sampleRules: SampleRules;
  readonly #subscriptions: Subscriptions;

  constructor(options: PointWriterOptions) {
    this.#meta = options.meta;
    this.#engine = options.engine;
    this.#clock = options.clock;
    this.#subscriptions = options.subscriptions;
    this.#sampleRules = { replicaLabels: options.replicaLabels, reservedTag: 'time' };
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
    const target = this.target(database, retentionPolicy);
    const outcome = await this.#engine.write(target, batch);
    this.#subscriptions.publish(database, target.retentionPolicy, batch);
    checkComplete(outcome);
  }

  /** Finds out where samples of Prometheus go; they are lent until this resolves. Nothing is stored before {@link commit}. */
  place(database: string, retentionPolicy: string, samples: SampleColumns): Promise<PlacedSamples> {
    const target = (): WriteTarget => this.target(database, retentionPolicy);
    return this.#engine.placeSamples(target, samples, this.#sampleRules);
  }

  /** As {@link write}; returns how many samples could not be stored for their time or tags. */
  async commit(placed: PlacedSamples): Promise<SampleOutcome> {
    const outcome = await placed.commit();
    checkComplete(outcome);
    return outcome;
  }

  /** Resolves when durable. */
  async writeMetadata(
    database: string,
    retentionPolicy: string,
    rows: readonly MetricMetadata[],
  ): Promise<void> {
    const policy = this.target(database, retentionPolicy).retentionPolicy;
    await this.#engine.writeMetadata(database, policy, rows);
  }
}

function checkComplete(outcome: WriteOutcome): void {
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
