import type { Matcher } from '@pollux/model';

/** Series that a rule names, and how long they are kept. */
export type RetentionRule = {
  /** All must match. */
  readonly matchers: readonly Matcher[];
  readonly keepMs: number;
};

/** What is deleted by itself. May change while the database runs. */
export type RetentionSettings = {
  /** Samples so much older than the newest block's end are deleted; 0 = never. */
  readonly timeMs: number;
  /** Head and blocks together take at most this; 0 = no limit. */
  readonly bytes: number;
  /** As `bytes`, in percent of the volume; goes before it; 0 = no limit. */
  readonly percentage: number;
  /** Instead of `timeMs`, for the series that they name; the first that matches decides. */
  readonly rules: readonly RetentionRule[];
};
