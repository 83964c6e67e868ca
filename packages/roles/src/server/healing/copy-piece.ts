import { type Env, Slices, sleep } from '@pollux/base';
import { type Labels, wordsOf } from '@pollux/model';
import { withoutExternal } from '@pollux/remote';
import {
  type HealingPlan,
  type Interval,
  type IntervalSet,
  intersect,
  intervalSet,
  MemoryBudget,
  NO_HINTS,
  type Queryable,
  type SeriesColumns,
  type SeriesSource,
  SubjectIndex,
  spanOf,
} from '@pollux/storage';
import { SampleSorter, writeRangeAsBlock } from '@pollux/tsdb';
import { chooseSamples } from './choose-samples.ts';
import { ALL_SERIES, type Twin } from './twin.ts';

/** Samples of one answer of the twin, about: decoding it holds the thread. */
const SAMPLES_A_READ = 100_000;
const FIRST_READ_MS = 30_000;
const MIN_READ_MS = 1_000;
const READ_MEMORY_BYTES = 512 * 1024 * 1024;
const SORT_MEMORY_BYTES = 32 * 1024 * 1024;
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
};

export type Copied = {
  readonly seams: IntervalSet;
  /** Targets and rule groups with histograms, which are not copied; null stands for series of no known one. */
  readonly unable: ReadonlySet<string | null>;
};

/** Copies the samples that a plan of at most one block's time names from the twin into blocks of out-of-order samples. */
export class PieceCopy {
  readonly #options: CopyOptions;
  readonly #twin: Twin;
  readonly #plan: HealingPlan;
  readonly #external: Labels;
  readonly #index: SubjectIndex;
  readonly #sorter: SampleSorter;
  readonly #slices: Slices;
  readonly #unable = new Set<string | null>();
  #seams: IntervalSet = [];

  constructor(twin: Twin, plan: HealingPlan, external: Labels, options: CopyOptions) {
    const { env, directory, blockRangeMs: rangeMs, signal } = options;
    this.#options = options;
    this.#twin = twin;
    this.#plan = plan;
    this.#external = external;
    this.#index = new SubjectIndex(plan.subjects.map(({ subject }) => subject));
    const sorting = { env, directory, rangeMs, duplicates: 'first', signal } as const;
    this.#sorter = new SampleSorter({ ...sorting, memoryBytes: SORT_MEMORY_BYTES });
    this.#slices = new Slices(env.clock, signal);
  }

  async run(): Promise<Copied> {
    const { env, directory, blockRangeMs, signal, adopt } = this.#options;
    const span = spanOf(this.#plan);
    try {
      if (span !== null) await this.#read(span);
      for (const range of await this.#sorter.finish()) {
        const how = { env, directory, chunkRangeMs: blockRangeMs, isOutOfOrder: true, signal };
        const path = await writeRangeAsBlock(this.#sorter, range, how);
        if (path !== null) await adopt(path);
      }
    } finally {
      this.#sorter.close();
    }
    return { seams: this.#seams, unable: this.#unable };
  }

  /** Window after window, each as long as to give about as many samples, and no faster than is allowed. */
  async #read(span: Interval): Promise<void> {
    const { env, samplesPerSecond, signal, onSamples } = this.#options;
    const { clock } = env;
    let lengthMs = FIRST_READ_MS;
    for (let startMs = span.startMs; startMs < span.endMs; ) {
      const beganMs = clock.monotonic();
      const window = { startMs, endMs: Math.min(span.endMs, startMs + lengthMs) };
      const count = await this.#copyWindow(window);
      onSamples(count);
      if (this.#sorter.isFull) await this.#sorter.spill();
      const leastMs = (count / samplesPerSecond) * 1_000;
      const restMs = leastMs - (clock.monotonic() - beganMs);
      if (restMs > 0) await sleep(clock, restMs, signal);
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
    const twins = await this.#ofTwin(this.#twin.select(range, context));
    const request = { range, matchers: ALL_SERIES, hints: NO_HINTS, sorted: true };
    const mine = new SortedSeries(own.select(request, context));
    let count = 0;
    try {
      for (const columns of twins) {
        count += columns.count;
        const held = await mine.of(columns.labels);
        this.#take(columns, held, window);
        if (this.#slices.isOver) await this.#slices.pause();
      }
    } finally {
      mine.close();
    }
    return count;
  }

  async #ofTwin(source: SeriesSource): Promise<readonly SeriesColumns[]> {
    const all: SeriesColumns[] = [];
    try {
      for (let batch = await source.next(); batch !== null; batch = await source.next()) {
        for (const columns of batch)
          all.push({ ...columns, labels: withoutExternal(columns.labels, this.#external) });
        if (this.#slices.isOver) await this.#slices.pause();
      }
    } finally {
      source.close();
    }
    // Without the external labels the order may be another.
    return all.sort((a, b) => a.labels.compare(b.labels));
  }

  #take(columns: SeriesColumns, own: SeriesColumns | null, window: Interval): void {
    const { labels, timestampsMs } = columns;
    const places = this.#index.placesOf(labels);
    const cut = intersect(this.#cutOf(places), [window]);
    if (cut.length === 0) return;
    if (columns.histograms !== null) {
      for (const place of places) this.#unable.add(this.#plan.subjects[place]!.subject.key);
      if (places.length === 0) this.#unable.add(null);
      return;
    }
    const { runs, seams } = chooseSamples(columns, own, cut, this.#options.guardMs);
    const key = runs.length === 0 ? '' : labels.key();
    const valueWords = wordsOf(columns.values);
    for (let i = 0; i < runs.length; i += 2) {
      const run = { timestampsMs, valueWords, from: runs[i]!, to: runs[i + 1]! };
      this.#sorter.addColumns(key, () => labels, run);
    }
    if (seams.length > 0) this.#addSeams(seams);
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
