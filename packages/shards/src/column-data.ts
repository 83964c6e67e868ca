import { wordsOf } from '@pollux/model';
import type { ColumnData, FieldKind, NanoRange } from '@pollux/storage';
import { type ColumnSpace, OWN_ARRAYS } from './column-space.ts';

/** Index of the first row at or after (ms, nanos), in [0, count]. */
export function lowerBound(data: ColumnData, ms: number, nanos: number): number {
  let low = 0;
  let high = data.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = data.timesMs[middle]!;
    const isBefore = at < ms || (at === ms && (data.nanos?.[middle] ?? 0) < nanos);
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows inside the range, as views of the same arrays. */
export function sliceRange(data: ColumnData, range: NanoRange): ColumnData {
  const from = lowerBound(data, range.minMs, range.minNanos);
  const to = lowerBound(data, range.maxMs, range.maxNanos + 1);
  if (from === 0 && to === data.count) return data;
  return {
    kind: data.kind,
    count: Math.max(0, to - from),
    timesMs: data.timesMs.subarray(from, to),
    nanos: data.nanos === null ? null : data.nanos.subarray(from, to),
    cells: data.cells.subarray(from, to),
    texts: data.texts,
  };
}

/** Without the rows inside the range. */
export function cutRange(
  data: ColumnData,
  range: NanoRange,
  space: ColumnSpace = OWN_ARRAYS,
): ColumnData {
  const from = lowerBound(data, range.minMs, range.minNanos);
  const to = lowerBound(data, range.maxMs, range.maxNanos + 1);
  if (from >= to) return data;
  const before = { ...data, count: from };
  const after: ColumnData = {
    kind: data.kind,
    count: data.count - to,
    timesMs: data.timesMs.subarray(to),
    nanos: data.nanos === null ? null : data.nanos.subarray(to),
    cells: data.cells.subarray(to),
    texts: data.texts,
  };
  return mergeColumns(data.kind, [before, after], space);
}

/**
 * One column of several, given oldest write first: sorted, and of equal times the value of the last part wins. Parts need
 * not be sorted in themselves; inside a part a later row wins. A part that stands alone may be returned as it is.
 */
export function mergeColumns(
  kind: FieldKind,
  parts: readonly ColumnData[],
  space: ColumnSpace = OWN_ARRAYS,
): ColumnData {
  const filled = parts.filter((part) => part.count > 0);
  const [first] = filled;
  if (filled.length === 1 && first !== undefined && isAscending(first)) return first;
  return inOrder(concatenate(kind, filled, space), space);
}

export function emptyColumn(kind: FieldKind): ColumnData {
  return concatenate(kind, [], OWN_ARRAYS);
}

function concatenate(
  kind: FieldKind,
  parts: readonly ColumnData[],
  space: ColumnSpace,
): ColumnData {
  let count = 0;
  let hasNanos = false;
  for (const part of parts) {
    count += part.count;
    hasNanos ||= part.nanos !== null;
  }
  const timesMs = space.floats(count);
  const nanos = hasNanos ? space.integers(count) : null;
  const cells = space.floats(count);
  const texts: string[] = [];
  let at = 0;
  for (const part of parts) {
    timesMs.set(part.timesMs.subarray(0, part.count), at);
    if (nanos !== null && part.nanos !== null) nanos.set(part.nanos.subarray(0, part.count), at);
    if (kind === 'string') {
      for (let i = 0; i < part.count; i++) cells[at + i] = part.cells[i]! + texts.length;
      for (const text of part.texts ?? []) texts.push(text);
    } else {
      cells.set(part.cells.subarray(0, part.count), at);
    }
    at += part.count;
  }
  return { kind, count, timesMs, nanos, cells, texts: kind === 'string' ? texts : null };
}

function isAscending(data: ColumnData): boolean {
  const { timesMs, nanos, count } = data;
  for (let i = 1; i < count; i++) {
    const step = timesMs[i]! - timesMs[i - 1]!;
    if (step > 0) continue;
    if (step < 0 || nanos === null || nanos[i]! <= nanos[i - 1]!) return false;
  }
  return true;
}

function inOrder(data: ColumnData, space: ColumnSpace): ColumnData {
  if (isAscending(data)) return data;
  const { timesMs, nanos, count } = data;
  const order = space.integers(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const rest = nanos ?? space.integers(count);
  // The index is the last key, so that of equal times the latest write stands last.
  order.sort((a, b) => timesMs[a]! - timesMs[b]! || rest[a]! - rest[b]! || a - b);
  const sortedMs = space.floats(count);
  const sortedNanos = nanos === null ? null : space.integers(count);
  const cells = space.floats(count);
  const source = wordsOf(data.cells);
  const target = wordsOf(cells);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const row = order[i]!;
    const next = i + 1 < count ? order[i + 1]! : -1;
    if (next >= 0 && timesMs[next] === timesMs[row] && rest[next] === rest[row]) continue;
    sortedMs[size] = timesMs[row]!;
    if (sortedNanos !== null) sortedNanos[size] = rest[row]!;
    target[size * 2] = source[row * 2]!;
    target[size * 2 + 1] = source[row * 2 + 1]!;
    size++;
  }
  return {
    kind: data.kind,
    count: size,
    timesMs: sortedMs,
    nanos: sortedNanos,
    cells,
    texts: data.texts,
  };
}
