import type { Clock } from '@pollux/base';
import { compareText, wordsOf } from '@pollux/model';
import { type ColumnData, type CopyTimes, type CopyWindow, coveringCopy } from '@pollux/storage';
import type { Catalogue, ColumnRef } from '../catalogue.ts';
import { lowerBound } from '../column-data.ts';
import { ColumnArena, type ColumnSpace } from '../column-space.ts';
import { EXEMPLAR_FIELD } from '../engine/prometheus-mapping.ts';
import type { SeriesRef } from '../series-names.ts';
import { WINDOW_MS, type WindowArrivals, windowOf } from './window-arrivals.ts';

export type SettlingPlace = {
  readonly clock: Clock;
  readonly catalogue: Catalogue;
  readonly arrivals: WindowArrivals;
  /** Of the shard group, which cuts windows. */
  readonly span: CopyWindow;
  /** Time after a window's end, and after the last write to it, from which on nobody is waited for. */
  readonly afterMs: number;
  /** Windows that begin at or before it are left alone: there is more of them than `read` gives. */
  readonly behindMs: number;
  /** All that there is of a column, in windows that are not left alone. */
  readonly read: (column: ColumnRef, space: ColumnSpace) => ColumnData | null;
};

type Copy = { readonly column: ColumnRef; readonly replica: string; readonly data: ColumnData };

/**
 * Gives up, window by window, the copies of a field that nobody needs:
 *
 *     window     |       1       |       2       |       3       |
 *     A          |x──x──x──x──x──|x──x           |x──x──x──x──x──|x
 *     B          |──o──o──o──o──o|──o──o──o──o──o|──o──o──o──o──o|──o
 *     kept       |A              |A, B           |A              |
 *
 * Copies behind the first one that covers go; the ones before it stay, as they may still become whole when a writer or another
 * store brings what is missing. So what is kept does not depend on the order in which samples came.
 *
 * A window is looked at when every copy of the field has a sample behind it; then a copy without any hole covers. Some time
 * after the window's end and the last write to it nobody is waited for, and a copy covers as it does for reads: that is for the
 * windows in which a series begins or ends. Rows without a replica are ordinary writers' and never take
 * part, nor do exemplars, of which reads unite what all replicas have.
 */
export class Settling {
  readonly #place: SettlingPlace;
  readonly #space = new ColumnArena();
  #series: SeriesRef = -1;
  /** Of the series: windows of which a column is given up, ascending. */
  readonly #dropped = new Map<ColumnRef, number[]>();
  /** Rows left out so far. */
  rows = 0;

  constructor(place: SettlingPlace) {
    this.#place = place;
  }

  /** Whether something of the series is to be given up. */
  hasWork(series: SeriesRef): boolean {
    this.#look(series);
    return this.#dropped.size > 0;
  }

  /** What stays of a column's rows. Columns of one series are asked for one after the other. */
  keep(column: ColumnRef, data: ColumnData, space: ColumnSpace): ColumnData {
    this.#look(this.#place.catalogue.seriesOf(column));
    const dropped = this.#dropped.get(column);
    if (dropped === undefined) return data;
    const kept = withoutWindows(data, dropped, space);
    this.rows += data.count - kept.count;
    return kept;
  }

  #look(series: SeriesRef): void {
    if (series === this.#series) return;
    this.#series = series;
    this.#dropped.clear();
    this.#space.reset();
    const { catalogue } = this.#place;
    const byField = new Map<string, ColumnRef[]>();
    for (const column of catalogue.columnsOf(series)) {
      if (catalogue.replicaOf(column) === '' || catalogue.fieldOf(column) === EXEMPLAR_FIELD)
        continue;
      const key = `${catalogue.kindOf(column)} ${catalogue.fieldSymbolOf(column)}`;
      const columns = byField.get(key);
      if (columns === undefined) byField.set(key, [column]);
      else columns.push(column);
    }
    for (const columns of byField.values()) if (columns.length > 1) this.#lookAt(columns);
  }

  #lookAt(columns: readonly ColumnRef[]): void {
    const copies: Copy[] = [];
    for (const column of columns) {
      const data = this.#place.read(column, this.#space);
      if (data === null || data.count === 0) continue;
      copies.push({ column, replica: this.#place.catalogue.replicaOf(column), data });
    }
    if (copies.length < 2) return;
    copies.sort((a, b) => compareText(a.replica, b.replica));
    const passedMs = Math.min(...copies.map(({ data }) => data.timesMs[data.count - 1]!));
    const next = new Array<number>(copies.length).fill(0);
    for (;;) {
      let firstMs = Number.POSITIVE_INFINITY;
      for (const [i, { data }] of copies.entries()) {
        if (next[i]! < data.count) firstMs = Math.min(firstMs, data.timesMs[next[i]!]!);
      }
      if (firstMs === Number.POSITIVE_INFINITY) return;
      const window = windowOf(firstMs);
      const endMs = (window + 1) * WINDOW_MS;
      const inWindow: { readonly column: ColumnRef; count: number; timestampsMs: Float64Array }[] =
        [];
      for (const [i, { column, data }] of copies.entries()) {
        const from = next[i]!;
        const to = lowerBound(data, endMs, 0);
        next[i] = to;
        if (to > from) {
          const timestampsMs = data.timesMs.subarray(from, to);
          inWindow.push({ column, count: to - from, timestampsMs });
        }
      }
      if (inWindow.length < 2 || window * WINDOW_MS <= this.#place.behindMs) continue;
      const covering = this.#coveringCopy(window, inWindow, passedMs);
      if (covering < 0) continue;
      for (const { column } of inWindow.slice(covering + 1)) {
        const dropped = this.#dropped.get(column);
        if (dropped === undefined) this.#dropped.set(column, [window]);
        else dropped.push(window);
      }
    }
  }

  #coveringCopy(window: number, copies: readonly CopyTimes[], passedMs: number): number {
    const { clock, arrivals, afterMs, span } = this.#place;
    const startMs = Math.max(window * WINDOW_MS, span.startMs);
    const endMs = Math.min((window + 1) * WINDOW_MS, span.endMs);
    if (clock.now() - endMs >= afterMs && arrivals.isQuiet(window, afterMs))
      return coveringCopy(copies, null);
    return passedMs >= endMs ? coveringCopy(copies, { startMs, endMs }) : -1;
  }
}

/** The rows outside the windows, which ascend. */
function withoutWindows(
  data: ColumnData,
  windows: readonly number[],
  space: ColumnSpace,
): ColumnData {
  const kept: (readonly [from: number, to: number])[] = [];
  let from = 0;
  let count = 0;
  for (const window of windows) {
    const to = lowerBound(data, window * WINDOW_MS, 0);
    kept.push([from, to]);
    count += to - from;
    from = lowerBound(data, (window + 1) * WINDOW_MS, 0);
  }
  kept.push([from, data.count]);
  count += data.count - from;
  if (count === data.count) return data;
  const timesMs = space.floats(count);
  const nanos = data.nanos === null ? null : space.integers(count);
  const cells = space.floats(count);
  const words = wordsOf(cells);
  const source = wordsOf(data.cells);
  const texts: string[] = [];
  let at = 0;
  for (const [start, end] of kept) {
    timesMs.set(data.timesMs.subarray(start, end), at);
    if (nanos !== null && data.nanos !== null) nanos.set(data.nanos.subarray(start, end), at);
    if (data.texts === null) words.set(source.subarray(start * 2, end * 2), at * 2);
    else {
      for (let row = start; row < end; row++)
        cells[at + row - start] = texts.push(data.texts[data.cells[row]!]!) - 1;
    }
    at += end - start;
  }
  return {
    kind: data.kind,
    count,
    timesMs,
    nanos,
    cells,
    texts: data.texts === null ? null : texts,
  };
}
