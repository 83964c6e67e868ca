import type { HealingStatus } from '@pollux/api-types/pair';
import { type Env, errorText, OperatingError, sleep } from '@pollux/base';
import { Labels } from '@pollux/model';
import {
  type CoverageReport,
  type HealingPlan,
  type Interval,
  type IntervalSet,
  intersect,
  intervalSet,
  pieceOf,
  planHealing,
  spanOf,
  subtract,
  totalMs,
  union,
} from '@pollux/storage';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import type { Tsdb } from '@pollux/tsdb';
import type { ServerCoverage } from '../coverage.ts';
import { type CopyOptions, PieceCopy } from './copy-piece.ts';
import { FailedScrapes } from './failed-scrapes.ts';
import type { Twin } from './twin.ts';

/** Between two looks for new gaps. */
const IDLE_MS = 5_000;
/** Until it is known where a gap ends for all targets. */
const STARTING_MS = 1_000;
/** Between two questions whether a twin has what it did not have before. */
const UNFILLED_MS = 60_000;
const RETRY_MIN_MS = 5_000;
const RETRY_MAX_MS = 60_000;
/** Left for the log and for compaction. */
const MIN_FREE_BYTES = 1024 * 1024 * 1024;
/** A pair does not start in one moment. */
const MIN_PAST_MS = 60_000;
const ALL_TIME: Interval = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER };

export type HealerOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly twins: readonly Twin[];
  readonly tsdb: Tsdb;
  readonly coverage: ServerCoverage;
  readonly directory: string;
  readonly blockRangeMs: number;
  /** At least the difference of the servers' clocks. */
  readonly guardMs: number;
  readonly samplesPerSecond: number;
};

type Task = { readonly twin: Twin; readonly report: CoverageReport; readonly plan: HealingPlan };

/**
 * Fills the times in which this server was not there, and those in which it failed to scrape a target that a twin has scraped, with
 * its twins' samples, the newest block's time first. What was copied is no
 * news for anybody else: it goes to blocks, past the log, so nothing is written to remote storage again, and rules are not
 * evaluated for it. Each piece is claimed when it is visible; one that was broken off is copied anew, without the samples
 * that are there already.
 */
export class Healer {
  readonly #options: HealerOptions;
  readonly #stop = new AbortController();
  readonly #metrics: {
    readonly samples: Counter;
    readonly seconds: Counter;
    readonly failures: Counter;
    readonly scrapeSeconds: Counter;
  };
  readonly #failedScrapes: FailedScrapes;
  /** Gaps are not looked at before; whoever can fill them now is asked again then. */
  #gapsAgainMs = Number.NEGATIVE_INFINITY;
  /** Nobody has anything from before this server's own past. */
  #isPastKnown = false;
  #state: HealingStatus['state'] = 'idle';
  #lastError = '';
  #working: Promise<void> | null = null;

  constructor(options: HealerOptions) {
    this.#options = options;
    const { registry } = options;
    this.#metrics = {
      samples: registry.counter(
        'pollux_healing_samples_total',
        'Samples read from twins to fill times in which this server was down.',
      ),
      seconds: registry.counter(
        'pollux_healing_healed_seconds_total',
        'Time in which this server was down and that was filled from a twin.',
      ),
      failures: registry.counter(
        'pollux_healing_failures_total',
        'Attempts to fill a time that failed; they are repeated.',
      ),
      scrapeSeconds: registry.counter(
        'pollux_healing_scrapes_healed_seconds_total',
        "Time, of all targets together, in which scrapes failed and that was filled with a twin's.",
      ),
    };
    this.#failedScrapes = new FailedScrapes({
      ...options,
      floorMs: () => Math.max(this.#sinceMs(), this.#pastFloorMs()),
      reportOf: (twin) => this.#reportOf(twin),
      copy: (from, plan, failed, claim) => this.#copyScrapes({ ...from, plan }, failed, claim),
      deleteMarker: ({ timeMs }, matchers) =>
        options.tsdb.deleteSamples({ minMs: timeMs, maxMs: timeMs }, matchers),
      signal: this.#stop.signal,
    });
    registry.gaugeFrom(
      'pollux_healing_missing_seconds',
      'Time in which this server was down and that was not filled, yet or at all.',
      () => totalMs(this.#gaps()) / 1_000,
    );
    registry.gaugeFrom(
      'pollux_healing_scrapes_lacking_seconds',
      'Time, of all targets together, in which scrapes failed, a twin had the samples, and they are not here.',
      () => this.#failedScrapes.lackingMs() / 1_000,
    );
    registry.gaugeFrom('pollux_healing_active', '1 while a time is filled.', () =>
      this.#state === 'healing' ? 1 : 0,
    );
  }

  start(): void {
    this.#working ??= this.#work();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  status(): HealingStatus {
    return {
      state: this.#state,
      missingSeconds: totalMs(this.#gaps()) / 1_000,
      healedSeconds: totalMs(intervalSet(this.#options.coverage.log.healedRuns)) / 1_000,
      lastError: this.#lastError,
    };
  }

  async #work(): Promise<void> {
    const { env, log } = this.#options;
    const { signal } = this.#stop;
    let delayMs = 0;
    while (!signal.aborted) {
      try {
        delayMs = await this.#round();
        this.#lastError = '';
      } catch (error) {
        if (signal.aborted) return;
        if (!OperatingError.is(error) && !(error instanceof Error)) throw error;
        this.#metrics.failures.inc();
        if (this.#lastError !== errorText(error))
          log.warn('samples that are missing here cannot be had from a twin now', {
            err: errorText(error),
          });
        this.#lastError = errorText(error);
        delayMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, delayMs * 2));
      }
      this.#state = this.#gaps().length === 0 ? 'idle' : 'waiting';
      await sleep(env.clock, delayMs, signal).catch(() => {});
    }
  }

  /** Gives for how long to wait. Scrapes that failed have their turn also when a gap cannot be filled. */
  async #round(): Promise<number> {
    const { twins, env } = this.#options;
    const failures: unknown[] = [];
    if (env.clock.now() >= this.#gapsAgainMs) {
      const delayMs = await this.#fillGap().catch((error: unknown) => {
        failures.push(error);
        return IDLE_MS;
      });
      if (delayMs === 0) return 0;
      this.#gapsAgainMs = env.clock.now() + delayMs;
    }
    await this.#failedScrapes.round(twins);
    if (failures.length > 0) throw failures[0];
    return Math.min(IDLE_MS, Math.max(0, this.#gapsAgainMs - env.clock.now()));
  }

  /** Fills one piece if there is one that can be filled; gives for how long to wait then. */
  async #fillGap(): Promise<number> {
    const { log, coverage, env } = this.#options;
    const gaps = this.#gaps();
    const nowMs = env.clock.now();
    if (gaps.some((gap) => coverage.log.isOpenEnded(gap, nowMs))) return STARTING_MS;
    if (gaps.length === 0 && !this.#mayLackPast()) return IDLE_MS;
    const task = await this.#choose(gaps);
    if (task === null) {
      this.#isPastKnown = true;
      return gaps.length === 0 ? IDLE_MS : UNFILLED_MS;
    }
    const span = spanOf(task.plan);
    if (span === null) {
      this.#options.coverage.heal(task.plan);
      return 0;
    }
    this.#state = 'healing';
    const fields = {
      twin: task.twin.name,
      from: new Date(span.startMs).toISOString(),
      to: new Date(span.endMs).toISOString(),
    };
    log.info('filling a time in which this server was down', fields);
    const startedMs = env.clock.monotonic();
    const samples = await this.#heal(task);
    log.info('filled a time in which this server was down', {
      ...fields,
      samples,
      duration_ms: Math.round(env.clock.monotonic() - startedMs),
    });
    return 0;
  }

  /** Times without this server, the newest last. */
  #gaps(): readonly Interval[] {
    const { coverage, env } = this.#options;
    const nowMs = env.clock.now();
    return coverage.log.serverGaps(ALL_TIME, nowMs).filter(({ endMs }) => endMs <= nowMs);
  }

  /** A disk that was empty lacks what twins have from before; not so one that deletes by size. */
  #mayLackPast(): boolean {
    if (this.#isPastKnown) return false;
    const { timeMs, bytes, percentage } = this.#options.tsdb.retention;
    return timeMs > 0 && bytes === 0 && percentage === 0 && this.#pastFloorMs() < this.#sinceMs();
  }

  #sinceMs(): number {
    const { coverage, env } = this.#options;
    return coverage.log.report(ALL_TIME, env.clock.now(), () => false).sinceMs;
  }

  /** Older blocks are soon deleted. */
  #pastFloorMs(): number {
    const { tsdb, env, blockRangeMs } = this.#options;
    const { timeMs } = tsdb.retention;
    return timeMs > 0 ? env.clock.now() - timeMs + blockRangeMs : Number.MIN_SAFE_INTEGER;
  }

  /** The newest piece that a twin can fill. */
  async #choose(gaps: readonly Interval[]): Promise<Task | null> {
    const { twins, coverage, guardMs, blockRangeMs } = this.#options;
    const failures: unknown[] = [];
    let best: (Task & { readonly endMs: number; readonly ms: number }) | null = null;
    for (const twin of twins) {
      let report: CoverageReport;
      try {
        report = await this.#reportOf(twin);
      } catch (error) {
        failures.push(error);
        continue;
      }
      const all = [...this.#pastOf(report), ...gaps];
      for (const [i, gap] of all.entries()) {
        const fence = {
          startMs: all[i - 1]?.endMs ?? Number.MIN_SAFE_INTEGER,
          endMs: all[i + 1]?.startMs ?? Number.MAX_SAFE_INTEGER,
        };
        const whole = planHealing({
          gap,
          fence,
          guardMs,
          twin: { name: twin.name, report },
          histories: coverage.log.histories(),
          healedRuns: coverage.log.healedRuns,
        });
        const span = spanOf(whole);
        if (span === null && whole.seams.length === 0) continue;
        const { endMs } = span ?? gap;
        const startMs = Math.floor((endMs - 1) / blockRangeMs) * blockRangeMs;
        const isAll = startMs <= (span ?? gap).startMs;
        const fromMs = isAll ? Number.MIN_SAFE_INTEGER : startMs;
        const plan = pieceOf(whole, { startMs: fromMs, endMs: ALL_TIME.endMs });
        const ms = totalMs(plan.common);
        const isBetter =
          best === null || endMs > best.endMs || (endMs === best.endMs && ms > best.ms);
        if (isBetter) best = { twin, report, plan, endMs, ms };
      }
    }
    if (best === null && failures.length > 0) throw failures[0];
    return best;
  }

  /** What the twin has from before this server's past. */
  #pastOf({ sinceMs }: CoverageReport): readonly Interval[] {
    if (!this.#mayLackPast()) return [];
    const past = { startMs: Math.max(sinceMs, this.#pastFloorMs()), endMs: this.#sinceMs() };
    return past.endMs - past.startMs > MIN_PAST_MS ? [past] : [];
  }

  async #reportOf(twin: Twin): Promise<CoverageReport> {
    const report = await twin.report(this.#stop.signal);
    if (report.configIdentity === this.#options.coverage.log.configIdentity) return report;
    throw new OperatingError(
      'ROLES.TWIN',
      `twin ${twin.name} runs another configuration; what it has is not what this server would have`,
    );
  }

  async #copyScrapes(
    task: Task,
    failed: NonNullable<CopyOptions['failed']>,
    claim: () => void,
  ): Promise<void> {
    const { log } = this.#options;
    const { twin, plan } = task;
    const span = spanOf(plan);
    if (span === null) return;
    this.#state = 'healing';
    const { samples } = await this.#copy(task, failed);
    claim();
    const healed = plan.subjects.filter((one) => one.healed.length > 0);
    const ms = healed.reduce((sum, one) => sum + totalMs(one.healed), 0);
    this.#metrics.scrapeSeconds.inc(ms / 1_000);
    log.info('filled times in which scrapes of targets failed here, and not at a twin', {
      twin: twin.name,
      from: new Date(span.startMs).toISOString(),
      to: new Date(span.endMs).toISOString(),
      targets: healed.length,
      target: healed[0]?.subject.key ?? '',
      samples,
    });
  }

  /** Gives the number of samples read. */
  async #heal(task: Task): Promise<number> {
    const { plan } = task;
    const { samples, seams } = await this.#copy(task);
    this.#options.coverage.heal({ ...plan, seams: union(plan.seams, seams) });
    this.#metrics.seconds.inc(totalMs(plan.common) / 1_000);
    return samples;
  }

  /** Gives the number of samples read, and the seams around samples of one's own. */
  async #copy(
    { twin, report, plan }: Task,
    failed?: CopyOptions['failed'],
  ): Promise<{ readonly samples: number; readonly seams: IntervalSet }> {
    const { env, tsdb, directory, blockRangeMs, guardMs } = this.#options;
    const { signal } = this.#stop;
    const { freeBytes } = env.files.space(directory);
    if (freeBytes < MIN_FREE_BYTES) {
      const what = `${freeBytes} bytes are free in ${directory}, fewer than ${MIN_FREE_BYTES}`;
      throw new OperatingError('ROLES.TWIN', `no room to fill times from a twin: ${what}`);
    }
    let samples = 0;
    const copy = new PieceCopy(twin, plan, report.externalLabels ?? Labels.EMPTY, {
      env,
      own: tsdb,
      directory,
      blockRangeMs,
      guardMs,
      samplesPerSecond: this.#options.samplesPerSecond,
      signal,
      onSamples: (count) => {
        samples += count;
        this.#metrics.samples.inc(count);
      },
      adopt: (path) => tsdb.adoptBlock(path, signal),
      ...(failed === undefined ? {} : { failed }),
    });
    const seams = await copy.run();
    await this.#checkStillCovered(twin, report, plan);
    return { samples, seams };
  }

  /** What the twin has lost while it was read must not be claimed. */
  async #checkStillCovered(twin: Twin, before: CoverageReport, plan: HealingPlan): Promise<void> {
    const now = await this.#reportOf(twin);
    const span = spanOf(plan);
    if (span === null) return;
    const lost = subtract(now.serverGaps, before.serverGaps);
    const isOlder = now.sinceMs > Math.max(before.sinceMs, span.startMs);
    if (!isOlder && intersect(lost, [span]).length === 0) return;
    throw new OperatingError(
      'ROLES.TWIN',
      `twin ${twin.name} has lost samples while they were copied`,
    );
  }
}
