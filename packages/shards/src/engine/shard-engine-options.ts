import type { WriteTarget } from '../commit-queue.ts';
import type { ShardStore } from '../shard-store.ts';

/** Which part of the store the engine shows, and how it is written. */
export type ShardEngineOptions = {
  readonly store: ShardStore;
  readonly database: string;
  readonly retentionPolicy: string;
  /** Span of new shard groups and the oldest point taken, asked for at each commit: both can be altered. */
  readonly writeTarget: () => WriteTarget;
  /** Labels that are split off as the replica, as `ha.replica-labels` names them. */
  readonly replicaLabels: readonly string[];
};
