import type { ShardStore } from '../shard-store.ts';

/** Which part of the store is shown. */
export type ShardQueryableOptions = {
  readonly store: ShardStore;
  readonly database: string;
  readonly retentionPolicy: string;
  /** Labels that were split off as the replica, as `ha.replica-labels` names them. */
  readonly replicaLabels: readonly string[];
};
