import {
  createXorAppendState,
  resetXorAppend,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import type { Interval } from '../head/intervals.ts';
import { OpenRegions } from '../head/open-regions.ts';
import type { Slot } from '../head/series-table.ts';
import { type ChunkRef, offsetOf, type Slab, type SlabPool } from '../head/slabs.ts';
import { PackedRecords } from './packed-records.ts';
import type { SampleRun } from './sample-run.ts';

/** Samples of one chunk, as Prometheus' default. */
const CHUNK_SAMPLES = 32;
/** Time f64, value f64. */
const SAMPLE_BYTES = 16;
/** Samples that an open chunk has room for: most series have few out of order. */
const OPEN_SAMPLES: readonly number[] = [4, 8, 16, CHUNK_SAMPLES];

/**
 * A sealed chunk:
 *
 * ```
 * ┌───────────────┬────────────────────────┬───────────┬───────────┬─────────────┬─ ─ ─ ─ ─ ─ ─ ─
 * │ older ref u32 │ length u31, ranks? u1  │ minMs f64 │ maxMs f64 │ XOR chunk … │ ranks u8 × n
 * └───────────────┴────────────────────────┴───────────┴───────────┴─────────────┴─ ─ ─ ─ ─ ─ ─ ─
 * ```
 *
 * The rank of a sample is its place in the order of arrival. Ranks are left out when the samples arrived in the order of
 * their times. The chunks of a series form a list from the newest to the oldest; 0 ends it.
 */
const HEADER_BYTES = 24;
const RANKS_BIT = 0x80000000;

/** What a reader sees of a series: samples in the time, without those that arrived after the first `since`. */
export type OooView = { readonly minMs: number; readonly maxMs: number; readonly since: number };

/** Hides what had arrived when it was made. */
type Deletion = Interval & { readonly inserted: number };

/**
 * Samples that arrived out of order, per series, off the JavaScript heap. An open chunk holds them as they arrive; a full
 * one is sorted and XOR-encoded. Samples of a series are counted as they arrive, so that readers and deletions tell
 * earlier ones from later ones. Series without such samples cost four bytes, and nothing until there is the first.
 */
export class OooSamples {
  readonly #pool: SlabPool;
  readonly #regions: OpenRegions;
  readonly #records: PackedRecords;
  /** Row + 1 by the head's slot; 0 for none. */
  #rowOf = new Uint32Array(0);
  /** Slot + 1 by row; 0 where the row is free. */
  #slotOf = new Uint32Array(16);
  #openRef = new Uint32Array(16);
  #openClass = new Uint8Array(16);
  #openCount = new Uint8Array(16);
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
  readonly #xor = createXorAppendState(1);
  readonly #encoded = new Uint8Array(CHUNK_SAMPLES * XOR_SAMPLE_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  readonly #order = new Uint8Array(CHUNK_SAMPLES);
  readonly #times = new Float64Array(CHUNK_SAMPLES);
  readonly #words = new Uint32Array(CHUNK_SAMPLES * 2);

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#regions = new OpenRegions(
      pool,
      OPEN_SAMPLES.map((samples) => samples * SAMPLE_BYTES),
    );
    this.#records = new PackedRecords(pool);
  }

  get chunkCount(): number {
    return this.#openChunks + this.#records.count;
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
    const row = this.#rowFor(slot);
    if (this.#openCount[row] === CHUNK_SAMPLES) this.#seal(row);
    const count = this.#openCount[row]!;
    if (count === 0) {
      this.#openRef[row] = this.#regions.allocate(0);
      this.#openClass[row] = 0;
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
    return true;
  }

  /** Adds the samples of the view to the run, in the order of their chunks, within a chunk by time. */
  collect(slot: Slot, view: OooView, target: SampleRun): void {
    const row = this.#row(slot);
    if (row < 0) return;
    const later = (this.#inserted[row]! - view.since) >>> 0;
    const chunks: ChunkRef[] = [];
    const newer: number[] = [];
    let behind = this.#openCount[row]!;
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#olderOf(ref)) {
      if (this.#maxMsOf(ref) >= view.minMs && this.#minMsOf(ref) <= view.maxMs) {
        chunks.push(ref);
        newer.push(behind);
      }
      behind += this.#samplesOf(ref);
    }
    const place = { row, later, view };
    for (let i = chunks.length - 1; i >= 0; i--) {
      this.#addChunk(this.#load(chunks[i]!), newer[i]!, place, target);
    }
    if (this.#openCount[row]! > 0) this.#addChunk(this.#loadOpen(row), 0, place, target);
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
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#olderOf(ref)) {
      behind += this.#samplesOf(ref);
      if (behind <= later) continue;
      if (this.#maxMsOf(ref) >= view.minMs && this.#minMsOf(ref) <= view.maxMs) return true;
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
      while (this.#olderOf(ref) !== marked) ref = this.#olderOf(ref);
      this.#pool.slabOf(ref).words[offsetOf(ref) >>> 2] = 0;
    }
    let dropped = 0;
    for (let ref = marked; ref !== 0; dropped++) {
      const older = this.#olderOf(ref);
      this.#records.drop(ref);
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
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#olderOf(ref)) {
      minMs = Math.min(minMs, this.#minMsOf(ref));
      maxMs = Math.max(maxMs, this.#maxMsOf(ref));
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

  #addChunk(
    count: number,
    newer: number,
    { row, later, view }: { readonly row: number; readonly later: number; readonly view: OooView },
    target: SampleRun,
  ): void {
    const deletions = this.#deletions.get(row);
    for (let i = 0; i < count; i++) {
      const at = this.#times[i]!;
      if (at < view.minMs || at > view.maxMs) continue;
      // How many samples of the series arrived after this one.
      const after = newer + count - 1 - this.#order[i]!;
      if (after < later) continue;
      if (deletions !== undefined && this.#isDeleted(deletions, row, at, after)) continue;
      target.add(at, this.#words[i * 2]!, this.#words[i * 2 + 1]!);
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
    for (let ref = this.#sealed[row]!; ref !== 0; ref = this.#olderOf(ref)) {
      stored += this.#samplesOf(ref);
    }
    const kept = list.filter(({ inserted }) => (this.#inserted[row]! - inserted) >>> 0 < stored);
    if (kept.length === 0) this.#deletions.delete(row);
    else this.#deletions.set(row, kept);
  }

  /** Decodes a sealed chunk into the scratch columns, the ranks into the order; returns the number of samples. */
  #load(ref: ChunkRef): number {
    const { bytes } = this.#pool.slabOf(ref);
    const start = offsetOf(ref) + HEADER_BYTES;
    const word = this.#pool.slabOf(ref).words[(offsetOf(ref) >>> 2) + 1]!;
    const length = word & ~RANKS_BIT;
    const count = xorDecode(bytes, start, length, this.#times, this.#words, 0);
    const hasRanks = (word & RANKS_BIT) !== 0;
    for (let i = 0; i < count; i++) this.#order[i] = hasRanks ? bytes[start + length + i]! : i;
    return count;
  }

  /** As {@link OooSamples.#load}, for the open chunk; sorted. */
  #loadOpen(row: number): number {
    const count = this.#openCount[row]!;
    const slab = this.#pool.slabOf(this.#openRef[row]!);
    const start = offsetOf(this.#openRef[row]!);
    this.#sortOpen(slab, start, count);
    for (let i = 0; i < count; i++) {
      const at = start + this.#order[i]! * SAMPLE_BYTES;
      this.#times[i] = slab.doubles[at >>> 3]!;
      this.#words[i * 2] = slab.words[(at >>> 2) + 2]!;
      this.#words[i * 2 + 1] = slab.words[(at >>> 2) + 3]!;
    }
    return count;
  }

  /** Puts into the order the places of arrival by time. Nearly sorted and short, so by insertion. */
  #sortOpen(slab: Slab, start: number, count: number): void {
    const order = this.#order;
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
    const count = this.#loadOpen(row);
    resetXorAppend(this.#xor, 0);
    let isInOrder = true;
    for (let i = 0; i < count; i++) {
      if (this.#order[i] !== i) isInOrder = false;
      const low = this.#words[i * 2]!;
      const high = this.#words[i * 2 + 1]!;
      xorAppend(this.#xor, 0, this.#encoded, 0, this.#times[i]!, low, high);
    }
    const length = xorByteLength(this.#xor, 0);
    const ref = this.#records.add(HEADER_BYTES + length + (isInOrder ? 0 : count));
    const slab = this.#pool.slabOf(ref);
    const offset = offsetOf(ref);
    slab.words[offset >>> 2] = this.#sealed[row]!;
    slab.words[(offset >>> 2) + 1] = isInOrder ? length : length | RANKS_BIT;
    slab.doubles[(offset >>> 3) + 1] = this.#times[0]!;
    slab.doubles[(offset >>> 3) + 2] = this.#times[count - 1]!;
    slab.bytes.set(this.#encoded.subarray(0, length), offset + HEADER_BYTES);
    if (!isInOrder) slab.bytes.set(this.#order.subarray(0, count), offset + HEADER_BYTES + length);
    this.#sealed[row] = ref;
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

  #olderOf(ref: ChunkRef): ChunkRef {
    return this.#pool.slabOf(ref).words[offsetOf(ref) >>> 2]!;
  }

  #minMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + 1]!;
  }

  #maxMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + 2]!;
  }

  #samplesOf(ref: ChunkRef): number {
    return xorCount(this.#pool.slabOf(ref).bytes, offsetOf(ref) + HEADER_BYTES);
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
