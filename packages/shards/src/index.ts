export { ShardQueryable } from './engine/shard-queryable.ts';
export type { ShardQueryableOptions } from './engine/shown-part.ts';
export {
  ShardClosedError,
  ShardCorruptionError,
  ShardInputError,
  ShardLimitError,
  ShardWriteError,
} from './errors.ts';
export {
  BUCKETS,
  type Copy,
  CopyExchange,
  type CopyPlace,
  type Difference,
} from './exchange/copy-exchange.ts';
export { WINDOW_MS } from './settle/window-arrivals.ts';
export { ShardStore, type ShardStoreOptions } from './shard-store.ts';
export type { ReplicaColumn, StoreView, ViewSeries } from './store-view.ts';
