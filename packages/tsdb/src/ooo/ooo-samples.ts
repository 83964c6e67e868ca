import type { FloatHistogram } from '@pollux/model';
import type { Interval } from '../head/intervals.ts';
import { OpenRegions } from '../head/open-regions.ts';
import type { Slot } from '../head/series-table.ts';
import { type ChunkRef, offsetOf, type Slab, type SlabPool } from '../head/slabs.ts';
import { PackedHistograms } from './packed-histograms.ts';
import type { SampleRun } from './sample-run.ts';
import {
  CHUNK_SAMPLES,
  createOooChunkSamples,
  type OooChunkSamples,
  SealedOooChunks,
} from './sealed-ooo-chunks.ts';

/** Time f64, value f64; of a histogram its reference in place of the value. */
const SAMPLE_BYTES = 16;
/** Samples that an open chunk has room for: most series have few out of order. */
const OPEN_SAMPLES: readonly number[] = [4, 8, 16, CHUNK_SAMPLES];

/** What a reader sees of a series: samples in the time, without those that arrived after the first `since`. */
export type OooView = { readonly minMs: number; readonly maxMs: number; readonly since: number };

/** Hides what had arrived when it was made. */
type Deletion = Interval & { readonly inserted: number };

/**
 * Samples that arrived out of order, floats and histograms, per series, off the JavaScript heap. An open chunk holds them as
 * they arrive; a full one is sorted and encoded. Samples of a series are counted as they arrive, so that readers and deletions tell
 * earlier ones from later ones. Series without such samples cost four bytes, and nothing until there is the first.
 */
export class OooSamples {
  readonly #pool: SlabPool;
  readonly #regions: OpenRegions;
  readonly #chunks: SealedOooChunks;
  /** What stands for a histogram in a chunk is its reference here. */
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

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#regions = new OpenRegions(
      pool,
      OPEN_SAMPLES.map((samples) => samples * SAMPLE_BYTES),
    );
    this.#chunks = new SealedOooChunks(pool);
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
    let at = offsetOf(this.#openRef[row]!) >>> 3;
    for (let i = this.#openCount[row]!; i > 0; i--, at += 2) {
      if (doubles[at] === timestampMs) return true;
    }
    return false;
  }

  /** False, and nothing done, when the open chunk already has a sample of that time, as in Prometheus. */
  insert(slot: Slot, timestampMs: number, low: number, high: number): boolean {
    if (this.isKnown(slot, timestampMs)) return false;
    this.#add(this.#rowFor(slot), timestampMs, low, high);
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
    this.#add(row, timestampMs, this.histograms.add(histogram, startTimestampMs), 0);
    const place = this.#openCount[row]! - 1;
    this.#openHistograms[row] = this.#openHistograms[row]! | (1 << place);
    return true;
  }

  #add(row: number, timestampMs: number, low: number, high: number): void {
    if (this.#openCount[row] === CHUNK_SAMPLES) this.#seal(row);
    const count = this.#openCount[row]!;
    if (count === 0) {
      this.#openRef[row] = this.#regions.allocate(0);
      this.#openClass[row] = 0;
      this.#openHistograms[row] = 0;
      this.#openChunks++;
    } else if (count === OPEN_SAMPLES[this.#openClass[row]!]) {
      const sizeClass = this.#openClass[row]!;
      const used = count * SAMPLE_BYTES;
      this.#openRef[row] = this.#regions.enlarge(this.#openRef[row]!, sizeClass, used);
      this.#openClass[row] = sizeClass + 1;
    }
    const slab = this.#pool.slabOf(this.#openRef[row]!);
    const offset = offsetOf(this.#openRef[row]!) + count * SAMPLE_BYTES;
    slab.doubles[offset >>> 3] = timestampMs;
    slab.words[(offset >>> 2) + 2] = low;
    slab.words[(offset >>> 2) + 3] = high;
    this.#openCount[row] = count + 1;
    this.#inserted[row] = this.#inserted[row]! + 1;
    if (timestampMs < this.#oldestMs[row]!) this.#oldestMs[row] = timestampMs;
    if (timestampMs > this.#newestMs[row]!) this.#newestMs[row] = timestampMs;
  }

  /** Adds the samples of the view to the run, in the order of their chunks, within a chunk by time. */
  collect(slot: Slot, view: OooView, target: SampleRun): void {
    const row = this.#row(slot);
    if (row < 0) return;
    const later = (this.#inserted[row]! - view.since) >>> 0;
    const chunks: ChunkRef[] = [];
    const newer: number[] = [];
    let behind = this.#openCount[row]!;
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      if (this.#chunks.maxMsOf(ref) >= view.minMs && this.#chunks.minMsOf(ref) <= view.maxMs) {
        chunks.push(ref);
        newer.push(behind);
      }
      behind += this.#chunks.samplesOf(ref);
    }
    const place = { row, later, view };
    for (let i = chunks.length - 1; i >= 0; i--) {
      this.#load(chunks[i]!);
      this.#addChunk(newer[i]!, place, target);
    }
    if (this.#openCount[row]! > 0) {
      this.#loadOpen(row);
      this.#addChunk(0, place, target);
    }
  }

  /** True when a chunk that reaches into the time has a sample that arrived early enough. Reads no chunk. */
  mayHave(slot: Slot, view: OooView): boolean {
    const row = this.#row(slot);
    if (row < 0) return false;
    const later = (this.#inserted[row]! - view.since) >>> 0;
    let behind = this.#openCount[row]!;
    if (behind > later) {
      const { minMs, maxMs } = this.#openBounds(row);
      if (maxMs >= view.minMs && minMs <= view.maxMs) return true;
    }
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      behind += this.#chunks.samplesOf(ref);
      if (behind <= later) continue;
      if (this.#chunks.maxMsOf(ref) >= view.minMs && this.#chunks.minMsOf(ref) <= view.maxMs)
        return true;
    }
    return false;
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
    let dropped = 0;
    for (let ref = marked; ref !== 0; dropped++) {
      const older = this.#chunks.olderOf(ref);
      if (this.#chunks.hasHistograms(ref)) this.#dropHistograms(ref);
      this.#chunks.drop(ref);
      ref = older;
    }
    this.#marked[row] = 0;
    this.#dropDeletions(row);
    return dropped;
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

  #dropHistograms(ref: ChunkRef): void {
    const { words, count, histograms } = this.#load(ref);
    for (let i = 0; i < count; i++) {
      if (((histograms >>> i) & 1) === 1) this.histograms.drop(words[i * 2]!);
    }
  }

  #load(ref: ChunkRef): OooChunkSamples {
    this.#chunks.load(ref, this.#samples);
    return this.#samples;
  }

  /** Adds what the view has of the samples in the scratch, behind which `newer` others arrived. */
  #addChunk(
    newer: number,
    { row, later, view }: { readonly row: number; readonly later: number; readonly view: OooView },
    target: SampleRun,
  ): void {
    const deletions = this.#deletions.get(row);
    const { count, timestampsMs, words, order, histograms } = this.#samples;
    for (let i = 0; i < count; i++) {
      const at = timestampsMs[i]!;
      if (at < view.minMs || at > view.maxMs) continue;
      // How many samples of the series arrived after this one.
      const after = newer + count - 1 - order[i]!;
      if (after < later) continue;
      if (deletions !== undefined && this.#isDeleted(deletions, row, at, after)) continue;
      const isHistogram = ((histograms >>> i) & 1) === 1;
      target.add(at, words[i * 2]!, words[i * 2 + 1]!, isHistogram);
    }
  }

  #isDeleted(deletions: readonly Deletion[], row: number, atMs: number, after: number): boolean {
    return deletions.some(
      ({ minMs, maxMs, inserted }) =>
        atMs >= minMs && atMs <= maxMs && after >= (this.#inserted[row]! - inserted) >>> 0,
    );
  }

  /** Forgets deletions behind which no sample is left. */
  #dropDeletions(row: number): void {
    const list = this.#deletions.get(row);
    if (list === undefined) return;
    let stored = this.#openCount[row]!;
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#chunks.olderOf(ref)) {
      stored += this.#chunks.samplesOf(ref);
    }
    const kept = list.filter(({ inserted }) => (this.#inserted[row]! - inserted) >>> 0 < stored);
    if (kept.length === 0) this.#deletions.delete(row);
    else this.#deletions.set(row, kept);
  }

  /** Puts the samples of the open chunk into the scratch, sorted. */
  #loadOpen(row: number): void {
    const { timestampsMs, words, order } = this.#samples;
    const count = this.#openCount[row]!;
    const histograms = this.#openHistograms[row]!;
    const slab = this.#pool.slabOf(this.#openRef[row]!);
    const start = offsetOf(this.#openRef[row]!);
    this.#sortOpen(slab, start, count);
    this.#samples.count = count;
    this.#samples.histograms = 0;
    for (let i = 0; i < count; i++) {
      const place = order[i]!;
      const at = start + place * SAMPLE_BYTES;
      timestampsMs[i] = slab.doubles[at >>> 3]!;
      words[i * 2] = slab.words[(at >>> 2) + 2]!;
      words[i * 2 + 1] = slab.words[(at >>> 2) + 3]!;
      this.#samples.histograms |= ((histograms >>> place) & 1) << i;
    }
  }

  /** Puts into the order the places of arrival by time. Nearly sorted and short, so by insertion. */
  #sortOpen(slab: Slab, start: number, count: number): void {
    const { order } = this.#samples;
    const timeOf = (place: number): number => slab.doubles[(start >>> 3) + place * 2]!;
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
    this.#loadOpen(row);
    this.#sealed[row] = this.#chunks.add(this.#samples, this.#sealed[row]!);
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
    for (let i = 0; i < count; i++) {
      minMs = Math.min(minMs, doubles[start + i * 2]!);
      maxMs = Math.max(maxMs, doubles[start + i * 2]!);
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

function resized(source: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size);
  grown.set(source);
  return grown;
}
