import { ByteWriter, type Clock, Slices, type StopSignal } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { compareText, type Labels } from '@pollux/model';
import {
  type ColumnData,
  coveringCopy,
  type FieldKind,
  type NanoRange,
  type PointColumns,
  type WriteTarget,
} from '@pollux/storage';
import { EXEMPLAR_FIELD } from '../engine/prometheus-mapping.ts';
import { WINDOW_MS } from '../settle/window-arrivals.ts';
import type { ShardStore } from '../shard-store.ts';
import type { StoreView, ViewSeries } from '../store-view.ts';

/** Parts in which the copies of a window are compared, by their names. */
export const BUCKETS = 64;
/** Windows whose sums are remembered. */
const MAX_KEPT = 4_096;

export type CopyPlace = {
  readonly database: string;
  readonly retentionPolicy: string;
  /** Begin of the window. */
  readonly startMs: number;
};

/** What one replica wrote of a field of a series, in one window. */
export type Copy = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly replica: string;
  readonly field: string;
  readonly kind: FieldKind;
  readonly data: ColumnData;
};

export type Difference = {
  readonly copies: readonly Copy[];
  /** False when there are more than fit. */
  readonly isWhole: boolean;
};

type Kept = { readonly version: string; readonly sums: readonly number[] };

/**
 * Compares what two stores hold of replicas' copies, window by window, and takes what one lacks. In a store that gives copies up
 * those behind one that covers (`coveringCopy`) do not count, whether they were given up or not, so two of them are alike
 * though one has settled and the other has not yet. Nothing is overwritten: of a copy only rows are taken at whose times there
 * is none.
 */
export class CopyExchange {
  readonly #store: ShardStore;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(store: ShardStore) {
    this.#store = store;
    this.#clock = store.clock;
  }

  /** A sum of each bucket of a window: equal ones hold the same. */
  async sums(place: CopyPlace, signal: StopSignal): Promise<readonly number[]> {
    const { database, retentionPolicy, startMs } = place;
    const key = JSON.stringify([database, retentionPolicy, startMs]);
    // Taken before the rows are read: what comes meanwhile makes it old.
    const version = this.#store.versionOf(database, retentionPolicy, startMs);
    const known = this.#kept.get(key);
    if (known?.version === version) return known.sums;
    const sums = new Array<number>(BUCKETS).fill(0);
    await this.#eachNeeded(place, signal, (name, copy) => {
      const bucket = bucketOf(name);
      sums[bucket] = (sums[bucket]! + crcOfText(`${name} ${sumOf(copy.data)}`)) % 2 ** 32;
    });
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(key, { version, sums });
    return sums;
  }

  /** A sum of each copy in a bucket, by {@link nameOf}. */
  async sumsOf(
    place: CopyPlace,
    bucket: number,
    signal: StopSignal,
  ): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    await this.#eachNeeded(place, signal, (name, copy) => {
      if (bucketOf(name) === bucket) found.set(name, sumOf(copy.data));
    });
    return found;
  }

  /** The copies in a bucket that another store, which holds `theirs`, has not or has otherwise; no more than about `mostRows`. */
  async difference(
    place: CopyPlace,
    how: {
      readonly bucket: number;
      readonly theirs: ReadonlyMap<string, number>;
      readonly mostRows: number;
    },
    signal: StopSignal,
  ): Promise<Difference> {
    const copies: Copy[] = [];
    let rows = 0;
    let isWhole = true;
    await this.#eachNeeded(place, signal, (name, copy) => {
      if (bucketOf(name) !== how.bucket || how.theirs.get(name) === sumOf(copy.data)) return;
      if (rows >= how.mostRows) {
        isWhole = false;
        return;
      }
      rows += copy.data.count;
      copies.push(copy);
    });
    return { copies, isWhole };
  }

  /**
   * Stores the rows that are not there, of copies that are needed here, and returns how many. None of a window that began before
   * the last deletion from the database.
   */
  async take(
    target: WriteTarget,
    startMs: number,
    copies: readonly Copy[],
    signal: StopSignal,
  ): Promise<number> {
    const place = { ...target, startMs };
    const missing: Copy[] = [];
    await this.#store.prepare(place.database, place.retentionPolicy, rangeOf(startMs));
    const view = this.#store.view(place.database, place.retentionPolicy, rangeOf(startMs));
    try {
      const slices = new Slices(this.#clock, signal);
      for (const copy of copies) {
        if (slices.isOver) await slices.pause();
        const lacking = lackingOf(view, copy, this.#store.isSettling);
        if (lacking.count > 0) missing.push({ ...copy, data: lacking });
      }
    } finally {
      view.release();
    }
    if (missing.length === 0) return 0;
    const batch = batchOf(missing);
    const isStored = await this.#store.writeCopies(target, startMs, batch);
    return isStored ? batch.count : 0;
  }

  async #eachNeeded(
    { database, retentionPolicy, startMs }: CopyPlace,
    signal: StopSignal,
    visit: (name: string, copy: Copy) => void,
  ): Promise<void> {
    const range = rangeOf(startMs);
    await this.#store.prepare(database, retentionPolicy, range);
    const view = this.#store.view(database, retentionPolicy, range);
    try {
      const slices = new Slices(this.#clock, signal);
      for (const measurement of view.measurements()) {
        for (const series of view.series(measurement)) {
          if (slices.isOver) await slices.pause();
          for (const copy of neededOf(view, series, this.#store.isSettling))
            visit(nameOf(copy), copy);
        }
      }
    } finally {
      view.release();
    }
  }
}

function rangeOf(startMs: number): NanoRange {
  return { minMs: startMs, minNanos: 0, maxMs: startMs + WINDOW_MS - 1, maxNanos: 999_999 };
}

function neededOf(view: StoreView, series: ViewSeries, isSettling: boolean): Copy[] {
  const { measurement, tags } = series;
  const found: Copy[] = [];
  for (const { name: field, kind } of view.fieldsOf(series)) {
    const copies = copiesOf(view, series, field, kind);
    const covering = isSettling && field !== EXEMPLAR_FIELD ? coveringIndex(copies) : -1;
    const needed = covering < 0 ? copies : copies.slice(0, covering + 1);
    for (const { replica, data } of needed)
      found.push({ measurement, tags, replica, field, kind, data });
  }
  return found;
}

/** Of replicas, as their names sort. */
function copiesOf(
  view: StoreView,
  series: ViewSeries,
  field: string,
  kind: FieldKind,
): { readonly replica: string; readonly data: ColumnData }[] {
  return view
    .read(series, field, kind)
    .filter(({ replica, data }) => replica !== '' && data.kind === kind)
    .sort((a, b) => compareText(a.replica, b.replica));
}

function coveringIndex(copies: readonly { readonly data: ColumnData }[]): number {
  if (copies.length < 2) return -1;
  return coveringCopy(
    copies.map(({ data }) => ({ count: data.count, timestampsMs: data.timesMs })),
    null,
  );
}

/** The rows of the copy that this store has not; none where it would give them up since the copy of a replica before it covers. */
function lackingOf(view: StoreView, copy: Copy, isSettling: boolean): ColumnData {
  const [series] = view.series(copy.measurement, (tags) => tags.compare(copy.tags) === 0);
  const { data, replica, field, kind } = copy;
  if (series === undefined) return data;
  const own = copiesOf(view, series, field, kind);
  const before = own.filter((one) => compareText(one.replica, replica) < 0);
  if (isSettling && field !== EXEMPLAR_FIELD && coveringIndex([...before, copy]) in before)
    return { ...data, count: 0 };
  const held = own.find((one) => one.replica === replica)?.data;
  if (held === undefined) return data;
  const rows: number[] = [];
  let at = 0;
  for (let row = 0; row < data.count; row++) {
    while (at < held.count && isEarlier(held, at, data, row)) at++;
    if (at === held.count || isEarlier(data, row, held, at)) rows.push(row);
  }
  return {
    ...data,
    count: rows.length,
    timesMs: Float64Array.from(rows, (row) => data.timesMs[row]!),
    nanos: data.nanos === null ? null : Int32Array.from(rows, (row) => data.nanos![row]!),
    cells: pickCells(data, rows),
  };
}

function isEarlier(a: ColumnData, i: number, b: ColumnData, j: number): boolean {
  const step = a.timesMs[i]! - b.timesMs[j]!;
  return step < 0 || (step === 0 && (a.nanos?.[i] ?? 0) < (b.nanos?.[j] ?? 0));
}

/** By their bits. */
function pickCells({ cells }: ColumnData, rows: readonly number[]): Float64Array {
  const source = new BigUint64Array(cells.buffer, cells.byteOffset, cells.length);
  const picked = BigUint64Array.from(rows, (row) => source[row]!);
  return new Float64Array(picked.buffer);
}

function batchOf(copies: readonly Copy[]): PointColumns {
  let count = 0;
  for (const { data } of copies) count += data.count;
  const hasNanos = copies.some(({ data }) => data.nanos !== null);
  const batch = {
    count,
    series: copies.map(({ measurement, tags, replica }) => ({ measurement, tags, replica })),
    fields: copies.map(({ field, kind }) => ({ name: field, kind })),
    seriesOf: new Uint32Array(count),
    fieldOf: new Uint32Array(count),
    timesMs: new Float64Array(count),
    nanos: hasNanos ? new Int32Array(count) : null,
    cells: new Float64Array(count),
    texts: [] as string[],
    pointOf: null,
  };
  const words = new BigUint64Array(batch.cells.buffer);
  let at = 0;
  for (const [index, { data }] of copies.entries()) {
    const source = new BigUint64Array(data.cells.buffer, data.cells.byteOffset, data.cells.length);
    for (let row = 0; row < data.count; row++, at++) {
      batch.seriesOf[at] = index;
      batch.fieldOf[at] = index;
      batch.timesMs[at] = data.timesMs[row]!;
      if (batch.nanos !== null) batch.nanos[at] = data.nanos?.[row] ?? 0;
      if (data.texts === null) words[at] = source[row]!;
      else batch.cells[at] = batch.texts.push(data.texts[data.cells[row]!]!) - 1;
    }
  }
  return batch;
}

/** The name of a copy, the same in every store. */
function nameOf({ measurement, tags, replica, field, kind }: Copy): string {
  return JSON.stringify([measurement, tags.key(), replica, field, kind]);
}

function bucketOf(name: string): number {
  return crcOfText(name) % BUCKETS;
}

const ENCODER = new TextEncoder();

function crcOfText(text: string): number {
  return crc32c(ENCODER.encode(text)) >>> 0;
}

/** A checksum of times and values. */
function sumOf({ count, timesMs, nanos, cells, texts }: ColumnData): number {
  const bytes = new ByteWriter(count * 20 + 8);
  bytes.u32(count);
  bytes.raw(new Uint8Array(timesMs.buffer, timesMs.byteOffset, count * 8));
  if (nanos !== null) bytes.raw(new Uint8Array(nanos.buffer, nanos.byteOffset, count * 4));
  if (texts === null) bytes.raw(new Uint8Array(cells.buffer, cells.byteOffset, count * 8));
  else for (let row = 0; row < count; row++) bytes.uvarintText(texts[cells[row]!]!);
  return crc32c(bytes.bytes()) >>> 0;
}
