/** What judges look for, in the order of the report. */
export const FINDING_KINDS = [
  'failed',
  'slow',
  'wrong',
  'gap',
  'unnamed-gap',
  'stale',
  'differs',
  'unstored',
  'lost',
  'late',
  'doubled',
  'untrue',
  'silenced-told',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** One thing that a user could have seen. */
export type Finding = {
  readonly kind: FindingKind;
  readonly atMs: number;
  /** The seconds of the run that are shown wrongly; of a graph with a gap, those of the gap. */
  readonly secondsMs: readonly number[];
  /** True for what the invariants of the pair leave open. */
  readonly isAllowed: boolean;
  readonly text: string;
};
