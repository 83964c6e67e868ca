export { ShardQueryable } from './engine/shard-queryable.ts';
export type { ShardQueryableOptions } from './engine/shown-part.ts';
export {
  ShardClosedError,
  ShardCorruptionError,
  ShardInputError,
  ShardLimitError,
  ShardWriteError,
} from './errors.ts';
export { ShardStore, type ShardStoreOptions } from './shard-store.ts';
export type { ReplicaColumn, StoreView, ViewSeries } from './store-view.ts';
