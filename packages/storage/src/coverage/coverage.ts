import type { Labels } from '@pollux/model';

/** [startMs, endMs): the end is not included. */
export type Interval = { readonly startMs: number; readonly endMs: number };

/**
 * What became of one scheduled scrape or evaluation. `done`: it took place and its samples are visible. `failed`: it took
 * place and failed (`up` 0, rule error); covered, but another replica's success goes before it. `missed`: it did not take
 * place.
 */
export type CoverageState = 'done' | 'failed' | 'missed';

export type CoverageSubject = {
  /** Stable over restarts and equal on replicas of one configuration: `target/<job>/<url>#<labels hash>` or
   * `group/<file>;<name>`. */
  readonly key: string;
  readonly kind: 'target' | 'group';
  /**
   * What all its series carry: a target's labels without replica labels, none when scraping may change them; for a group, empty (its series are known by the
   * metric names below).
   */
  readonly labels: Labels;
  /** Metric names that a rule group writes (record names; ALERTS, ALERTS_FOR_STATE). Empty for a target. */
  readonly metricNames: readonly string[];
};

/**
 * Told by scrape loops and rule groups, after the samples of that schedule are logged and visible, so that coverage never
 * claims more than is stored. Calls are cheap (no disk in the caller's way).
 */
export interface CoverageRecorder {
  /** The subject is scheduled from `firstMs` on, every `intervalMs`. Calling again changes the interval. */
  open(subject: CoverageSubject, firstMs: number, intervalMs: number): void;
  /** The scrape or evaluation scheduled for `scheduledMs` ended so. A schedule never recorded counts as missed. */
  record(key: string, scheduledMs: number, state: CoverageState): void;
  /** Nothing is scheduled any more from `atMs` on (target or group removed). */
  close(key: string, atMs: number): void;
}

/** For tests and roles that keep no coverage. */
export const NO_COVERAGE: CoverageRecorder = {
  open: () => {},
  record: () => {},
  close: () => {},
};
