import { InputError } from '@pollux/base';
import {
  type ExpositionFormat,
  ProtobufTemplate,
  type ScrapeParser,
  ScrapeTemplate,
} from '@pollux/exposition';
import type { FloatHistogram, Labels } from '@pollux/model';
import { type Appender, withSchema } from '@pollux/storage';
import { AppendBatch, type RefTable } from './append-batch.ts';
import type { ScrapeConfig } from './config.ts';
import { ScrapeError } from './errors.ts';
import { checkLabelLimits, reportLabels, storedLabels } from './sample-labels.ts';
import { SeriesCache } from './series-cache.ts';
import type { Target } from './target-labels.ts';

/** Series the scrape makes itself; numbered -1, -2 … beside the target's own, which count from 0. */
const REPORT_NAMES = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
] as const;
const EXTRA_REPORT_NAMES = [
  'scrape_timeout_seconds',
  'scrape_sample_limit',
  'scrape_body_size_bytes',
] as const;

export type ReportValues = {
  readonly up: 0 | 1;
  readonly durationSeconds: number;
  readonly scraped: number;
  readonly kept: number;
  readonly added: number;
  readonly timeoutSeconds: number;
  /** -1 when the body was over its limit. */
  readonly bodySizeBytes: number;
};

/** What a scrape brought, beside the samples themselves. */
export type Collected = { readonly scraped: number; readonly kept: number; readonly added: number };

/** The series of one target between parser and engine: labels decided once, staleness tracked, limits kept. */
export class TargetSeries implements RefTable {
  readonly #target: Target;
  readonly #config: ScrapeConfig;
  readonly #readsStartTimes: boolean;
  #template: ScrapeParser | null = null;
  #cache = new SeriesCache();
  /** Live series of a template that was given up because the target changed its format. */
  #retired: SeriesCache | null = null;
  readonly #reportLabels: readonly Labels[];
  readonly #reportRefs: number[];
  #scrape = 0;
  /** Of the last parse, as they are to be stored. */
  #histograms: readonly FloatHistogram[] = [];
  /** Samples of the last parse that relabelling left. */
  lastKept = 0;

  constructor(target: Target, config: ScrapeConfig, readsStartTimes: boolean) {
    this.#target = target;
    this.#readsStartTimes = readsStartTimes;
    this.#config = config;
    const names = config.extraScrapeMetrics
      ? [...REPORT_NAMES, ...EXTRA_REPORT_NAMES]
      : REPORT_NAMES;
    this.#reportLabels = names.map((name) => reportLabels(name, target.labels));
    this.#reportRefs = names.map(() => 0);
  }

  /** The parser of the last scrape; null before the first. */
  get template(): ScrapeParser | null {
    return this.#template;
  }

  ref(series: number): number {
    return series >= 0 ? this.#cache.ref(series) : this.#reportRefs[-1 - series]!;
  }

  setRef(series: number, ref: number): void {
    if (series >= 0) this.#cache.setRef(series, ref);
    else this.#reportRefs[-1 - series] = ref;
  }

  labels(series: number): Labels | null {
    return series >= 0 ? this.#cache.labels(series) : this.#reportLabels[-1 - series]!;
  }

  /** Samples of the last parse, also of one that failed half way. */
  get lastScraped(): number {
    const template = this.#template;
    return template === null ? 0 : template.columns.count + template.histograms.length;
  }

  /** Parses a body and judges what is new in it. Throws ParseError or ScrapeError; then nothing has changed. */
  parse(body: Uint8Array, format: ExpositionFormat): Collected {
    if (this.#template?.format !== format) this.#changeFormat(format);
    const template = this.#template!;
    template.parse(body);
    let added = 0;
    try {
      for (const { id, labels } of template.newSeries) {
        const stored = storedLabels(labels, this.#target.labels, this.#config);
        if (stored !== null) {
          checkLabelLimits(stored, this.#config);
          added++;
        }
        this.#cache.set(id, stored);
      }
    } catch (error) {
      this.#forgetNew();
      throw error;
    }
    const kept = this.#countKept();
    this.lastKept = kept;
    const { sampleLimit } = this.#config;
    try {
      if (sampleLimit > 0 && kept > sampleLimit)
        throw new ScrapeError('SCRAPE.SAMPLE_LIMIT', 'sample limit exceeded');
      this.#fitHistograms();
    } catch (error) {
      this.#forgetNew();
      throw error;
    }
    return { scraped: this.lastScraped, kept, added };
  }

  /** Makes the histograms of the last parse those that may be stored. Throws ScrapeError where buckets are too many. */
  #fitHistograms(): void {
    this.#histograms = this.#template!.histograms.map(({ histogram }) =>
      fitted(histogram, this.#config),
    );
  }

  /** Adds the samples of the last parse, and stale markers for what it no longer has. */
  addSamples(batch: AppendBatch, timestampMs: number): void {
    const { columns, histograms } = this.#template!;
    const { honorTimestamps, trackTimestampsStaleness } = this.#config;
    const starts = this.#readsStartTimes ? columns.startTimestamps : null;
    const scrape = ++this.#scrape;
    for (let i = 0; i < columns.count; i++) {
      const id = columns.seriesIds[i]!;
      this.#cache.see(id, scrape);
      if (this.#cache.isDropped(id)) continue;
      const own = columns.timestamps[i]!;
      const hasOwn = honorTimestamps && !Number.isNaN(own);
      const at = hasOwn ? own : timestampMs;
      if (starts !== null) this.#addStart(batch, id, at, starts[i]!, null);
      batch.addBits(id, at, columns.valueWords, i);
      this.#cache.setLive(id, !hasOwn || trackTimestampsStaleness);
    }
    for (const [i, { id, timestampMs: own, startTimestampMs }] of histograms.entries()) {
      this.#cache.see(id, scrape);
      if (this.#cache.isDropped(id)) continue;
      const hasOwn = honorTimestamps && !Number.isNaN(own);
      const at = hasOwn ? own : timestampMs;
      const histogram = this.#histograms[i]!;
      if (this.#readsStartTimes) this.#addStart(batch, id, at, startTimestampMs, histogram);
      batch.addHistogram(id, at, histogram);
      this.#cache.setLive(id, !hasOwn || trackTimestampsStaleness);
    }
  }

  /** Where a series begins to count anew, it was zero: told once, so that a first increase is not lost. */
  #addStart(
    batch: AppendBatch,
    id: number,
    timestampMs: number,
    startMs: number,
    histogram: FloatHistogram | null,
  ): void {
    if (startMs === 0 || startMs >= timestampMs || timestampMs - startMs > MAX_START_AGE_MS) return;
    if (this.#cache.renewStart(id, startMs)) batch.addStart(id, startMs, histogram);
  }

  /**
   * Adds stale markers for live series that the last scrape did not bring; after a failed one (`all`), for every live one.
   * Once they are stored, {@link forgetVanished} or {@link forgetLive} makes sure that they are not written again.
   */
  addStale(batch: AppendBatch, timestampMs: number, all: boolean): void {
    const scrape = all ? NO_SCRAPE : this.#scrape;
    const renewed = this.#newKeys(all);
    this.#cache.forEachUnseen(scrape, (id, isLive) => {
      // Without a ref no sample of it was ever stored.
      if (!isLive || this.#cache.ref(id) === 0) return;
      // The same series under another spelling has a sample at this very time.
      if (renewed?.has(this.#cache.labels(id)!.key())) return;
      batch.addStale(id, timestampMs);
    });
  }

  /** Stages stale markers for series that went with a format the target no longer speaks. */
  stageRetired(appender: Appender, timestampMs: number): void {
    const retired = this.#retired;
    if (retired === null) return;
    const batch = new AppendBatch();
    const renewed = this.#newKeys(false);
    retired.forEachUnseen(NO_SCRAPE, (id, isLive) => {
      const gone = retired.labels(id);
      if (isLive && gone !== null && !renewed?.has(gone.key())) batch.addStale(id, timestampMs);
    });
    batch.stage(appender, retired);
    this.#retired = null;
  }

  /** Stages the exemplars of the last parse, behind their samples. What the engine refuses is left out; gives the first reason. */
  stageExemplars(appender: Appender): InputError | null {
    let refusal: InputError | null = null;
    for (const { id, exemplar } of this.#template?.exemplars ?? []) {
      const ref = this.#cache.ref(id);
      if (ref === 0) continue;
      try {
        appender.appendExemplar(ref, exemplar);
      } catch (error) {
        // An exemplar with too long labels is no reason to lose the samples.
        if (!(error instanceof InputError)) throw error;
        refusal ??= error;
      }
    }
    return refusal;
  }

  /** After a good scrape: what it did not bring is forgotten, so that memory follows what the target exposes. */
  forgetVanished(): void {
    const gone: number[] = [];
    this.#cache.forEachUnseen(this.#scrape, (id) => gone.push(id));
    this.#forget(gone);
  }

  /** After a failed scrape: every series has its marker; those that come back are live again. */
  forgetLive(): void {
    this.#cache.forEachUnseen(NO_SCRAPE, (id) => this.#cache.setLive(id, false));
  }

  addReport(batch: AppendBatch, timestampMs: number, values: ReportValues): void {
    const all = [
      values.up,
      values.durationSeconds,
      values.scraped,
      values.kept,
      values.added,
      values.timeoutSeconds,
      this.#config.sampleLimit,
      values.bodySizeBytes,
    ];
    for (let i = 0; i < this.#reportLabels.length; i++)
      batch.addValue(-1 - i, timestampMs, all[i]!);
  }

  addReportStale(batch: AppendBatch, timestampMs: number): void {
    for (let i = 0; i < this.#reportLabels.length; i++) batch.addStale(-1 - i, timestampMs);
  }

  #changeFormat(format: ExpositionFormat): void {
    if (this.#template !== null) this.#retired = this.#cache;
    this.#template =
      format === 'protobuf'
        ? new ProtobufTemplate(this.#target.histograms)
        : new ScrapeTemplate(format, {
            ...this.#target.histograms,
            startTimes: this.#readsStartTimes,
          });
    this.#cache = new SeriesCache();
  }

  /** Keys of the series new in the last parse, or null when there are none. */
  #newKeys(all: boolean): ReadonlySet<string> | null {
    const fresh = this.#template?.newSeries ?? [];
    if (all || fresh.length === 0) return null;
    return new Set(fresh.map(({ id }) => this.#cache.labels(id)?.key() ?? ''));
  }

  #countKept(): number {
    const { columns, histograms } = this.#template!;
    let kept = 0;
    for (let i = 0; i < columns.count; i++)
      if (!this.#cache.isDropped(columns.seriesIds[i]!)) kept++;
    for (const { id } of histograms) if (!this.#cache.isDropped(id)) kept++;
    return kept;
  }

  #forgetNew(): void {
    this.#forget(this.#template!.newSeries.map(({ id }) => id));
  }

  #forget(ids: readonly number[]): void {
    for (const id of ids) this.#cache.forget(id);
    this.#template!.release(ids);
  }
}

/** The histogram with no more resolution and buckets than the job allows. */
function fitted(histogram: FloatHistogram, config: ScrapeConfig): FloatHistogram {
  const { nativeHistogramBucketLimit: limit, maxHistogramSchema } = config;
  const { schema, isStale } = histogram;
  // Custom buckets have no coarser form; what no exponential schema is, the engine refuses.
  if (isStale || schema < MIN_SCHEMA || schema > FINEST_SCHEMA)
    return limit > 0 && bucketCount(histogram) > limit ? refuseBuckets() : histogram;
  let fit = withSchema(histogram, maxHistogramSchema);
  while (limit > 0 && bucketCount(fit) > limit) {
    if (fit.schema <= MIN_SCHEMA) refuseBuckets();
    fit = withSchema(fit, fit.schema - 1);
  }
  return fit;
}

function bucketCount({ positiveBuckets, negativeBuckets }: FloatHistogram): number {
  return positiveBuckets.length + negativeBuckets.length;
}

function refuseBuckets(): never {
  throw new ScrapeError('SCRAPE.BUCKET_LIMIT', 'histogram bucket limit exceeded');
}

/** Exponential buckets: the coarsest, and the finest that the format keeps free for them. */
const MIN_SCHEMA = -4;
const FINEST_SCHEMA = 52;

/** As far back as a head of two hours takes samples; an empty one would take any, and reach back as far. */
const MAX_START_AGE_MS = 3_600_000;

/** No scrape has this number: every series counts as unseen. */
const NO_SCRAPE = 0;
