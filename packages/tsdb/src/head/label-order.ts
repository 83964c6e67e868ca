import type { SeriesTable } from './series-table.ts';

/** Fewer series are compared by their texts, and so are more, since a table of all their labels would be large. */
const FEW_SERIES = 64;
const MAX_TABLE_ITEMS = 2 ** 25;

/**
 * Sorts references of live series by their labels, in place, and returns them. Each text is compared for its place among all
 * of them once; then the series are sorted by the places of their labels, from the last label to the first.
 */
export function sortByLabels(table: SeriesTable, refs: Uint32Array): Uint32Array {
  const { keys } = table;
  let width = 0;
  for (const ref of refs) width = Math.max(width, keys.sizeOf(table.slotOf(ref)));
  if (refs.length <= FEW_SERIES || refs.length * width > MAX_TABLE_ITEMS) {
    return refs.sort((a, b) => table.compare(table.slotOf(a), table.slotOf(b)));
  }
  const { items, symbols } = labelTable(table, refs, width);
  const places = placesOf(table, symbols);
  let order = new Uint32Array(refs.length);
  for (let row = 0; row < order.length; row++) order[row] = row;
  let sorted = new Uint32Array(refs.length);
  const counts = new Uint32Array(symbols.length + 1);
  for (let column = width - 1; column >= 0; column--) {
    // Names mostly are the same in all series.
    if (isSame(items, column, width)) continue;
    counts.fill(0);
    for (let i = column; i < items.length; i += width) {
      const place = places[items[i]!]!;
      counts[place] = counts[place]! + 1;
    }
    for (let place = 0, sum = 0; place < counts.length; place++) {
      const count = counts[place]!;
      counts[place] = sum;
      sum += count;
    }
    for (let i = 0; i < order.length; i++) {
      const row = order[i]!;
      const place = places[items[row * width + column]!]!;
      sorted[counts[place]!] = row;
      counts[place] = counts[place]! + 1;
    }
    [order, sorted] = [sorted, order];
  }
  const unsorted = refs.slice();
  for (let i = 0; i < order.length; i++) refs[i] = unsorted[order[i]!]!;
  return refs;
}

/**
 * The labels of each series, `width` items a row, as numbers of their texts; 0 behind the last, which sorts before any. Texts
 * are numbered from 1 on in the order in which they come; `symbols[n]` is number n's.
 */
function labelTable(
  table: SeriesTable,
  refs: Uint32Array,
  width: number,
): { readonly items: Uint32Array; readonly symbols: readonly number[] } {
  const { keys } = table;
  const items = new Uint32Array(refs.length * width);
  const symbols = [0];
  const numbers = new Map<number, number>();
  const last = new Uint32Array(width);
  for (let row = 0; row < refs.length; row++) {
    const slot = table.slotOf(refs[row]!);
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
function placesOf({ symbols: texts }: SeriesTable, symbols: readonly number[]): Uint32Array {
  const numbers = Uint32Array.from({ length: symbols.length - 1 }, (_, i) => i + 1);
  numbers.sort((a, b) => texts.compare(symbols[a]!, symbols[b]!));
  const places = new Uint32Array(symbols.length);
  for (const [i, number] of numbers.entries()) places[number] = i + 1;
  return places;
}

function isSame(items: Uint32Array, column: number, width: number): boolean {
  const first = items[column];
  for (let i = column; i < items.length; i += width) if (items[i] !== first) return false;
  return true;
}
