import type { IndexScan } from '../format/index-scan.ts';
import type { SymbolSource } from '../format/index-write.ts';
import type { Slices } from '../slices.ts';

/** The symbols of a merged index, and for each parent's symbol its number there. */
export type MergedSymbols = {
  readonly source: SymbolSource;
  readonly numbers: readonly Uint32Array[];
};

/**
 * Merges the sorted symbols of several indices. They are streamed twice, once to number and once to write them: only four
 * bytes a symbol of each parent stay in memory. `used` leaves out the others; null keeps all.
 */
export async function mergeSymbols(
  parents: readonly IndexScan[],
  used: readonly Uint8Array[] | null,
  slices: Slices,
): Promise<MergedSymbols> {
  const numbers = parents.map(({ symbolCount }) => new Uint32Array(symbolCount));
  let count = 0;
  for (const _ of merged(parents, used, (parent, symbol) => {
    numbers[parent]![symbol] = count;
  })) {
    count++;
    if (slices.isOver) await slices.pause();
  }
  return { source: { count, symbols: merged(parents, used, () => {}) }, numbers };
}

/** One parent's next symbol. */
type Front = {
  readonly parent: number;
  readonly rest: Iterator<Uint8Array>;
  symbol: number;
  text: Uint8Array;
};

const EMPTY = new Uint8Array(0);

/** Ascending, each text once, the empty one first; `note` is told of every parent's symbol before its text is given. */
function* merged(
  parents: readonly IndexScan[],
  used: readonly Uint8Array[] | null,
  note: (parent: number, symbol: number) => void,
): IterableIterator<Uint8Array> {
  const fronts: Front[] = [];
  const advance = (front: Front): boolean => {
    for (;;) {
      const { done, value } = front.rest.next();
      if (done === true) return false;
      front.symbol++;
      front.text = value;
      if (used === null || used[front.parent]![front.symbol] === 1) return true;
    }
  };
  for (const [parent, scan] of parents.entries()) {
    const front = { parent, rest: scan.symbols(), symbol: -1, text: EMPTY };
    if (advance(front)) fronts.push(front);
  }
  let isFirst = true;
  while (fronts.length > 0 || isFirst) {
    // The empty symbol belongs to every index.
    let least = isFirst ? EMPTY : fronts[0]!.text;
    for (const { text } of fronts) if (Buffer.compare(text, least) < 0) least = text;
    const same = fronts.filter(({ text }) => Buffer.compare(text, least) === 0);
    for (const { parent, symbol } of same) note(parent, symbol);
    yield least;
    isFirst = false;
    for (const front of same) if (!advance(front)) fronts.splice(fronts.indexOf(front), 1);
  }
}
