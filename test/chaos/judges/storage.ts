import type { Finding } from '../finding.ts';
import { SCRAPE_MS } from '../times.ts';
import type { Truth } from '../truth.ts';

/** A second counts as held when a sample is at most so old. */
const HELD_MS = 2.5 * SCRAPE_MS;

/** Each long-term store holds, in the end, every second that any server scraped. */
export function judgeStorage(truth: Truth): Finding[] {
  const { stored, toMs, fromMs } = truth.record;
  return Object.entries(stored).flatMap(([store, times]): Finding[] => {
    const held = [...(times ?? [])].sort((a, b) => a - b);
    const lost: number[] = [];
    let index = 0;
    for (let secondMs = fromMs; secondMs <= toMs; secondMs += 1_000) {
      while (index < held.length && (held[index] ?? 0) <= secondMs) index++;
      const newestMs = held[index - 1] ?? Number.NEGATIVE_INFINITY;
      const isScraped = truth.wasScraped(
        { kind: 'time', value: 0, offsetMs: 0, windowMs: 0 },
        secondMs,
      );
      if (isScraped && newestMs <= secondMs - HELD_MS - SCRAPE_MS) lost.push(secondMs);
    }
    const [first] = lost;
    if (first === undefined) return [];
    const text =
      times === null
        ? `${store} does not answer in the end`
        : `${store}: ${lost.length} seconds without a sample, from ${new Date(first).toISOString()}`;
    // One a second, so that each is told under the fault that it belongs to.
    return lost.map((secondMs) => ({
      kind: 'unstored',
      atMs: secondMs,
      secondsMs: [secondMs],
      isAllowed: false,
      text,
    }));
  });
}
