import type { Clock, StopSignal } from '@pollux/base';
import { compareText, type Labels } from '@pollux/model';
import type { ColumnData, FieldKind, NanoRange, TagCondition } from '@pollux/storage';
import type { StoreEngine, View, ViewSeries } from '../engine-port.ts';
import type { Measurement } from '../influxql/ast.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import { oneCopy } from './one-copy.ts';
import { Pace } from './pace.ts';
import type { Cell } from './result.ts';
import { MAX_NANOS, MIN_NANOS, type TimeBounds } from './time-bounds.ts';
import type { PatternCache } from './values.ts';

/** Rows of one series (or of one series of a subquery's answer), times ascending. */
export type Table = {
  readonly name: string;
  readonly tags: Labels;
  readonly times: readonly bigint[];
  readonly columns: ReadonlyMap<string, readonly Cell[]>;
  /** Rows of a subquery are shown though all their values are null. */
  readonly keepsNulls?: boolean;
};

/** What a source offers. */
export type Schema = {
  /** Fields with the type that their values are read as. */
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly tags: ReadonlySet<string>;
};

/** Series that are looked for together. */
export const SERIES_AHEAD = 512;
/** Types in the order in which one is chosen when shard groups differ. */
const PRIORITY: readonly FieldKind[] = ['float', 'integer', 'unsigned', 'string', 'boolean'];

export function nanoRange(bounds: TimeBounds): NanoRange {
  const [minMs, minNanos] = splitNanos(bounds.min ?? MIN_NANOS);
  const [maxMs, maxNanos] = splitNanos(bounds.max ?? MAX_NANOS);
  return { minMs, minNanos, maxMs, maxNanos };
}

export function splitNanos(nanos: bigint): readonly [ms: number, rest: number] {
  let rest = nanos % 1_000_000n;
  if (rest < 0n) rest += 1_000_000n;
  return [Number((nanos - rest) / 1_000_000n), Number(rest)];
}

export type TableScope = {
  readonly clock: Clock;
  readonly signal: StopSignal;
  readonly engine: StoreEngine;
  readonly meta: MetaStore;
  readonly patterns: PatternCache;
  readonly database: string;
  readonly retentionPolicy: string;
};

/** The retention policy that a measurement is read from; throws MetaError for unknown names. */
export function placeOf(
  scope: TableScope,
  source: Measurement,
): { readonly database: string; readonly policy: string } {
  const name = source.database === '' ? scope.database : source.database;
  const database = scope.meta.requireDatabase(name);
  const wanted =
    source.retentionPolicy === '' && source.database === ''
      ? scope.retentionPolicy
      : source.retentionPolicy;
  return { database: name, policy: scope.meta.requirePolicy(database, wanted).name };
}

export async function openView(
  scope: TableScope,
  source: Measurement,
  bounds: TimeBounds,
): Promise<View> {
  const { database, policy } = placeOf(scope, source);
  await scope.engine.prepare(database, policy, nanoRange(bounds));
  return scope.engine.view(database, policy, nanoRange(bounds));
}

/** Names in the view that the source means, sorted. */
export function measurementsOf(view: View, source: Measurement, patterns: PatternCache): string[] {
  const { regex, name } = source;
  if (regex === null) return view.hasMeasurement(name) ? [name] : [];
  return view.measurements().filter((candidate) => patterns.matches(regex, candidate));
}

export function schemaOf(view: View, measurement: string): Schema {
  const fields = new Map<string, FieldKind>();
  for (const { name, kind } of view.fields(measurement)) {
    const known = fields.get(name);
    if (known === undefined || PRIORITY.indexOf(kind) < PRIORITY.indexOf(known))
      fields.set(name, kind);
  }
  return { fields, tags: new Set(view.tagNames(measurement)) };
}

/** What is to be read of one measurement. */
export type ReadPart = {
  readonly view: View;
  readonly measurement: string;
  /** Fields with the type that they are read as. */
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly matches: (tags: Labels) => boolean;
  /** Conditions that an index answers. */
  readonly conditions: readonly TagCondition[];
};

/** Reads the fields of a measurement's series whose tags pass, one table per series with any row. */
export async function loadTables(
  scope: Pick<TableScope, 'clock' | 'signal'>,
  { view, fields, measurement, matches, conditions }: ReadPart,
): Promise<Table[]> {
  const tables: Table[] = [];
  const names = [...fields].sort(([a], [b]) => compareText(a, b));
  const pace = new Pace(scope);
  const all = view.series(measurement, matches, conditions);
  const wanted = new Set(fields.keys());
  for (const [index, series] of all.entries()) {
    pace.check();
    if (pace.isOver) await pace.pause();
    if (index % SERIES_AHEAD === 0) view.readAhead(all.slice(index, index + SERIES_AHEAD), wanted);
    const columns: [string, ColumnData][] = [];
    for (const [name, kind] of names) {
      const chosen = oneCopy(view.read(series, name, kind));
      if (chosen !== null && chosen.count > 0) columns.push([name, chosen]);
    }
    if (columns.length > 0) tables.push(join(series, columns));
  }
  return tables;
}

function join(series: ViewSeries, columns: readonly (readonly [string, ColumnData])[]): Table {
  const decoded = columns.map(([name, data]) => ({
    name,
    times: timesOf(data),
    cells: cellsOf(data),
  }));
  const [only] = decoded;
  if (decoded.length === 1 && only !== undefined) {
    return {
      name: series.measurement,
      tags: series.tags,
      times: only.times,
      columns: new Map([[only.name, only.cells]]),
    };
  }
  const times: bigint[] = [];
  const joined = new Map<string, Cell[]>(decoded.map(({ name }) => [name, []]));
  const next = new Array<number>(decoded.length).fill(0);
  for (;;) {
    let least: bigint | null = null;
    for (const [index, column] of decoded.entries()) {
      const time = column.times[next[index]!];
      if (time !== undefined && (least === null || time < least)) least = time;
    }
    if (least === null)
      return { name: series.measurement, tags: series.tags, times, columns: joined };
    times.push(least);
    for (const [index, column] of decoded.entries()) {
      const isHere = column.times[next[index]!] === least;
      joined.get(column.name)!.push(isHere ? column.cells[next[index]!]! : null);
      if (isHere) next[index]!++;
    }
  }
}

function timesOf(data: ColumnData): bigint[] {
  const times = new Array<bigint>(data.count);
  for (let i = 0; i < data.count; i++) {
    times[i] = BigInt(data.timesMs[i]!) * 1_000_000n + BigInt(data.nanos?.[i] ?? 0);
  }
  return times;
}

/** Stale markers and other NaNs, which InfluxQL does not know, count as missing. */
function cellsOf(data: ColumnData): Cell[] {
  const { kind, count, cells } = data;
  const out = new Array<Cell>(count);
  if (kind === 'integer' || kind === 'unsigned') {
    const integers =
      kind === 'integer'
        ? new BigInt64Array(cells.buffer, cells.byteOffset, count)
        : new BigUint64Array(cells.buffer, cells.byteOffset, count);
    for (let i = 0; i < count; i++) out[i] = integers[i]!;
    return out;
  }
  for (let i = 0; i < count; i++) {
    const cell = cells[i]!;
    if (kind === 'string') out[i] = data.texts?.[cell] ?? '';
    else if (kind === 'boolean') out[i] = cell === 1;
    else out[i] = Number.isFinite(cell) ? cell : null;
  }
  return out;
}
