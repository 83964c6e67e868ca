import { join } from 'node:path';
import type { CoveragePort } from '@pollux/api';
import type { Clock, Env, Timer } from '@pollux/base';
import type { Labels } from '@pollux/model';
import {
  CoverageFile,
  CoverageLog,
  type CoverageRecorder,
  type CoverageReport,
  type CoverageSubject,
  encodeHeader,
  HEARTBEAT_INTERVAL_MS,
  type HealingPlan,
  type Interval,
  intersect,
  intervalSet,
  type LocalCoverage,
  mayMatchAny,
  readCoverageFile,
  summaryOf,
  toWire,
  UnavailableError,
  union,
} from '@pollux/storage';
import type { Log } from '@pollux/telemetry';

export type ServerCoverageOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly directory: string;
  readonly startedMs: number;
  /** Of all that is stored; infinite while nothing is. Retention by size moves it without regard to time. */
  readonly oldestSampleMs: () => number;
  /** Of down-sampled data, which may go further back; infinite while there are none. */
  readonly oldestBucketMs: () => number;
  /** Times in which samples that were stored have been lost to damage. */
  readonly lostTimes: () => readonly Interval[];
  /** 0 = for ever. */
  readonly retentionMs: () => number;
  /** End of the newest block, from which the retention time counts, whatever the clock says; −Infinity without one. */
  readonly newestBlockMs: () => number;
  readonly externalLabels?: () => Labels;
};

const REPORT_PATH = '/api/v1/pollux/coverage';
const ALL_TIME: Interval = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER };

/** The file is synced at every so many heartbeats: as often as the log. */
const SYNC_BEATS = 2;

/** Calls of scrape loops that are kept for the time when the past has been restored. */
const MAX_EARLY_CALLS = 100_000;

/**
 * What this server covers: memory, disk and heartbeat together. It claims nothing until the log has been replayed and
 * {@link restore} was called: starting counts as down.
 */
export class ServerCoverage implements CoveragePort {
  readonly log: CoverageLog;
  /** For scrape loops and rule groups, from the first moment on. */
  readonly recorder: CoverageRecorder;
  readonly #options: ServerCoverageOptions;
  #early: (() => void)[] | null = [];
  #file: CoverageFile | null = null;
  readonly #clock: Clock;
  readonly #retentionMs: () => number;
  readonly #oldestSampleMs: () => number;
  readonly #lostTimes: () => readonly Interval[];
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(options: ServerCoverageOptions) {
    const { env, startedMs } = options;
    this.#options = options;
    this.#clock = env.clock;
    this.#retentionMs = options.retentionMs;
    this.#oldestSampleMs = options.oldestSampleMs;
    this.#lostTimes = options.lostTimes;
    this.log = new CoverageLog(startedMs);
    this.recorder = {
      open: (subject, firstMs, intervalMs) =>
        this.#call(() => this.log.open(subject, firstMs, intervalMs)),
      record: (key, scheduledMs, state) =>
        this.#call(() => this.log.record(key, scheduledMs, state)),
      close: (key, atMs) => this.#call(() => this.log.close(key, atMs)),
    };
  }

  /** `newestSampleMs`, the newest sample that the last process has left in the log: what it claimed is cut to it. */
  restore(newestSampleMs: number): void {
    const { env, directory, log } = this.#options;
    const path = join(directory, 'coverage');
    this.log.restore(readCoverageFile(env.files, path, newestSampleMs));
    this.#file = new CoverageFile({ files: env.files, path, coverage: this.log, log });
    const early = this.#early ?? [];
    this.#early = null;
    for (const call of early) call();
  }

  /** A schedule that is left out here counts as missed. */
  #call(call: () => void): void {
    if (this.#early === null) call();
    else if (this.#early.length < MAX_EARLY_CALLS) this.#early.push(call);
  }

  start(): void {
    let beats = 0;
    const beat = (): void => {
      if (this.#isClosed) return;
      const nowMs = this.#clock.now();
      this.log.heartbeat(nowMs);
      this.#forgetLost();
      this.#file?.flush();
      if (++beats % SYNC_BEATS === 0) this.#file?.sync();
      this.#timer = this.#clock.after(HEARTBEAT_INTERVAL_MS, beat);
    };
    beat();
  }

  #forgetLost(): void {
    const heldSinceMs = this.#heldSinceMs();
    this.log.forget(heldSinceMs, Math.min(heldSinceMs, this.#options.oldestBucketMs()));
  }

  /** What is older may be gone, and is for remote storage or the other replica to answer. */
  #heldSinceMs(): number {
    const { newestBlockMs } = this.#options;
    const retentionMs = this.#retentionMs();
    const retainedMs = retentionMs > 0 ? newestBlockMs() - retentionMs : 0;
    const oldestMs = this.#oldestSampleMs();
    return Math.max(0, retainedMs, Number.isFinite(oldestMs) ? oldestMs : 0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#file?.close();
  }

  describe(
    selectors: Parameters<CoveragePort['describe']>[0],
    minMs: number,
    maxMs: number,
  ): string | null {
    if (this.#early !== null) return null;
    const window = { startMs: minMs, endMs: maxMs + 1 };
    const report = this.#report(window, (subject) => mayMatchAny(subject, selectors));
    return encodeHeader(summaryOf(report), () => `${REPORT_PATH}?start=${minMs}&end=${maxMs}`);
  }

  report(startMs: number | null, endMs: number | null): unknown {
    if (this.#early !== null) {
      throw new UnavailableError('the log is being replayed: nothing is covered yet');
    }
    const window = { startMs: startMs ?? ALL_TIME.startMs, endMs: endMs ?? ALL_TIME.endMs };
    const labels = this.#options.externalLabels?.();
    const report = this.#report(window);
    return toWire(labels === undefined ? report : { ...report, externalLabels: labels });
  }

  /** Once the samples of `plan` are visible. */
  heal(plan: HealingPlan): void {
    this.log.heal(plan);
    this.#forgetLost();
    this.#file?.flush();
  }

  /** What local storage has, for deciding what to ask remote storage for. */
  local(): LocalCoverage {
    const { sinceMs, bucketsSinceMs, serverGaps } = this.#report(ALL_TIME, () => false);
    return { sinceMs, bucketsSinceMs, gaps: serverGaps };
  }

  /** What took place and is still there: a damaged time counts as one in which the server was not. */
  #report(window: Interval, mayMatch?: (subject: CoverageSubject) => boolean): CoverageReport {
    const report = this.log.report(window, this.#clock.now(), mayMatch);
    const lost = intersect([window], intervalSet(this.#lostTimes()));
    return lost.length === 0 ? report : { ...report, serverGaps: union(report.serverGaps, lost) };
  }
}

/**
 * Rule groups are known by their file; replicas may keep it in different folders, and the key must be the same on both.
 */
export function withRelativeFiles(recorder: CoverageRecorder, folder: string): CoverageRecorder {
  const relative = (key: string): string => key.replace(`group/${folder}/`, 'group/');
  return {
    open: (subject, firstMs, intervalMs) =>
      recorder.open({ ...subject, key: relative(subject.key) }, firstMs, intervalMs),
    record: (key, scheduledMs, state) => recorder.record(relative(key), scheduledMs, state),
    close: (key, atMs) => recorder.close(relative(key), atMs),
  };
}
