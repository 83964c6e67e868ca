import type { CoverageSubject, Interval } from './coverage.ts';
import type { IntervalSet } from './interval-set.ts';

/** Time of which a server has what the twin had. */
export type HealedRun = Interval & {
  /** Name of the server whose samples they are. */
  readonly twin: string;
};

/** Which samples of a twin fill a gap. */
export type HealingPlan = {
  readonly twin: string;
  /** Of series that belong to no known target or rule group. */
  readonly common: IntervalSet;
  readonly subjects: readonly SubjectHealing[];
  /** Around all seams of the subjects. */
  readonly seams: IntervalSet;
};

export type SubjectHealing = {
  readonly subject: CoverageSubject;
  /** Empty for one that has missed nothing. */
  readonly healed: IntervalSet;
  /** What of it the twin failed to scrape, and this server had not yet. */
  readonly failures: IntervalSet;
  readonly seams: IntervalSet;
};
