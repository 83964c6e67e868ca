export { ShardQueryable, type ShardQueryableOptions } from './engine/shard-queryable.ts';
export {
  ShardClosedError,
  ShardCorruptionError,
  ShardInputError,
  ShardLimitError,
  ShardWriteError,
} from './errors.ts';
export { ShardStore, type ShardStoreOptions } from './shard-store.ts';
export type { ReplicaColumn, StoreView, ViewSeries } from './store-view.ts';
