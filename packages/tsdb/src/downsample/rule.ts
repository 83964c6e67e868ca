/** One resolution in which samples are kept beside themselves; times in ms. */
export type DownsamplingRule = {
  readonly resolutionMs: number;
  /** Samples are gathered when they are so old, measured from the newest block's end, and at the latest before they are dropped. */
  readonly afterMs: number;
  /** Buckets so much older than the newest block's end are deleted; 0 = never. */
  readonly retentionMs: number;
};

const DAY_MS = 24 * 60 * 60_000;
const MIN_RESOLUTION_MS = 60_000;
const MAX_RULES = 5;

/**
 * What is wrong with the rules, in order, or null: at most five, whole minutes, a day divisible by each or each a number
 * of days, ascending, each a multiple of the one before.
 */
export function wrongRule(
  rules: readonly DownsamplingRule[],
): { readonly index: number; readonly what: string } | null {
  if (rules.length > MAX_RULES)
    return { index: MAX_RULES, what: `is one too many; at most ${MAX_RULES}` };
  for (const [index, { resolutionMs, afterMs, retentionMs }] of rules.entries()) {
    const before = rules[index - 1];
    let what = '';
    if (resolutionMs < MIN_RESOLUTION_MS) what = 'resolution must be at least 1m';
    else if (DAY_MS % resolutionMs !== 0 && resolutionMs % DAY_MS !== 0) {
      what = 'resolution must divide a day or be a number of days';
    } else if (before !== undefined && resolutionMs <= before.resolutionMs) {
      what = 'resolution must be longer than the one before';
    } else if (before !== undefined && resolutionMs % before.resolutionMs !== 0) {
      what = 'resolution must be a multiple of the one before';
    } else if (resolutionMs > 7 * DAY_MS) what = 'resolution must be at most 7d';
    else if (retentionMs > 0 && retentionMs <= afterMs)
      what = 'retention must be longer than after';
    if (what !== '') return { index, what };
  }
  return null;
}
