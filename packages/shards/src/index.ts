export { ALL_TIME, type ColumnData, type NanoRange } from './column-data.ts';
export type { WriteTarget } from './commit-queue.ts';
export { ShardQueryable, type ShardQueryableOptions } from './engine/shard-queryable.ts';
export {
  ShardClosedError,
  ShardCorruptionError,
  ShardInputError,
  ShardLimitError,
  ShardWriteError,
} from './errors.ts';
export type { FieldKind } from './field-kind.ts';
export type { GroupIdentity } from './group-identity.ts';
export type { FieldConflict, PointColumns, SeriesKey, WriteOutcome } from './point-columns.ts';
export type {
  PlacedSamples,
  SampleColumns,
  SampleOutcome,
  SampleRules,
} from './samples/sample-columns.ts';
export type { TagCondition } from './series-names.ts';
export { ShardStore, type ShardStoreOptions } from './shard-store.ts';
export type { ReplicaColumn, StoreView, ViewSeries } from './store-view.ts';
