import { sortInSteps } from '@pollux/base';
import type { SeriesTable } from './series-table.ts';

/** Fewer series are compared by their texts, and so are more, since a table of all their labels would be large. */
const FEW_SERIES = 64;
const MAX_TABLE_ITEMS = 2 ** 25;

/** Rows between two steps. */
const STEP_ROWS = 4_096;

/**
 * The order of series by their labels: the places in `refs`, references of live series, one after the other. Each text is
 * compared for its place among all of them once; then the series are sorted by the places of their labels, from the last
 * label to the first. Yields between steps; where series are removed meanwhile, the order is of no use.
 */
export function* labelOrder(table: SeriesTable, refs: Uint32Array): Generator<void, Uint32Array> {
  const { keys } = table;
  let width = 0;
  let order = new Uint32Array(refs.length);
  for (let row = 0; row < refs.length; row++) {
    if (row % STEP_ROWS === 0) yield;
    order[row] = row;
    const slot = table.slotOf(refs[row]!);
    if (slot >= 0) width = Math.max(width, keys.sizeOf(slot));
  }
  if (refs.length <= FEW_SERIES || refs.length * width > MAX_TABLE_ITEMS) {
    const slotOf = (row: number): number => Math.max(0, table.slotOf(refs[row]!));
    yield* sortInSteps(order, (a, b) => table.compare(slotOf(a), slotOf(b)));
    return order;
  }
  const { items, symbols } = yield* labelTable(table, refs, width);
  const places = yield* placesOf(table, symbols);
  let sorted = new Uint32Array(refs.length);
  const counts = new Uint32Array(symbols.length + 1);
  for (let column = width - 1; column >= 0; column--) {
    // Names mostly are the same in all series.
    if (isSame(items, column, width)) continue;
    counts.fill(0);
    for (let row = 0, i = column; i < items.length; row++, i += width) {
      const place = places[items[i]!]!;
      counts[place] = counts[place]! + 1;
      if (row % STEP_ROWS === 0) yield;
    }
    for (let place = 0, sum = 0; place < counts.length; place++) {
      const count = counts[place]!;
      counts[place] = sum;
      sum += count;
    }
    for (let at = 0; at < order.length; at++) {
      const row = order[at]!;
      const place = places[items[row * width + column]!]!;
      sorted[counts[place]!] = row;
      counts[place] = counts[place]! + 1;
      if (at % STEP_ROWS === 0) yield;
    }
    [order, sorted] = [sorted, order];
  }
  return order;
}

/**
 * The labels of each series, `width` items a row, as numbers of their texts; 0 behind the last, which sorts before any. Texts
 * are numbered from 1 on in the order in which they come; `symbols[n]` is number n's.
 */
function* labelTable(
  table: SeriesTable,
  refs: Uint32Array,
  width: number,
): Generator<void, { readonly items: Uint32Array; readonly symbols: readonly number[] }> {
  const { keys } = table;
  const items = new Uint32Array(refs.length * width);
  const symbols = [0];
  const numbers = new Map<number, number>();
  const last = new Uint32Array(width);
  for (let row = 0; row < refs.length; row++) {
    if (row % STEP_ROWS === 0) yield;
    const slot = table.slotOf(refs[row]!);
    if (slot < 0) {
      last.fill(0);
      continue;
    }
    const labels = keys.itemsOf(slot);
    const start = keys.startOf(slot);
    const size = keys.sizeOf(slot);
    for (let i = 0; i < size; i++) {
      const symbol = labels[start + i]!;
      // Neighbours share most labels.
      if (last[i] === symbol) {
        items[row * width + i] = items[(row - 1) * width + i]!;
        continue;
      }
      let number = numbers.get(symbol);
      if (number === undefined) {
        number = symbols.length;
        symbols.push(symbol);
        numbers.set(symbol, number);
      }
      last[i] = symbol;
      items[row * width + i] = number;
    }
    last.fill(0, size);
  }
  return { items, symbols };
}

/** The place of each text among all, by its number: 1 for the first, 0 for number 0. */
function* placesOf(
  { symbols: texts }: SeriesTable,
  symbols: readonly number[],
): Generator<void, Uint32Array> {
  const numbers = new Uint32Array(symbols.length - 1);
  for (let i = 0; i < numbers.length; i++) numbers[i] = i + 1;
  yield* sortInSteps(numbers, (a, b) => texts.compare(symbols[a]!, symbols[b]!));
  const places = new Uint32Array(symbols.length);
  for (let i = 0; i < numbers.length; i++) places[numbers[i]!] = i + 1;
  return places;
}

function isSame(items: Uint32Array, column: number, width: number): boolean {
  const first = items[column];
  for (let i = column; i < items.length; i += width) if (items[i] !== first) return false;
  return true;
}
