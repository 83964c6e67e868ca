import { STALE_NAN_HIGH, STALE_NAN_LOW } from '@pollux/model';
import type { Book, SeriesEntry } from './ledger-book.ts';

/** How exactly a witness shows values. */
export type Exactness =
  /** Every bit, the payload of a NaN too. */
  | 'bits'
  /** Shortest decimals: every number exactly, but all NaNs alike. */
  | 'decimals';

const MAX_DIFFERENCES = 20;

/** Sentences, the first few, on where `found` does not hold what `expected` says: every sample, no more, no less. */
export function differences(expected: Book, found: Book, exactness: Exactness): string[] {
  const list: string[] = [];
  for (const [key, entry] of expected) {
    const other = found.get(key);
    if (other === undefined) list.push(`missing series ${entry.labels}`);
    else compareSeries(list, entry, other, exactness);
  }
  for (const [key, { labels }] of found) {
    if (!expected.has(key)) list.push(`series that nobody exposed: ${labels}`);
  }
  return list.length <= MAX_DIFFERENCES
    ? list
    : [...list.slice(0, MAX_DIFFERENCES), `and ${list.length - MAX_DIFFERENCES} more`];
}

export function sampleCount(book: Book): number {
  let count = 0;
  for (const { timesMs } of book.values()) count += timesMs.length;
  return count;
}

export function staleCount(book: Book): number {
  let count = 0;
  for (const entry of book.values())
    for (let i = 0; i < entry.timesMs.length; i++) if (isStale(entry, i)) count++;
  return count;
}

/** The book as a query shows it: stale markers only end a series. */
export function withoutStale(book: Book): Book {
  const kept = new Map<string, SeriesEntry>();
  for (const [key, entry] of book) {
    const indices = [...entry.timesMs.keys()].filter((i) => !isStale(entry, i));
    if (indices.length === 0) continue;
    kept.set(key, {
      labels: entry.labels,
      timesMs: indices.map((i) => entry.timesMs[i]!),
      highs: indices.map((i) => entry.highs[i]!),
      lows: indices.map((i) => entry.lows[i]!),
      areValuesKnown: entry.areValuesKnown,
    });
  }
  return kept;
}

function compareSeries(
  list: string[],
  expected: SeriesEntry,
  found: SeriesEntry,
  exactness: Exactness,
): void {
  const { labels, timesMs } = expected;
  if (timesMs.length !== found.timesMs.length)
    list.push(`${labels}: ${found.timesMs.length} samples, ${timesMs.length} expected`);
  for (let i = 0; i < timesMs.length && i < found.timesMs.length; i++) {
    if (timesMs[i] !== found.timesMs[i]) {
      list.push(`${labels}: sample ${i} at ${found.timesMs[i]}, expected at ${timesMs[i]}`);
      return;
    }
    if (!expected.areValuesKnown) continue;
    const isEqual =
      (expected.highs[i] === found.highs[i] && expected.lows[i] === found.lows[i]) ||
      (exactness === 'decimals' && isNan(expected, i) && isNan(found, i));
    if (!isEqual) {
      list.push(`${labels} at ${timesMs[i]}: ${hex(found, i)}, expected ${hex(expected, i)}`);
      return;
    }
  }
}

function isStale(entry: SeriesEntry, index: number): boolean {
  return entry.highs[index] === STALE_NAN_HIGH && entry.lows[index] === STALE_NAN_LOW;
}

function isNan({ highs, lows }: SeriesEntry, index: number): boolean {
  const high = highs[index]! & 0x7fffffff;
  return high > 0x7ff00000 || (high === 0x7ff00000 && lows[index] !== 0);
}

function hex({ highs, lows }: SeriesEntry, index: number): string {
  const half = (word: number | undefined): string => (word ?? 0).toString(16).padStart(8, '0');
  return `0x${half(highs[index])}${half(lows[index])}`;
}
