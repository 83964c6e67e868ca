import type { Book } from './ledger-book.ts';
import { apiData } from './witnesses.ts';

const WINDOW_SECONDS = 300;
const STEP_SECONDS = 7;

/** Expressions whose meaning did not change between the releases and whose result does not depend on an order. */
export const SAME_QUERIES = [
  'soak_counter_total{job="scheduled"}',
  'soak_vanishing',
  'soak_odd{job="timed"}',
  'soak_timed',
  'count by (job, __name__) ({__name__=~".+"})',
  'max by (job) (soak_gauge)',
  'max_over_time(soak_decimal[37s])',
  'count_over_time(soak_vanishing[61s])',
  'resets(soak_counter_total[2m])',
  'changes(soak_odd[45s])',
  'soak_seconds_bucket offset 1m',
];

/** Whether both servers give the same numbers, text for text, for a range query that ends at `endMs`. */
export async function isAnsweredAlike(
  query: string,
  bases: readonly [string, string],
  endMs: number,
): Promise<boolean> {
  const end = endMs / 1_000;
  const range = {
    start: String(end - WINDOW_SECONDS),
    end: String(end),
    step: String(STEP_SECONDS),
  };
  const [ours, theirs] = await Promise.all(
    bases.map((base) => apiData(base, 'query_range', { query, ...range })),
  );
  const text = canonical(ours);
  // An empty answer would be equal for the wrong reason.
  return text !== '' && text === canonical(theirs);
}

/**
 * An instant in the second before `beforeMs` in whose millisecond of the second nothing was ever sampled: releases differ on
 * whether the left end of a range belongs to it, and so no range of whole seconds ends on a sample.
 */
export function quietInstant(book: Book, beforeMs: number): number {
  const isTaken = new Uint8Array(2_000);
  for (const { timesMs } of book.values()) {
    for (const timeMs of timesMs) {
      isTaken[timeMs % 1_000] = 1;
      isTaken[(timeMs % 1_000) + 1_000] = 1;
    }
  }
  let best = 0;
  let bestRun = 0;
  for (let at = 0, run = 0; at < isTaken.length; at++) {
    run = isTaken[at] === 1 ? 0 : run + 1;
    if (run > bestRun) {
      bestRun = run;
      best = at - (run >> 1);
    }
  }
  if (bestRun === 0) throw new Error('every millisecond of the second is taken by some sample');
  return (Math.floor(beforeMs / 1_000) - 1) * 1_000 + (best % 1_000);
}

/** The answer with its series in one order and labels sorted. */
function canonical(data: unknown): string {
  const { result } = data as {
    readonly result: readonly {
      readonly metric: Record<string, string>;
      readonly values: unknown;
    }[];
  };
  return result
    .map(({ metric, values: points }) => JSON.stringify([Object.entries(metric).sort(), points]))
    .sort()
    .join('\n');
}
