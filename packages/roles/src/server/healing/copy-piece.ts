import { type Env, Slices, sleep } from '@pollux/base';
import { type Labels, type Matcher, wordsOf } from '@pollux/model';
import { type ReadSeries, withoutExternal } from '@pollux/remote';
import {
  type HealingPlan,
  type Interval,
  type IntervalSet,
  intersect,
  intervalSet,
  MemoryBudget,
  NO_HINTS,
  overlaps,
  type Queryable,
  type SeriesColumns,
  type SeriesSource,
  SubjectIndex,
  spanOf,
  type TimeRange,
} from '@pollux/storage';
import { HistogramBlocks, SampleSorter, writeRangeAsBlock } from '@pollux/tsdb';
import { chooseSamples } from './choose-samples.ts';
import { chooseForFailed, type StaleMarker } from './failed-samples.ts';
import { ALL_SERIES, type Twin } from './twin.ts';

/** Samples of one answer of the twin, about; they are held in chunks, and decoded series by series. */
const SAMPLES_A_READ = 1_000_000;
/** Between two rests of a reading that is faster than is allowed. */
const PACE_MS = 100;
const FIRST_READ_MS = 30_000;
const MIN_READ_MS = 1_000;
const READ_MEMORY_BYTES = 512 * 1024 * 1024;
/** Sorting what it holds is one turn of the thread: about 300,000 samples. */
const SORT_MEMORY_BYTES = 8 * 1024 * 1024;
/** What is behind it stays: its series have no sample for an interval where they begin to be the twin's. */
const MAX_MARKERS = 200_000;
/** Seams around samples of one's own in the middle of a gap; with more the whole piece is one. */
const MAX_SEAMS = 1_000;

export type CopyOptions = {
  readonly env: Env;
  /** This server's own samples. */
  readonly own: Queryable;
  readonly directory: string;
  readonly blockRangeMs: number;
  readonly guardMs: number;
  /** Read from the twin. */
  readonly samplesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onSamples: (count: number) => void;
  /** Shows a block that was written. */
  readonly adopt: (path: string) => Promise<void>;
  /** Given where this server was there, and its scrapes of the plan's targets failed. */
  readonly failed?: {
    /** Whatever series are not of the plan's targets need not be read. */
    readonly matchers: readonly Matcher[];
    /** Of the targets. */
    readonly longestIntervalMs: number;
    /** Takes away what failed scrapes have written behind series that go on, before the twin's samples are shown. */
    readonly removeMarkers: (markers: readonly StaleMarker[]) => Promise<void>;
  };
};

/** Copies the samples that a plan of at most one block's time names from the twin into blocks of out-of-order samples. */
export class PieceCopy {
  readonly #options: CopyOptions;
  readonly #twin: Pick<Twin, 'read'>;
  readonly #plan: HealingPlan;
  readonly #external: Labels;
  readonly #index: SubjectIndex;
  readonly #sorter: SampleSorter;
  readonly #slices: Slices;
  readonly #histograms: HistogramBlocks;
  #samples = 0;
  #beganMs = 0;
  #seams: IntervalSet = [];
  readonly #markers: StaleMarker[] = [];

  constructor(twin: Pick<Twin, 'read'>, plan: HealingPlan, external: Labels, options: CopyOptions) {
    const { env, directory, blockRangeMs: rangeMs, signal } = options;
    this.#options = options;
    this.#twin = twin;
    this.#plan = plan;
    this.#external = external;
    this.#index = new SubjectIndex(plan.subjects.map(({ subject }) => subject));
    const sorting = { env, directory, rangeMs, duplicates: 'first', signal } as const;
    this.#sorter = new SampleSorter({ ...sorting, memoryBytes: SORT_MEMORY_BYTES });
    this.#histograms = new HistogramBlocks({ env, directory, signal });
    this.#slices = new Slices(env.clock, signal);
  }

  /** Gives the seams around samples of one's own. */
  async run(): Promise<IntervalSet> {
    const { env, directory, blockRangeMs, signal, adopt } = this.#options;
    const span = spanOf(this.#plan);
    this.#beganMs = env.clock.monotonic();
    try {
      if (span !== null) await this.#read(span);
      await this.#options.failed?.removeMarkers(this.#markers);
      for (const range of await this.#sorter.finish()) {
        const how = { env, directory, chunkRangeMs: blockRangeMs, isOutOfOrder: true, signal };
        const path = await writeRangeAsBlock(this.#sorter, range, how);
        if (path !== null) await adopt(path);
      }
      await this.#writeHistograms();
    } finally {
      this.#sorter.close();
    }
    return this.#seams;
  }

  async #writeHistograms(): Promise<void> {
    const path = await this.#histograms.write();
    if (path !== null) await this.#options.adopt(path);
  }

  /** Window after window, each as long as to give about as many samples, and no faster than is allowed. */
  async #read(span: Interval): Promise<void> {
    // So long that a series which goes on has a sample in it.
    let lengthMs = Math.max(FIRST_READ_MS, 2 * (this.#options.failed?.longestIntervalMs ?? 0));
    for (let startMs = span.startMs; startMs < span.endMs; ) {
      const window = { startMs, endMs: Math.min(span.endMs, startMs + lengthMs) };
      const count = await this.#copyWindow(window);
      const tookMs = window.endMs - startMs;
      const wanted = count === 0 ? tookMs * 2 : (tookMs * SAMPLES_A_READ) / count;
      lengthMs = Math.max(MIN_READ_MS, Math.min(Math.round(wanted), tookMs * 2));
      startMs = window.endMs;
    }
  }

  /** Gives how many samples the twin has sent. Both answers are sorted, and are walked side by side. */
  async #copyWindow(window: Interval): Promise<number> {
    const { guardMs, own, signal } = this.#options;
    // What lies around tells which of one's own samples are copies.
    const range = { minMs: window.startMs - guardMs, maxMs: window.endMs + guardMs };
    const context = { signal, budget: new MemoryBudget(READ_MEMORY_BYTES, 'healing') };
    const twins = await this.#ofTwin(range);
    const matchers = this.#matchers;
    const request = { range, matchers, hints: NO_HINTS, sorted: true };
    const mine = new SortedSeries(own.select(request, context));
    let count = 0;
    try {
      for (const series of twins) {
        const columns = series.columns(range);
        count += columns.count;
        this.#take(columns, await mine.of(columns.labels), window);
        await this.#rest(columns.count);
      }
    } finally {
      mine.close();
    }
    return count;
  }

  get #matchers(): readonly Matcher[] {
    return this.#options.failed?.matchers ?? ALL_SERIES;
  }

  /** Lets others have their turn, writes down what has gathered, and is no faster than is allowed. */
  async #rest(count: number): Promise<void> {
    const { env, samplesPerSecond, signal, onSamples } = this.#options;
    const { clock } = env;
    onSamples(count);
    this.#samples += count;
    if (this.#sorter.isFull) await this.#sorter.spill();
    if (this.#histograms.isFull) await this.#writeHistograms();
    const leastMs = (this.#samples / samplesPerSecond) * 1_000;
    const restMs = leastMs - (clock.monotonic() - this.#beganMs);
    if (restMs > PACE_MS) await sleep(clock, restMs, signal);
    else if (this.#slices.isOver) await this.#slices.pause();
  }

  async #ofTwin(range: TimeRange): Promise<readonly ReadSeries[]> {
    const given = await this.#twin.read(range, this.#matchers, this.#options.signal);
    const all: ReadSeries[] = [];
    let isSorted = true;
    for (const series of given) {
      const named = series.named(withoutExternal(series.labels, this.#external));
      isSorted &&= all.length === 0 || all.at(-1)!.labels.compare(named.labels) < 0;
      all.push(named);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    // Without the external labels the order may be another.
    return isSorted ? all : all.sort((a, b) => a.labels.compare(b.labels));
  }

  #take(columns: SeriesColumns, own: SeriesColumns | null, window: Interval): void {
    const { labels, timestampsMs, histograms } = columns;
    const places = this.#index.placesOf(labels);
    const cut = intersect(this.#cutOf(places), [window]);
    if (cut.length === 0) return;
    const { runs, seams } =
      this.#options.failed === undefined
        ? chooseSamples(columns, own, cut, this.#options.guardMs)
        : { runs: this.#chooseForFailed(columns, own, cut, places), seams: [] };
    const key = runs.length === 0 ? '' : labels.key();
    const valueWords = wordsOf(columns.values);
    for (let i = 0; i < runs.length; i += 2) {
      const [start, end] = [runs[i]!, runs[i + 1]!];
      for (let from = start; from < end; ) {
        const histogram = histograms?.[from] ?? null;
        let to = from + 1;
        if (histogram !== null) this.#histograms.add(key, labels, timestampsMs[from]!, histogram);
        else {
          while (to < end && (histograms?.[to] ?? null) === null) to++;
          this.#sorter.addColumns(key, () => labels, { timestampsMs, valueWords, from, to });
        }
        from = to;
      }
    }
    if (seams.length > 0) this.#addSeams(seams);
  }

  #chooseForFailed(
    twin: SeriesColumns,
    own: SeriesColumns | null,
    cut: IntervalSet,
    places: readonly number[],
  ): readonly number[] {
    const { runs, markersMs } = chooseForFailed(twin, own, cut, this.#options.guardMs);
    const seams = intervalSet(places.flatMap((place) => this.#plan.subjects[place]!.seams));
    for (const timeMs of markersMs) {
      const isInside = overlaps(cut, timeMs, timeMs + 1) || overlaps(seams, timeMs, timeMs + 1);
      if (isInside && this.#markers.length < MAX_MARKERS)
        this.#markers.push({ labels: twin.labels, timeMs });
    }
    return runs;
  }

  #cutOf(places: readonly number[]): IntervalSet {
    const [first, ...others] = places.map((place) => this.#plan.subjects[place]!.healed);
    if (first === undefined) return this.#plan.common;
    return others.reduce((left, healed) => intersect(left, healed), first);
  }

  #addSeams(seams: readonly Interval[]): void {
    const all = intervalSet([...this.#seams, ...seams]);
    const isMany = all.length > MAX_SEAMS;
    this.#seams = isMany ? [{ startMs: all[0]!.startMs, endMs: all.at(-1)!.endMs }] : all;
  }
}

/** Finds series of a sorted answer, in that order. */
class SortedSeries {
  readonly #source: SeriesSource;
  #batch: readonly SeriesColumns[] = [];
  #at = 0;
  #isAtEnd = false;

  constructor(source: SeriesSource) {
    this.#source = source;
  }

  /** Lent until the next call. Asked with ascending labels. */
  async of(labels: Labels): Promise<SeriesColumns | null> {
    while (!this.#isAtEnd) {
      for (; this.#at < this.#batch.length; this.#at++) {
        const one = this.#batch[this.#at]!;
        const order = one.labels.compare(labels);
        if (order === 0) return one;
        if (order > 0) return null;
      }
      const next = await this.#source.next();
      this.#isAtEnd = next === null;
      this.#batch = next ?? [];
      this.#at = 0;
    }
    return null;
  }

  close(): void {
    this.#source.close();
  }
}
