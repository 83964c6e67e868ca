import { type Env, errorText, OperatingError, type Timer } from '@pollux/base';
import type { HttpConfigClient } from '@pollux/http';
import { fnv1a64, hashableBytes, Labels } from '@pollux/model';
import type { Appendable, CoverageRecorder, CoverageSubject } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { AppendBatch } from './append-batch.ts';
import type { ScrapeConfig } from './config.ts';
import { ScrapeError } from './errors.ts';
import type { ScrapeMetrics } from './metrics.ts';
import { gridAfter, gridPhase, sampleTime } from './schedule.ts';
import { type Exposition, ScrapeClient } from './scrape-client.ts';
import type { Target } from './target-labels.ts';
import { type Collected, TargetSeries } from './target-series.ts';

export type LoopDeps = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: ScrapeMetrics;
  readonly appendable: Appendable;
  readonly coverage: CoverageRecorder;
  /** Tells replicas apart: their loops run at different phases. */
  readonly seed: bigint;
  readonly userAgent: string;
  /** Whether series get a zero at the time from which they count. */
  readonly readsStartTimes: boolean;
  /** By the job's HTTP client settings; targets of one job share its tokens. */
  readonly http: HttpConfigClient;
};

export type TargetHealth = 'up' | 'down' | 'unknown';

/** Actions of metric relabelling that leave labels as they are. */
const FILTERS: ReadonlySet<string> = new Set(['keep', 'drop', 'keepequal', 'dropequal']);

const NOTHING: Collected = { scraped: 0, kept: 0, added: 0 };
/** A removed target's stale markers wait so many intervals: if it comes back meanwhile, its samples win. */
const END_OF_RUN_INTERVALS = 1.1;

/**
 * Scrapes one target on its own grid of instants, one scrape at a time: fetch, parse, append and commit in one batch with
 * the series of the scrape itself, then tell the coverage. Whatever goes wrong ends in `up` 0 and stale markers; the next
 * instant begins anew.
 */
export class ScrapeLoop {
  readonly target: Target;
  readonly #deps: LoopDeps;
  readonly #client: ScrapeClient;
  readonly #series: TargetSeries;
  readonly #batch = new AppendBatch();
  readonly #phaseMs: number;
  readonly #subject: CoverageSubject;
  readonly #abort = new AbortController();
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #isStopped = false;
  #forcedError: string | null = null;
  #lastStartMonotonic = Number.NaN;
  health: TargetHealth = 'unknown';
  lastError = '';
  /** 0 before the first scrape. */
  lastScrapeMs = 0;
  lastDurationSeconds = 0;

  constructor(target: Target, config: ScrapeConfig, deps: LoopDeps) {
    this.target = target;
    this.#deps = deps;
    this.#client = new ScrapeClient({ ...deps, config });
    this.#series = new TargetSeries(target, config, deps.readsStartTimes);
    const hash = fnv1a64(hashableBytes(target.labels.with('__url__', target.url)));
    this.#phaseMs = gridPhase(hash ^ deps.seed, target.intervalMs);
    // Targets of one job may share an address and differ in labels.
    const own = fnv1a64(hashableBytes(target.labels)).toString(16);
    this.#subject = {
      key: `target/${config.jobName}/${target.url}#${own}`,
      kind: 'target',
      labels: mayChangeLabels(config) ? Labels.EMPTY : target.labels,
      metricNames: [],
    };
  }

  get series(): TargetSeries {
    return this.#series;
  }

  /** Fails every scrape with this text until it is taken back with null (target limit of the pool). */
  setForcedError(text: string | null): void {
    this.#forcedError = text;
  }

  start(): void {
    const { clock } = this.#deps.env;
    const { intervalMs } = this.target;
    const firstMs = gridAfter(clock.now(), intervalMs, this.#phaseMs);
    this.#deps.coverage.open(this.#subject, firstMs, intervalMs);
    this.#schedule(firstMs);
  }

  /**
   * Ends the loop because its target is gone: nothing is scheduled from now on, and its series get stale markers a little
   * over one interval later. Resolves when that is done or `signal` aborts.
   */
  async stop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps.env;
    if (this.#isStopped) return;
    const ended = this.close();
    // Told at once: a successor under the same key may open in this very turn.
    this.#deps.coverage.close(this.#subject.key, clock.now());
    await ended;
    if (signal.aborted) return;
    const staleMs = gridAfter(clock.now() + 1, this.target.intervalMs, this.#phaseMs);
    const waitMs = staleMs - clock.now() + END_OF_RUN_INTERVALS * this.target.intervalMs;
    const isDue = await new Promise<boolean>((resolve) => {
      const timer = clock.after(waitMs, () => resolve(true));
      signal.addEventListener(
        'abort',
        () => {
          timer.cancel();
          resolve(false);
        },
        { once: true },
      );
    });
    if (isDue) await this.#storeEnd(staleMs);
  }

  /** Ends the loop with the process: no stale markers, so that after a restart the series simply go on. */
  async close(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#abort.abort();
    await this.#running;
  }

  #schedule(scheduledMs: number): void {
    const { clock } = this.#deps.env;
    this.#timer = clock.after(Math.max(0, scheduledMs - clock.now()), () => {
      this.#running = this.#tick(scheduledMs);
    });
  }

  async #tick(plannedMs: number): Promise<void> {
    const { clock } = this.#deps.env;
    const { intervalMs } = this.target;
    // After a sleep or a jump of the clock, either way, the instants between are missed, not made up for.
    const lateMs = clock.now() - plannedMs;
    const scheduledMs = plannedMs + Math.trunc(lateMs / intervalMs) * intervalMs;
    try {
      await this.#scrape(scheduledMs);
    } catch (error) {
      // Only the engine gets here: nothing of this scrape is stored, so coverage shows it as missed.
      this.health = 'down';
      this.lastError = errorText(error);
      this.#deps.log.error('scrape commit failed', {
        target: this.target.url,
        err: errorText(error),
      });
    }
    if (this.#isStopped) return;
    const nextMs = gridAfter(clock.now(), intervalMs, this.#phaseMs);
    this.#schedule(nextMs === scheduledMs ? nextMs + intervalMs : nextMs);
  }

  async #scrape(scheduledMs: number): Promise<void> {
    const { env, coverage } = this.#deps;
    const { clock } = env;
    const startMs = clock.now();
    const startMonotonic = clock.monotonic();
    this.#observeInterval(startMonotonic);
    const timestampMs = sampleTime(startMs, scheduledMs, this.target.intervalMs);
    let collected = NOTHING;
    let failure: OperatingError | null = null;
    let bodySizeBytes = 0;
    try {
      const exposition = await this.#fetch();
      bodySizeBytes = exposition.body.length;
      collected = this.#parse(exposition);
    } catch (error) {
      if (this.#isStopped) return;
      failure = this.#judge(error);
      if (failure.code === 'SCRAPE.BODY_SIZE_LIMIT') bodySizeBytes = -1;
      if (bodySizeBytes > 0) collected = this.#readBefore(failure);
    }
    if (this.#isStopped) return;
    const durationSeconds = (clock.monotonic() - startMonotonic) / 1_000;
    this.health = failure === null ? 'up' : 'down';
    this.lastError = failure === null ? '' : errorText(failure);
    this.lastScrapeMs = startMs;
    this.lastDurationSeconds = durationSeconds;
    const report = { durationSeconds, bodySizeBytes, ...collected };
    try {
      await this.#store(timestampMs, failure === null, report);
    } catch (error) {
      // A series limit refuses what is new. What remains of this scrape is that it failed.
      if (failure !== null || !OperatingError.is(error)) throw error;
      failure = error;
      this.health = 'down';
      this.lastError = errorText(error);
      await this.#store(timestampMs, false, report);
    }
    if (failure !== null)
      this.#deps.log.debug('scrape failed', { target: this.target.url, err: errorText(failure) });
    // After the end the key may be another loop's; a scrape that finishes so late is left as missed.
    if (!this.#isStopped)
      coverage.record(this.#subject.key, scheduledMs, failure === null ? 'done' : 'failed');
  }

  #observeInterval(startMonotonic: number): void {
    if (!Number.isNaN(this.#lastStartMonotonic)) {
      this.#deps.metrics.intervalLength
        .with(intervalText(this.target.intervalMs))
        .observe((startMonotonic - this.#lastStartMonotonic) / 1_000);
    }
    this.#lastStartMonotonic = startMonotonic;
  }

  async #fetch(): Promise<Exposition> {
    if (this.#forcedError !== null) throw new ScrapeError('SCRAPE.TARGET_LIMIT', this.#forcedError);
    return this.#client.fetch(this.target, this.#abort.signal);
  }

  #parse(exposition: Exposition): Collected {
    const { clock } = this.#deps.env;
    const startMs = clock.monotonic();
    try {
      return this.#series.parse(exposition.body, exposition.format);
    } finally {
      this.#deps.metrics.parseDuration.observe((clock.monotonic() - startMs) / 1_000);
    }
  }

  /** Counts what the failure is about; anything not foreseen is reported as it is. */
  #judge(error: unknown): OperatingError {
    const { metrics } = this.#deps;
    if (!OperatingError.is(error)) {
      // A missing password file, a name that does not resolve: the system's own error, named by the request.
      return new ScrapeError('SCRAPE.REQUEST', 'request failed', { cause: error });
    }
    if (error.code === 'SCRAPE.SAMPLE_LIMIT') metrics.refusals.sampleLimit.inc();
    else if (error.code === 'SCRAPE.BUCKET_LIMIT') metrics.refusals.bucketLimit.inc();
    else if (error.code === 'SCRAPE.BODY_SIZE_LIMIT') metrics.refusals.bodySizeLimit.inc();
    else if (error.code === 'SCRAPE.LABEL_LIMIT') metrics.refusals.labelLimits.inc();
    return error;
  }

  /** Samples that were read of a body that then failed, for `scrape_samples_scraped`. */
  #readBefore(failure: OperatingError): Collected {
    const scraped = this.#series.lastScraped;
    const isLimit = failure.code === 'SCRAPE.SAMPLE_LIMIT';
    return { scraped, kept: isLimit ? this.#series.lastKept : 0, added: 0 };
  }

  async #store(
    timestampMs: number,
    isGood: boolean,
    report: Collected & { readonly durationSeconds: number; readonly bodySizeBytes: number },
  ): Promise<void> {
    const batch = this.#batch;
    const series = this.#series;
    batch.clear();
    if (isGood) series.addSamples(batch, timestampMs);
    series.addStale(batch, timestampMs, !isGood);
    series.addReport(batch, timestampMs, {
      ...report,
      up: isGood ? 1 : 0,
      timeoutSeconds: this.target.timeoutMs / 1_000,
    });
    await this.#commit(timestampMs, isGood);
    // Only now: markers of a commit that failed are due again next time.
    if (isGood) series.forgetVanished();
    else series.forgetLive();
  }

  async #storeEnd(timestampMs: number): Promise<void> {
    this.#batch.clear();
    this.#series.addStale(this.#batch, timestampMs, true);
    this.#series.addReportStale(this.#batch, timestampMs);
    try {
      await this.#commit(timestampMs, false);
    } catch (error) {
      this.#deps.log.error('stale markers of a removed target not stored', {
        target: this.target.url,
        err: errorText(error),
      });
    }
  }

  async #commit(timestampMs: number, isGood: boolean): Promise<void> {
    const { appendable, metrics } = this.#deps;
    const appender = appendable.appender();
    try {
      const counts = this.#batch.stage(appender, this.#series);
      this.#series.stageRetired(appender, timestampMs);
      const refusal = isGood ? this.#series.stageExemplars(appender) : null;
      if (refusal !== null)
        this.#deps.log.debug('exemplar refused', { target: this.target.url, err: refusal.message });
      metrics.refusals.duplicateTimestamp.inc(counts.duplicates);
      metrics.refusals.outOfOrder.inc(counts.outOfOrder);
      metrics.refusals.outOfBounds.inc(counts.outOfBounds);
      metrics.refusals.seriesLimit.inc(counts.limited);
    } catch (error) {
      appender.rollback();
      throw error;
    }
    await appender.commit();
  }
}

/** Whether a series of a target may carry other values of the target's labels than the target itself. */
function mayChangeLabels({ honorLabels, metricRelabelSteps }: ScrapeConfig): boolean {
  return honorLabels || metricRelabelSteps.some(({ action }) => !FILTERS.has(action));
}

function intervalText(intervalMs: number): string {
  return intervalMs % 1_000 === 0 ? `${intervalMs / 1_000}s` : `${intervalMs}ms`;
}
