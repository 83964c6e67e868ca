import type { Labels, Metadata } from '@pollux/model';
import type {
  ColumnData,
  ExemplarQueryable,
  FieldKind,
  GroupIdentity,
  MetricMetadata,
  NanoRange,
  PlacedSamples,
  PointColumns,
  Queryable,
  SampleColumns,
  SampleRules,
  TagCondition,
  WriteOutcome,
  WriteTarget,
} from '@pollux/storage';

// What this room asks of the engine below it; `roles` binds `ShardStore` of the shards room. The columns that pass are of the
// storage room.

export type ViewSeries = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly members: readonly { readonly group: number; readonly series: number }[];
};

/** What a retention policy holds in a range, held still until `release`. */
export interface View {
  readonly groupCount: number;
  measurements(): string[];
  hasMeasurement(name: string): boolean;
  /** Names of the tags that series of a measurement have, sorted. */
  tagNames(measurement: string): string[];
  /** Values of a tag that series of a measurement have, sorted. */
  tagValues(measurement: string, tag: string): string[];
  fields(measurement: string): { readonly name: string; readonly kind: FieldKind }[];
  /** Sorted by tags. Conditions are answered from an index; `matches` is asked for each series that fulfils them. */
  series(
    measurement: string,
    matches?: (tags: Labels) => boolean,
    conditions?: readonly TagCondition[],
  ): ViewSeries[];
  fieldsOf(series: ViewSeries): { readonly name: string; readonly kind: FieldKind }[];
  /** One column per replica; whole numbers are converted when floats are asked for, other types are left out. */
  read(
    series: ViewSeries,
    field: string,
    kind: FieldKind,
  ): { readonly replica: string; readonly data: ColumnData }[];
  /**
   * Looks for some fields of many series together, which is faster; `read` of these series takes it from there, until the next call. To be
   * called for some hundred series at a time: what is found is held.
   */
  readAhead(series: readonly ViewSeries[], fields: ReadonlySet<string>): void;
  release(): void;
}

export interface StoreEngine {
  /** Resolves when synced and visible. */
  write(target: WriteTarget, batch: PointColumns): Promise<WriteOutcome>;
  /**
   * Finds out where samples go; they are lent until this resolves, and nothing is stored before `commit`. `writeTarget` is asked when
   * there is a sample that may be stored.
   */
  placeSamples(
    writeTarget: () => WriteTarget,
    samples: SampleColumns,
    rules: SampleRules,
  ): Promise<PlacedSamples>;
  /** Resolves when durable. */
  writeMetadata(
    database: string,
    retentionPolicy: string,
    rows: readonly MetricMetadata[],
  ): Promise<void>;
  metadata(
    database: string,
    retentionPolicy: string,
  ): Iterable<readonly [name: string, metadata: Metadata]>;
  /** Opens what a view will need without holding the thread. */
  prepare(database: string, retentionPolicy: string, range: NanoRange): Promise<void>;
  view(database: string, retentionPolicy: string, range: NanoRange): View;
  groups(): GroupIdentity[];
  /** Bytes on disk of each group, by its id. */
  groupBytes(): ReadonlyMap<number, number>;
  deleteRows(
    database: string,
    matches: (measurement: string, tags: Labels) => boolean,
    range: NanoRange,
  ): Promise<void>;
  dropDatabase(database: string): Promise<void>;
  dropRetentionPolicy(database: string, retentionPolicy: string): Promise<void>;
  dropGroup(id: number): Promise<void>;
  expire(database: string, retentionPolicy: string, beforeMs: number): Promise<number>;
}

/** Prometheus' samples and exemplars of one retention policy. */
export type OpenQueryable = (options: {
  readonly database: string;
  readonly retentionPolicy: string;
  readonly replicaLabels: readonly string[];
}) => Queryable & ExemplarQueryable;

/** Prometheus' view of one retention policy. */
export type PrometheusView = {
  readonly queryable: Queryable & ExemplarQueryable;
  readonly metadata: () => Iterable<readonly [name: string, metadata: Metadata]>;
};
