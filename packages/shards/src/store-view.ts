import { compareText, type Labels } from '@pollux/model';
import type { ColumnData, FieldKind, NanoRange, TagCondition } from '@pollux/storage';
import type { ColumnRef } from './catalogue.ts';
import { mergeColumns } from './column-data.ts';
import { isWhole } from './field-kind.ts';
import type { SeriesRef } from './series-names.ts';
import type { GroupSnapshot, ShardGroup } from './shard-group.ts';

/** A series over the groups of a view. */
export type ViewSeries = {
  readonly measurement: string;
  readonly tags: Labels;
  /** Index of the group in the view, and the series' number there; oldest group first. */
  readonly members: readonly { readonly group: number; readonly series: SeriesRef }[];
};

/** One replica's copy of a field. */
export type ReplicaColumn = { readonly replica: string; readonly data: ColumnData };

/**
 * What some shard groups hold of a range of time. Reads are synchronous: yield between series. Files that are replaced
 * meanwhile stay readable until `release`.
 */
export class StoreView {
  readonly range: NanoRange;
  readonly #groups: readonly ShardGroup[];
  readonly #snapshots: readonly GroupSnapshot[];
  #isReleased = false;

  constructor(groups: readonly ShardGroup[], range: NanoRange) {
    this.range = range;
    this.#groups = groups;
    this.#snapshots = groups.map((group) => group.hold());
  }

  get groupCount(): number {
    return this.#groups.length;
  }

  /** Names of measurements, sorted. */
  measurements(): string[] {
    const names = new Set<string>();
    for (const group of this.#groups)
      for (const name of group.catalogue.measurements()) names.add(name);
    return [...names].sort(compareText);
  }

  /** Fields with their types, sorted by name; a field that changed its type between groups stands twice. */
  fields(measurement: string): { readonly name: string; readonly kind: FieldKind }[] {
    const seen = new Map<string, { name: string; kind: FieldKind }>();
    for (const group of this.#groups) {
      for (const [name, kind] of group.catalogue.fieldsOf(measurement))
        seen.set(`${kind}\n${name}`, { name, kind });
    }
    return [...seen.values()].sort(
      (a, b) => compareText(a.name, b.name) || compareText(a.kind, b.kind),
    );
  }

  hasMeasurement(name: string): boolean {
    return this.#groups.some((group) => group.catalogue.hasMeasurement(name));
  }

  /** Names of the tags that series of a measurement have, sorted. */
  tagNames(measurement: string): string[] {
    const names = new Set<string>();
    for (const group of this.#groups)
      for (const name of group.catalogue.tagNames(measurement)) names.add(name);
    return [...names].sort(compareText);
  }

  /** Values of a tag that series of a measurement have, sorted. */
  tagValues(measurement: string, tag: string): string[] {
    const values = new Set<string>();
    for (const { catalogue } of this.#groups) {
      for (const value of catalogue.names.valuesOf(catalogue.select(measurement), tag))
        values.add(value);
    }
    return [...values].sort(compareText);
  }

  /** Whether a series has a field of a type. */
  hasField(series: ViewSeries, field: string, kind: FieldKind): boolean {
    return series.members.some((member) =>
      this.#groups[member.group]!.catalogue.hasField(member.series, field, kind),
    );
  }

  /**
   * Series of a measurement that fulfil the conditions and whose tags pass, sorted by tags. Conditions are answered from an
   * index; `matches` is asked for each series that is left.
   */
  series(
    measurement: string,
    matches: (tags: Labels) => boolean = () => true,
    conditions: readonly TagCondition[] = [],
  ): ViewSeries[] {
    const [only] = this.#groups;
    if (this.#groups.length === 1 && only !== undefined) {
      return this.#seriesOf(only, measurement, { matches, conditions });
    }
    const found = new Map<
      string,
      { measurement: string; tags: Labels; members: { group: number; series: SeriesRef }[] }
    >();
    for (const [index, group] of this.#groups.entries()) {
      for (const series of group.catalogue.select(measurement, conditions)) {
        const tags = group.catalogue.tagsOf(series);
        if (!matches(tags)) continue;
        const key = tags.key();
        const known = found.get(key);
        if (known === undefined)
          found.set(key, { measurement, tags, members: [{ group: index, series }] });
        else known.members.push({ group: index, series });
      }
    }
    return [...found.values()].sort((a, b) => a.tags.compare(b.tags));
  }

  /** {@link series} of the only group: none stands in two. */
  #seriesOf(
    { catalogue }: ShardGroup,
    measurement: string,
    wanted: {
      readonly matches: (tags: Labels) => boolean;
      readonly conditions: readonly TagCondition[];
    },
  ): ViewSeries[] {
    const found: ViewSeries[] = [];
    for (const series of catalogue.select(measurement, wanted.conditions)) {
      const tags = catalogue.tagsOf(series);
      if (wanted.matches(tags)) found.push({ measurement, tags, members: [{ group: 0, series }] });
    }
    return found.sort((a, b) => a.tags.compare(b.tags));
  }

  /** Names and types of the fields that a series has. */
  fieldsOf(series: ViewSeries): { readonly name: string; readonly kind: FieldKind }[] {
    const seen = new Map<string, { name: string; kind: FieldKind }>();
    for (const member of series.members) {
      const { catalogue } = this.#groups[member.group]!;
      for (const column of catalogue.columnsOf(member.series)) {
        const name = catalogue.fieldOf(column);
        const kind = catalogue.kindOf(column);
        seen.set(`${kind}\n${name}`, { name, kind });
      }
    }
    return [...seen.values()].sort((a, b) => compareText(a.name, b.name));
  }

  /** Whether {@link read} may give values of a replica, found without reading any. */
  touches(series: ViewSeries, field: string): boolean {
    return series.members.some((member) => {
      const group = this.#groups[member.group]!;
      const { catalogue } = group;
      return catalogue
        .columnsOf(member.series)
        .some(
          (column) =>
            catalogue.fieldOf(column) === field &&
            group.touches(column, this.range, this.#snapshots[member.group]!),
        );
    });
  }

  /**
   * The field's values as `kind`, one column per replica (sorted by name). Where a group holds the field as integer or
   * unsigned and `kind` is float, they are converted; other types are left out.
   */
  read(series: ViewSeries, field: string, kind: FieldKind): ReplicaColumn[] {
    const parts = new Map<string, ColumnData[]>();
    for (const member of series.members) {
      const group = this.#groups[member.group]!;
      const { catalogue } = group;
      for (const column of catalogue.columnsOf(member.series)) {
        if (catalogue.fieldOf(column) !== field) continue;
        const data = converted(
          group.read(column, this.range, this.#snapshots[member.group]!),
          kind,
        );
        if (data === null || data.count === 0) continue;
        const replica = catalogue.replicaOf(column);
        const list = parts.get(replica);
        if (list === undefined) parts.set(replica, [data]);
        else list.push(data);
      }
    }
    const replicas = [...parts.keys()].sort(compareText);
    return replicas.map((replica) => ({
      replica,
      data: mergeColumns(kind, parts.get(replica) ?? []),
    }));
  }

  /**
   * Reads what is in memory of some fields of many series together, which takes a tenth of reading them one after the other. {@link read}s of
   * these series take it from there, until the next call. To be called for some hundred series at a time: what is read is held.
   */
  readAhead(series: readonly ViewSeries[], fields: ReadonlySet<string>): void {
    const columns = this.#groups.map((): ColumnRef[] => []);
    for (const { members } of series) {
      for (const { group, series: ref } of members) {
        const { catalogue } = this.#groups[group]!;
        for (const column of catalogue.columnsOf(ref))
          if (fields.has(catalogue.fieldOf(column))) columns[group]!.push(column);
      }
    }
    for (const [index, group] of this.#groups.entries())
      group.readAhead(columns[index]!, this.#snapshots[index]!);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const [index, group] of this.#groups.entries()) group.letGo(this.#snapshots[index]!);
  }
}

function converted(data: ColumnData, kind: FieldKind): ColumnData | null {
  if (data.kind === kind) return data;
  if (!isWhole(data.kind) || kind !== 'float') return null;
  const cells = new Float64Array(data.count);
  const { buffer, byteOffset, length } = data.cells;
  const integers =
    data.kind === 'integer'
      ? new BigInt64Array(buffer, byteOffset, length)
      : new BigUint64Array(buffer, byteOffset, length);
  for (let i = 0; i < data.count; i++) cells[i] = Number(integers[i]!);
  return { ...data, kind, cells };
}
