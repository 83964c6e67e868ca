import type { FloatHistogram } from '@pollux/model';
import type { Interval } from '../head/intervals.ts';
import { OpenRegions } from '../head/open-regions.ts';
import type { SealedRef } from '../head/sealed-chunks.ts';
import type { Slot } from '../head/series-table.ts';
import { offsetOf, type Slab, type SlabPool } from '../head/slabs.ts';
import {
  CHUNK_SAMPLES,
  createOooChunkSamples,
  type OooChunkSamples,
} from './late-chunk-encoder.ts';
import type { OooReaders } from './ooo-readers.ts';
import { PackedHistograms } from './packed-histograms.ts';
import type { SampleRun } from './sample-run.ts';
import { type LateChunkStore, type LoadedLateChunk, SealedOooChunks } from './sealed-ooo-chunks.ts';

export type OooSamplesOptions = LateChunkStore & {
  readonly pool: SlabPool;
  readonly readers: OooReaders;
  /** The reference of the series in each slot. */
  readonly table: { readonly refs: Uint32Array };
};

/** Time f64, value f64; of a histogram its reference in place of the value. Where start timestamps are kept one f64 more. */
const SAMPLE_BYTES = 16;
const SAMPLE_WITH_START_BYTES = 24;
/** Samples that an open chunk has room for: most series have few out of order. */
const OPEN_SAMPLES: readonly number[] = [4, 8, 16, CHUNK_SAMPLES];

/** What a reader sees of a series: samples in the time, without those that arrived after the first `since`. */
export type OooView = {
  readonly minMs: number;
  readonly maxMs: number;
  readonly since: number;
  /** For a walk over all chunks: what queries read often stays in the cache. */
  readonly isOnce?: boolean;
};

/** Hides what had arrived when it was made. */
type Deletion = Interval & { readonly inserted: number };

/**
 * Samples that arrived out of order, floats and histograms, per series, off the JavaScript heap. An open chunk holds them as
 * they arrive; a full one is sorted, encoded and put into the head chunk files. Samples of a series are counted as they arrive, so that
 * readers and deletions tell earlier ones from later ones; a deletion ends the open chunk, so that it has all of a chunk before it or
 * nothing. Series without such samples cost four bytes, and nothing until there is the first.
 */
export class OooSamples {
  readonly #pool: SlabPool;
  readonly #table: OooSamplesOptions['table'];
  readonly #sampleBytes: number;
  readonly #regions: OpenRegions;
  readonly #chunks: SealedOooChunks;
  /** Of open chunks: what stands for a histogram in one is its reference here. */
  readonly histograms: PackedHistograms;
  /** Row + 1 by the head's slot; 0 for none. */
  #rowOf = new Uint32Array(0);
  /** Slot + 1 by row; 0 where the row is free. */
  #slotOf = new Uint32Array(16);
  #openRef = new Uint32Array(16);
  #openClass = new Uint8Array(16);
  #openCount = new Uint8Array(16);
  /** Bit i: the sample that arrived at place i of the open chunk is a histogram. */
  #openHistograms = new Uint32Array(16);
  #sealed = new Uint32Array(16);
  /** Newest chunk that is being written to a block, and all older ones with it. */
  #marked = new Uint32Array(16);
  /** Samples ever inserted, modulo 2^32; and how many those were at the mark. */
  #inserted = new Uint32Array(16);
  #insertedAtMark = new Uint32Array(16);
  /** Oldest and newest sample that the row ever had. */
  #oldestMs = new Float64Array(16);
  #newestMs = new Float64Array(16);
  readonly #deletions = new Map<number, Deletion[]>();
  readonly #freeRows: number[] = [];
  #rows = 0;
  #openChunks = 0;
  readonly #samples: OooChunkSamples = createOooChunkSamples();
  readonly #order = new Uint8Array(CHUNK_SAMPLES);

  constructor(options: OooSamplesOptions) {
    const { pool, table, readers } = options;
    this.#pool = pool;
    this.#table = table;
    this.#sampleBytes = options.hasStartTimes ? SAMPLE_WITH_START_BYTES : SAMPLE_BYTES;
    this.#regions = new OpenRegions(
      pool,
      OPEN_SAMPLES.map((samples) => samples * this.#sampleBytes),
    );
    this.#chunks = new SealedOooChunks(options, readers);
    this.histograms = new PackedHistograms(pool);
  }

  get chunkCount(): number {
    return this.#openChunks + this.#chunks.count;
  }

  has(slot: Slot): boolean {
    const row = this.#row(slot);
    return row >= 0 && (this.#openCount[row]! > 0 || this.#sealed[row] !== 0);
  }

  /** How many samples of the series ever arrived, modulo 2^32; for {@link OooView}. */
  insertedOf(slot: Slot): number {
    const row = this.#row(slot);
    return row < 0 ? 0 : this.#inserted[row]!;
  }

  /** Time of all that ever arrived since the series is in the head: the write-ahead log may hold it. Null for nothing. */
  pastOf(slot: Slot): Interval | null {
    const row = this.#row(slot);
    return row < 0 ? null : { minMs: this.#oldestMs[row]!, maxMs: this.#newestMs[row]! };
  }

  /** True when the open chunk has a sample of that time: {@link insert} would drop another. */
  isKnown(slot: Slot, timestampMs: number): boolean {
    const row = this.#row(slot);
    if (row < 0 || this.#openCount[row] === 0) return false;
    const { doubles } = this.#pool.slabOf(this.#openRef[row]!);
    const step = this.#sampleBytes >>> 3;
    let at = offsetOf(this.#openRef[row]!) >>> 3;
    for (let i = this.#openCount[row]!; i > 0; i--, at += step) {
      if (doubles[at] === timestampMs) return true;
    }
    return false;
  }

  /** False, and nothing done, when the open chunk already has a sample of that time, as in Prometheus. */
  insert(slot: Slot, timestampMs: number, low: number, high: number, startMs: number): boolean {
    if (this.isKnown(slot, timestampMs)) return false;
    this.#add(this.#rowFor(slot), timestampMs, low, high, startMs);
    return true;
  }

  /** As {@link insert}, for a histogram that `histograms.fits`. */
  insertHistogram(
    slot: Slot,
    timestampMs: number,
    histogram: FloatHistogram,
    startTimestampMs: number,
  ): boolean {
    if (this.isKnown(slot, timestampMs)) return false;
    const row = this.#rowFor(slot);
    this.#add(row, timestampMs, this.histograms.add(histogram, startTimestampMs), 0, 0);
    const place = this.#openCount[row]! - 1;
    this.#openHistograms[row] = this.#openHistograms[row]! | (1 << place);
    return true;
  }

  #add(row: number, timestampMs: number, low: number, high: number, startMs: number): void {
    if (this.#openCount[row] === CHUNK_SAMPLES) this.#seal(row);
    const count = this.#openCount[row]!;
    if (count === 0) {
      this.#openRef[row] = this.#regions.allocate(0);
      this.#openClass[row] = 0;
      this.#openHistograms[row] = 0;
      this.#openChunks++;
    } else if (count === OPEN_SAMPLES[this.#openClass[row]!]) {
      const sizeClass = this.#openClass[row]!;
      const used = count * this.#sampleBytes;
      this.#openRef[row] = this.#regions.enlarge(this.#openRef[row]!, sizeClass, used);
      this.#openClass[row] = sizeClass + 1;
    }
    const slab = this.#pool.slabOf(this.#openRef[row]!);
    const offset = offsetOf(this.#openRef[row]!) + count * this.#sampleBytes;
    slab.doubles[offset >>> 3] = timestampMs;
    slab.words[(offset >>> 2) + 2] = low;
    slab.words[(offset >>> 2) + 3] = high;
    if (this.#sampleBytes > SAMPLE_BYTES) slab.doubles[(offset >>> 3) + 2] = startMs;
    this.#openCount[row] = count + 1;
    this.#inserted[row] = this.#inserted[row]! + 1;
    if (timestampMs < this.#oldestMs[row]!) this.#oldestMs[row] = timestampMs;
    if (timestampMs > this.#newestMs[row]!) this.#newestMs[row] = timestampMs;
  }

  /** Adds the samples of the view to the run, in the order of their chunks. Throws CorruptionError. */
  collect(slot: Slot, view: OooView, target: SampleRun): void {
    const row = this.#row(slot);
    if (row < 0) return;
    const later = (this.#inserted[row]! - view.since) >>> 0;
    const chunks: SealedRef[] = [];
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      if (this.#reaches(ref, row, view)) chunks.push(ref);
    }
    for (let i = chunks.length - 1; i >= 0; i--) {
      this.#collectChunk(chunks[i]!, row, view, target);
    }
    this.#collectOpen(row, later, view, target);
  }

  /** True when a chunk that reaches into the time has a sample that arrived early enough. Reads no chunk. */
  mayHave(slot: Slot, view: OooView): boolean {
    const row = this.#row(slot);
    if (row < 0) return false;
    if (this.#openCount[row]! > (this.#inserted[row]! - view.since) >>> 0) {
      const { minMs, maxMs } = this.#openBounds(row);
      if (maxMs >= view.minMs && minMs <= view.maxMs) return true;
    }
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      if (this.#reaches(ref, row, view)) return true;
    }
    return false;
  }

  /** True when the sealed chunk reaches into the time of the view and has a sample that arrived early enough. */
  #reaches(ref: SealedRef, row: number, view: OooView): boolean {
    const chunks = this.#chunks;
    if (chunks.maxMsOf(ref) < view.minMs || chunks.minMsOf(ref) > view.maxMs) return false;
    const newer = this.#newerThan(ref, row);
    const later = (this.#inserted[row]! - view.since) >>> 0;
    return (
      newer >= later || (chunks.arrivalsOf(ref)?.some((after) => newer + after >= later) ?? false)
    );
  }

  /** Samples that arrived after the chunk was sealed. */
  #newerThan(ref: SealedRef, row: number): number {
    return (this.#inserted[row]! - this.#chunks.arrivedBy(ref)) >>> 0;
  }

  /** Hides the samples of the interval that have arrived so far; later ones will be seen, of the same times too. */
  delete(slot: Slot, interval: Interval): void {
    const row = this.#row(slot);
    if (row < 0) return;
    if (this.#openCount[row]! > 0) this.#seal(row);
    const list = this.#deletions.get(row) ?? [];
    list.push({ ...interval, inserted: this.#inserted[row]! });
    this.#deletions.set(row, list);
  }

  hasDeletions(slot: Slot): boolean {
    const row = this.#row(slot);
    return row >= 0 && this.#deletions.has(row);
  }

  /** Series of which samples were deleted. */
  slotsWithDeletions(): Slot[] {
    return [...this.#deletions.keys()].map((row) => this.#slotOf[row]! - 1);
  }

  /** The series that have samples; one that gets its first meanwhile may be left out. */
  *slots(): Generator<Slot> {
    for (let row = 0; row < this.#rows; row++) {
      const slot = this.#slotOf[row]! - 1;
      if (slot >= 0 && (this.#openCount[row]! > 0 || this.#sealed[row] !== 0)) yield slot;
    }
  }

  /** Seals the open chunk and marks all that the series has: later samples go into chunks of their own. */
  mark(slot: Slot): void {
    const row = this.#row(slot);
    if (row < 0) return;
    if (this.#openCount[row]! > 0) this.#seal(row);
    this.#marked[row] = this.#sealed[row]!;
    this.#insertedAtMark[row] = this.#inserted[row]!;
  }

  /** As {@link insertedOf}, at the last {@link mark}: the samples that are marked. */
  markedOf(slot: Slot): number {
    return this.#insertedAtMark[this.#row(slot)]!;
  }

  /** Gives back the memory of what {@link mark} marked; returns how many chunks that were. */
  dropMarked(slot: Slot): number {
    const row = this.#row(slot);
    if (row < 0 || this.#marked[row] === 0) return 0;
    const marked = this.#marked[row]!;
    if (this.#sealed[row] === marked) this.#sealed[row] = 0;
    else {
      let ref = this.#sealed[row]!;
      while (this.#chunks.olderOf(ref) !== marked) ref = this.#chunks.olderOf(ref);
      this.#chunks.endBehind(ref);
    }
    this.#marked[row] = 0;
    const dropped = this.#chunks.dropAll(marked);
    this.#dropDeletions(row);
    return dropped;
  }

  /**
   * Adds the multiples of `rangeMs` from which on, for that long, there are marked samples of the series; perhaps more, when
   * samples are deleted. Throws CorruptionError.
   */
  addMarkedRanges(slot: Slot, rangeMs: number, starts: Set<number>): void {
    const row = this.#row(slot);
    if (row < 0) return;
    const startOf = (atMs: number): number => Math.floor(atMs / rangeMs) * rangeMs;
    for (let ref = this.#marked[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      const first = startOf(this.#chunks.minMsOf(ref));
      const last = startOf(this.#chunks.maxMsOf(ref));
      starts.add(first);
      starts.add(last);
      if (last - first <= rangeMs) continue;
      const { timestampsMs, count } = this.#chunks.load(ref, true);
      for (let i = 0; i < count; i++) starts.add(startOf(timestampsMs[i]!));
    }
  }

  /** First and last time of what is there, in chunks as they are; null when nothing is. */
  boundsOf(slot: Slot): Interval | null {
    const row = this.#row(slot);
    if (row < 0) return null;
    let { minMs, maxMs } = this.#openBounds(row);
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      minMs = Math.min(minMs, this.#chunks.minMsOf(ref));
      maxMs = Math.max(maxMs, this.#chunks.maxMsOf(ref));
    }
    return minMs > maxMs ? null : { minMs, maxMs };
  }

  /** The series leaves the head; it has no samples here. */
  forget(slot: Slot): void {
    const row = this.#row(slot);
    if (row < 0) return;
    this.#rowOf[slot] = 0;
    this.#slotOf[row] = 0;
    this.#deletions.delete(row);
    this.#freeRows.push(row);
  }

  /** Adds what the view has of the chunk. */
  #collectChunk(ref: SealedRef, row: number, view: OooView, target: SampleRun): void {
    const newer = this.#newerThan(ref, row);
    const gone = this.#deletions
      .get(row)
      ?.filter(({ inserted }) => newer >= (this.#inserted[row]! - inserted) >>> 0);
    const later = (this.#inserted[row]! - view.since) >>> 0;
    // A chunk that was whole when the view began shows all, any other what arrived early enough.
    const after = newer >= later ? undefined : this.#chunks.arrivalsOf(ref);
    const chunk = this.#chunks.load(ref, view.isOnce === true);
    for (let i = 0; i < chunk.count; i++) {
      const at = chunk.timestampsMs[i]!;
      if (at < view.minMs || at > view.maxMs) continue;
      if (after !== undefined && newer + after[i]! < later) continue;
      if (gone?.some(({ minMs, maxMs }) => at >= minMs && at <= maxMs) === true) continue;
      addSample(chunk, i, target);
    }
  }

  /** Adds what the view has of the open chunk, behind which nothing was deleted, without its newest `later` samples. */
  #collectOpen(row: number, later: number, view: OooView, target: SampleRun): void {
    const shown = this.#openCount[row]! - later;
    if (shown <= 0) return;
    const { doubles, words } = this.#pool.slabOf(this.#openRef[row]!);
    const start = offsetOf(this.#openRef[row]!);
    for (let place = 0; place < shown; place++) {
      const at = start + place * this.#sampleBytes;
      const timestampMs = doubles[at >>> 3]!;
      if (timestampMs < view.minMs || timestampMs > view.maxMs) continue;
      const low = words[(at >>> 2) + 2]!;
      if (((this.#openHistograms[row]! >>> place) & 1) === 1) {
        target.addHistogram({ ...this.histograms.read(low), timestampMs });
      } else target.add(timestampMs, low, words[(at >>> 2) + 3]!, this.#startAt(doubles, at));
    }
  }

  /** Start timestamp of the sample of an open chunk at the byte. */
  #startAt(doubles: Float64Array, at: number): number {
    return this.#sampleBytes > SAMPLE_BYTES ? doubles[(at >>> 3) + 2]! : 0;
  }

  /** Forgets deletions behind which no sample is left. */
  #dropDeletions(row: number): void {
    const list = this.#deletions.get(row);
    if (list === undefined) return;
    let oldest: SealedRef = 0;
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) oldest = ref;
    const newer = oldest === 0 ? -1 : this.#newerThan(oldest, row);
    const kept = list.filter(({ inserted }) => newer >= (this.#inserted[row]! - inserted) >>> 0);
    if (kept.length === 0) this.#deletions.delete(row);
    else this.#deletions.set(row, kept);
  }

  /** Puts the samples of the open chunk into the scratch, sorted; its histograms leave the memory that they had. */
  #takeOpen(row: number): OooChunkSamples {
    const samples = this.#samples;
    const count = this.#openCount[row]!;
    const histograms = this.#openHistograms[row]!;
    const slab = this.#pool.slabOf(this.#openRef[row]!);
    const start = offsetOf(this.#openRef[row]!);
    this.#sortOpen(slab, start, count);
    samples.count = count;
    samples.histograms.fill(null);
    for (let i = 0; i < count; i++) {
      const place = this.#order[i]!;
      const at = start + place * this.#sampleBytes;
      const timestampMs = slab.doubles[at >>> 3]!;
      const low = slab.words[(at >>> 2) + 2]!;
      samples.timestampsMs[i] = timestampMs;
      samples.after[i] = count - 1 - place;
      samples.words[i * 2] = low;
      samples.words[i * 2 + 1] = slab.words[(at >>> 2) + 3]!;
      samples.startTimestampsMs[i] = this.#startAt(slab.doubles, at);
      if (((histograms >>> place) & 1) === 0) continue;
      samples.histograms[i] = { ...this.histograms.read(low), timestampMs };
      this.histograms.drop(low);
    }
    return samples;
  }

  /** Puts into the order the places of arrival by time. Nearly sorted and short, so by insertion. */
  #sortOpen(slab: Slab, start: number, count: number): void {
    const order = this.#order;
    const step = this.#sampleBytes >>> 3;
    const timeOf = (place: number): number => slab.doubles[(start >>> 3) + place * step]!;
    for (let i = 0; i < count; i++) {
      const time = timeOf(i);
      let at = i;
      while (at > 0 && timeOf(order[at - 1]!) > time) {
        order[at] = order[at - 1]!;
        at--;
      }
      order[at] = i;
    }
  }

  /** Turns the open chunk into a sealed one. */
  #seal(row: number): void {
    this.#sealed[row] = this.#chunks.add(this.#takeOpen(row), {
      older: this.#sealed[row]!,
      series: this.#table.refs[this.#slotOf[row]! - 1]!,
      arrivedBy: this.#inserted[row]!,
    });
    this.#regions.release(this.#openRef[row]!, this.#openClass[row]!);
    this.#openCount[row] = 0;
    this.#openRef[row] = 0;
    this.#openChunks--;
  }

  #openBounds(row: number): Interval {
    let minMs = Number.POSITIVE_INFINITY;
    let maxMs = Number.NEGATIVE_INFINITY;
    const count = this.#openCount[row]!;
    if (count === 0) return { minMs, maxMs };
    const { doubles } = this.#pool.slabOf(this.#openRef[row]!);
    const start = offsetOf(this.#openRef[row]!) >>> 3;
    const step = this.#sampleBytes >>> 3;
    for (let i = 0; i < count; i++) {
      minMs = Math.min(minMs, doubles[start + i * step]!);
      maxMs = Math.max(maxMs, doubles[start + i * step]!);
    }
    return { minMs, maxMs };
  }

  #row(slot: Slot): number {
    return slot < this.#rowOf.length ? this.#rowOf[slot]! - 1 : -1;
  }

  #rowFor(slot: Slot): number {
    const known = this.#row(slot);
    if (known >= 0) return known;
    if (slot >= this.#rowOf.length) {
      this.#rowOf = resized(this.#rowOf, Math.max(64, 2 ** Math.ceil(Math.log2(slot + 1))));
    }
    const row = this.#freeRows.pop() ?? this.#rows++;
    if (row >= this.#slotOf.length) this.#growRows();
    this.#rowOf[slot] = row + 1;
    this.#slotOf[row] = slot + 1;
    this.#openCount[row] = 0;
    this.#sealed[row] = 0;
    this.#marked[row] = 0;
    this.#inserted[row] = 0;
    this.#oldestMs[row] = Number.POSITIVE_INFINITY;
    this.#newestMs[row] = Number.NEGATIVE_INFINITY;
    return row;
  }

  #growRows(): void {
    const size = this.#slotOf.length * 2;
    this.#slotOf = resized(this.#slotOf, size);
    this.#openRef = resized(this.#openRef, size);
    this.#openHistograms = resized(this.#openHistograms, size);
    this.#sealed = resized(this.#sealed, size);
    this.#marked = resized(this.#marked, size);
    this.#inserted = resized(this.#inserted, size);
    this.#insertedAtMark = resized(this.#insertedAtMark, size);
    const classes = new Uint8Array(size);
    classes.set(this.#openClass);
    this.#openClass = classes;
    const counts = new Uint8Array(size);
    counts.set(this.#openCount);
    this.#openCount = counts;
    const oldest = new Float64Array(size);
    oldest.set(this.#oldestMs);
    this.#oldestMs = oldest;
    const newest = new Float64Array(size);
    newest.set(this.#newestMs);
    this.#newestMs = newest;
  }
}

function addSample(chunk: LoadedLateChunk, index: number, target: SampleRun): void {
  const { timestampsMs, words, startTimestampsMs, histograms } = chunk;
  if (histograms === null) {
    const startMs = startTimestampsMs === null ? 0 : startTimestampsMs[index]!;
    target.add(timestampsMs[index]!, words[index * 2]!, words[index * 2 + 1]!, startMs);
  } else target.addHistogram(histograms[index]!);
}

function resized(source: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size);
  grown.set(source);
  return grown;
}
