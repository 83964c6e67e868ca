import type { Slices } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { BucketWish, ReadSeries } from '@pollux/remote';
import type {
  Annotation,
  ReadContext,
  SeriesColumns,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';
import { cutToSegments } from './cut-to-segments.ts';
import type { MemberLane } from './member-lane.ts';
import type { Part, Segment, Splice } from './segments.ts';
import { SplicedBuckets } from './spliced-buckets.ts';

const BATCH_SERIES = 256;
/** A batch that is lent is small enough for its columns to stay in the processor's cache. */
const LENT_SAMPLES = 16_384;
const BATCH_SAMPLES = 100_000;
const SAMPLE_BYTES = 16;

export type ReplicaLane = { readonly replica: number; readonly lane: MemberLane };

type OpenLane = ReplicaLane & { batch: readonly ReadSeries[]; at: number };

type Columns = {
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
  readonly values: Float64Array;
};

/**
 * Merges the members' answers, each in the order of its labels, and decodes of each series no more than its segments, straight into
 * the columns that are handed on. Members are read at the same pace, so no more of an answer is held than one is ahead of another.
 */
export class SplicedSource implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #splice: Splice;
  readonly #lanes: readonly OpenLane[];
  readonly #range: TimeRange;
  readonly #isLent: boolean;
  readonly #context: ReadContext;
  readonly #slices: Slices;
  readonly #buckets: SplicedBuckets | null;
  readonly #onFault: (error: unknown) => void;
  readonly #parts = new Map<readonly Segment[], readonly Part[]>();
  /** By replica, of the series that is put together. */
  readonly #copies: (ReadSeries | null)[];
  #left: readonly OpenLane[] | null = null;
  #columns = columnsOf(0);
  #used = 0;
  #heldBytes = 0;

  constructor(
    splice: Splice,
    lanes: readonly ReplicaLane[],
    how: {
      readonly range: TimeRange;
      readonly isLent: boolean;
      /** Series are given in buckets. */
      readonly wish?: BucketWish | null;
      readonly onFault: (error: unknown) => void;
      readonly context: ReadContext;
      readonly slices: Slices;
    },
  ) {
    this.#splice = splice;
    this.#lanes = lanes.map((lane) => ({ ...lane, batch: [], at: 0 }));
    this.#copies = new Array(Math.max(0, ...lanes.map(({ replica }) => replica + 1))).fill(null);
    this.#range = how.range;
    this.#isLent = how.isLent;
    this.#context = how.context;
    this.#slices = how.slices;
    this.#onFault = how.onFault;
    const { wish = null } = how;
    this.#buckets = wish === null ? null : new SplicedBuckets(wish, how);
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    try {
      return await this.#next();
    } catch (error) {
      this.#onFault(error);
      throw error;
    }
  }

  async #next(): Promise<readonly SeriesColumns[] | null> {
    this.#left ??= await refilled(this.#lanes);
    this.#begin();
    const most = this.#isLent ? LENT_SAMPLES : BATCH_SAMPLES;
    const batch: SeriesColumns[] = [];
    let samples = 0;
    while (this.#left.length > 0 && batch.length < BATCH_SERIES && samples < most) {
      if (this.#slices.isOver) await this.#slices.pause();
      const columns = this.#take(this.#left);
      // Most series are in the middle of what each lane has: nothing is awaited for them.
      if (this.#left.some(isSpent)) this.#left = await refilled(this.#left);
      if (columns === null) continue;
      batch.push(columns);
      samples += columns.count;
    }
    return batch.length === 0 ? null : batch;
  }

  close(): void {
    this.#give();
    this.#buckets?.close();
    for (const { lane } of this.#lanes) lane.close();
  }

  /** The next series, of all lanes that have it; null where no segment has a sample. */
  #take(left: readonly OpenLane[]): SeriesColumns | null {
    let first: ReadSeries | null = null;
    for (const { batch, at } of left) {
      const series = batch[at]!;
      if (first === null || series.labels.compare(first.labels) < 0) first = series;
    }
    if (first === null) return null;
    const copies = this.#copies.fill(null);
    for (const lane of left) {
      const series = lane.batch[lane.at]!;
      if (series !== first && !series.labels.equals(first.labels)) continue;
      copies[lane.replica] = series;
      lane.at++;
    }
    return this.#join(first.labels);
  }

  #join(labels: Labels): SeriesColumns | null {
    const segments = this.#splice.segmentsFor(labels);
    if (this.#buckets !== null)
      return this.#buckets.join(labels, this.#partsOf(segments), this.#copies);
    for (const copy of this.#copies)
      if (copy?.hasHistograms === true) return this.#joinColumns(segments);
    const parts = this.#partsOf(segments);
    let room = 0;
    for (const { replica, range } of parts) room += this.#copies[replica]?.countAtMost(range) ?? 0;
    this.#reserve(room);
    const from = this.#used;
    for (const { replica, range } of parts)
      this.#used += this.#copies[replica]?.readInto(range, this.#columns, this.#used) ?? 0;
    const count = this.#used - from;
    if (count === 0) return null;
    return {
      labels,
      count,
      timestampsMs: this.#columns.timestampsMs.subarray(from, this.#used),
      values: this.#columns.values.subarray(from, this.#used),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
    };
  }

  /** The segments within the range; most series have the same. */
  #partsOf(segments: readonly Segment[]): readonly Part[] {
    const known = this.#parts.get(segments);
    if (known !== undefined) return known;
    const parts: Part[] = [];
    for (const { replica, startMs, endMs } of segments) {
      const minMs = Math.max(startMs, this.#range.minMs);
      const maxMs = Math.min(endMs - 1, this.#range.maxMs);
      if (minMs <= maxMs) parts.push({ replica, range: { minMs, maxMs } });
    }
    this.#parts.set(segments, parts);
    return parts;
  }

  #joinColumns(segments: readonly Segment[]): SeriesColumns | null {
    const columns = new Map<number, SeriesColumns>();
    for (const [replica, series] of this.#copies.entries())
      if (series !== null) columns.set(replica, series.columns(this.#range));
    return cutToSegments(columns, segments);
  }

  /** What was lent is free again; what was given away is the receiver's. */
  #begin(): void {
    this.#buckets?.begin();
    if (!this.#isLent) {
      this.#give();
      this.#columns = columnsOf(0);
    }
    this.#used = 0;
  }

  /** Room for so many more samples; series of this batch that lie in the columns before keep those. */
  #reserve(samples: number): void {
    const size = this.#columns.timestampsMs.length;
    if (this.#used + samples <= size) return;
    const least = this.#isLent ? 2 * LENT_SAMPLES : Math.min(2 * size, BATCH_SAMPLES);
    const grown = Math.max(samples, least);
    this.#context.budget.take(grown * SAMPLE_BYTES);
    this.#heldBytes += grown * SAMPLE_BYTES;
    this.#columns = columnsOf(grown);
    this.#used = 0;
  }

  #give(): void {
    this.#context.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }
}

function isSpent({ batch, at }: OpenLane): boolean {
  return at === batch.length;
}

/** The lanes that are not at their end, each with a series to be taken. */
async function refilled(lanes: readonly OpenLane[]): Promise<readonly OpenLane[]> {
  const filled = await Promise.all(lanes.map(async (lane) => !isSpent(lane) || fill(lane)));
  return lanes.filter((_, i) => filled[i]);
}

/** False at the lane's end. */
async function fill(open: OpenLane): Promise<boolean> {
  for (;;) {
    const batch = await open.lane.next();
    if (batch === null) return false;
    if (batch.length === 0) continue;
    open.batch = batch;
    open.at = 0;
    return true;
  }
}

function columnsOf(size: number): Columns {
  const words = new Uint32Array(size * 2);
  return { timestampsMs: new Float64Array(size), words, values: new Float64Array(words.buffer) };
}
