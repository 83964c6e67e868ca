import { DecodeError } from '@pollux/base';
import type { HashKey } from '@pollux/index';
import {
  type HistogramSample,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  XOR2_SAMPLE_MAX_BYTES,
  xor2Append,
  xorAppend,
  xorByteLength,
  xorCount,
} from '@pollux/kernels';
import { type Metadata, STALE_NAN_HIGH, STALE_NAN_LOW } from '@pollux/model';
import { APPEND_OUTCOME, sampleOf, staleHistogram } from '@pollux/storage';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { EncodedChunk } from '../format/rewrite-chunk.ts';
import type { HistogramRecord } from '../format/wal-histograms.ts';
import { ChunkFileUse } from '../head-chunks/chunk-file-use.ts';
import type { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import { type OpenFloats, readStartState } from '../head-snapshot/series-rows.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { OutOfOrder } from '../ooo/out-of-order.ts';
import { type AppendBounds, LATE } from './append-bounds.ts';
import { chunkEndMs, rangeEndMs } from './chunk-times.ts';
import type { ExemplarRing } from './exemplar-ring.ts';
import { addInterval, type Interval } from './intervals.ts';
import { KnownSelections } from './known-selections.ts';
import { OpenHistograms } from './open-histograms.ts';
import { OpenRegions, REGION_BYTES } from './open-regions.ts';
import { SealedChunks, type SealedRef } from './sealed-chunks.ts';
import { SeriesTable, type Slot } from './series-table.ts';
import { offsetOf, SlabPool } from './slabs.ts';
import { keptStartMs } from './start-times.ts';

/** The two halves of a value's bits. */
export type ValueWords = { readonly low: number; readonly high: number };

export type HeadOptions = {
  readonly chunkRangeMs: number;
  readonly samplesPerChunk: number;
  readonly slabBytes: number;
  readonly metrics: TsdbMetrics;
  readonly exemplars: ExemplarRing;
  /** Whether chunks keep start timestamps: those of floats are XOR2 then, whether they have any or not, as Prometheus' are. */
  readonly hasStartTimes: boolean;
  /** Where completed chunks go; its owner closes it. */
  readonly chunkFiles: HeadChunkFiles;
  /** What labels are hashed with. */
  readonly hashKey: HashKey;
};

/** A query that reads the head; the head is not truncated under it. */
export type HeadReader = {
  readonly minMs: number;
  /** Set by the head when the reader held it too long: its next step must fail. */
  isExpired: boolean;
};

/**
 * The newest samples: open chunks in memory, completed ones in the head chunk files. Holds committed samples only: appenders stage outside. Chunks never cross a multiple of
 * the chunk range, so cutting a block and truncating moves whole chunks.
 */
export class Head {
  readonly options: HeadOptions;
  readonly table: SeriesTable;
  readonly pool: SlabPool;
  readonly open: OpenRegions;
  readonly histograms: OpenHistograms;
  readonly sealed: SealedChunks;
  /** Of chunks in order and late ones. */
  readonly chunkFileUse: ChunkFileUse;
  readonly outOfOrder: OutOfOrder;
  readonly tombstones = new Map<number, Interval[]>();
  readonly metadata = new Map<number, Metadata>();
  readonly readers = new Set<HeadReader>();
  readonly selections: KnownSelections;
  /** Commits that are in the log, but not visible yet. */
  openCommits = 0;
  readonly #metrics: TsdbMetrics;
  #minMs = Number.POSITIVE_INFINITY;
  #maxMs = Number.NEGATIVE_INFINITY;
  #minValidMs = Number.NEGATIVE_INFINITY;
  #appenders = 0;
  readonly #liveAppenders = new Set<number>();
  #openChunks = 0;

  constructor(options: HeadOptions) {
    this.options = options;
    this.#metrics = options.metrics;
    const { chunkFiles, hasStartTimes } = options;
    this.table = new SeriesTable(options.hashKey, hasStartTimes);
    this.selections = new KnownSelections(this.table);
    this.pool = new SlabPool(options.slabBytes);
    this.open = new OpenRegions(this.pool);
    this.histograms = new OpenHistograms(options);
    this.chunkFileUse = new ChunkFileUse(chunkFiles);
    this.sealed = new SealedChunks(chunkFiles, this.chunkFileUse);
    this.outOfOrder = new OutOfOrder({
      pool: this.pool,
      chunkFiles,
      chunkFileUse: this.chunkFileUse,
      hasStartTimes,
      table: this.table,
    });
  }

  /** Of open chunks of floats. */
  get #floatEncoding(): number {
    return this.table.starts === null ? CHUNK_ENCODING.xor : CHUNK_ENCODING.xor2;
  }

  /** Time of the oldest sample that the head answers for; +Infinity when it is empty. */
  get minMs(): number {
    return this.#minMs;
  }

  /** Time of the newest sample; −Infinity when the head is empty. */
  get maxMs(): number {
    return this.#maxMs;
  }

  get isEmpty(): boolean {
    return this.#minMs > this.#maxMs;
  }

  /** Samples before it belong to blocks. */
  get minValidMs(): number {
    return this.#minValidMs;
  }

  /** Chunks of samples that came in order. */
  get chunkCount(): number {
    return this.sealed.count + this.#openChunks + this.histograms.count;
  }

  /** Samples before it are refused: half a range behind the newest the next block may be being cut. */
  get appendableMinMs(): number {
    return Math.max(this.#minValidMs, this.#maxMs - Math.floor(this.options.chunkRangeMs / 2) - 1);
  }

  /** From now on the head answers and takes nothing before `minMs`. */
  raiseMinimum(minMs: number): void {
    this.#minValidMs = Math.max(this.#minValidMs, minMs);
    if (!this.isEmpty) this.#minMs = Math.min(Math.max(this.#minMs, minMs), this.#maxMs);
  }

  /** Corrects the oldest time after a truncation that found it; +Infinity says that no sample is left. */
  setMinimum(minMs: number): void {
    this.#minMs = minMs;
    if (minMs === Number.POSITIVE_INFINITY) this.#maxMs = Number.NEGATIVE_INFINITY;
  }

  /** A number for an appender; the series that it touches stay until {@link endAppender}. */
  beginAppender(): number {
    const id = ++this.#appenders;
    this.#liveAppenders.add(id);
    return id;
  }

  endAppender(id: number): void {
    this.#liveAppenders.delete(id);
  }

  /** True while the appender may commit. */
  isLive(id: number): boolean {
    return this.#liveAppenders.has(id);
  }

  /** The last appender that was begun. */
  get newestAppender(): number {
    return this.#appenders;
  }

  /** Ends appenders up to and including `id` that their owners still hold: their commits are refused. */
  expireAppenders(id: number): void {
    for (const live of this.#liveAppenders) if (live <= id) this.#liveAppenders.delete(live);
  }

  /** Series last touched before this appender may be removed. */
  get oldestAppender(): number {
    for (const id of this.#liveAppenders) return id;
    return this.#appenders + 1;
  }

  /**
   * What would become of the sample, by the rules of Prometheus: an {@link APPEND_OUTCOME}, or {@link LATE}. Only the
   * newest sample of the series is compared for a duplicate.
   */
  check(slot: Slot, bounds: AppendBounds, timestampMs: number, words: ValueWords): number {
    const place = this.#placeOf(slot, bounds, timestampMs);
    if (place !== null) return place;
    return this.isLastValue(slot, words.low, words.high)
      ? APPEND_OUTCOME.ok
      : APPEND_OUTCOME.duplicate;
  }

  /** The outcome by the time alone; null when the series' newest sample has it. */
  #placeOf(slot: Slot, bounds: AppendBounds, timestampMs: number): number | null {
    if (timestampMs >= bounds.minValidMs) {
      const newest = this.table.maxMs[slot]!;
      if (timestampMs > newest) return APPEND_OUTCOME.ok;
      if (timestampMs === newest) return null;
    }
    if (bounds.windowMs > 0) {
      return timestampMs >= bounds.newestMs - bounds.windowMs ? LATE : APPEND_OUTCOME.tooOld;
    }
    return timestampMs < bounds.minValidMs ? APPEND_OUTCOME.outOfBounds : APPEND_OUTCOME.outOfOrder;
  }

  /** As {@link check}, for a histogram. */
  checkHistogram(slot: Slot, bounds: AppendBounds, sample: HistogramSample): number {
    const place = this.#placeOf(slot, bounds, sample.timestampMs);
    if (place !== null) return place;
    return this.histograms.isLast(slot, sample) ? APPEND_OUTCOME.ok : APPEND_OUTCOME.duplicate;
  }

  isLastValue(slot: Slot, valueLow: number, valueHigh: number): boolean {
    if (this.endsInHistogram(slot)) return false;
    const { xor, starts } = this.table;
    if (starts?.isStale[slot] === 1) {
      return valueHigh === STALE_NAN_HIGH && valueLow === STALE_NAN_LOW;
    }
    const words = xor.lastValueWords;
    return words[slot * 2] === valueLow && words[slot * 2 + 1] === valueHigh;
  }

  /** Appends a logged sample and makes it visible; false (and nothing done) when it is not newer than the last one. */
  append(
    slot: Slot,
    timestampMs: number,
    valueLow: number,
    valueHigh: number,
    startTimestampMs: number,
  ): boolean {
    const { table } = this;
    if (!(timestampMs > table.maxMs[slot]!)) return false;
    if (this.endsInHistogram(slot)) {
      // The end of a series of histograms is told by a histogram, as in Prometheus.
      if (valueHigh === STALE_NAN_HIGH && valueLow === STALE_NAN_LOW) {
        const stale = staleHistogram(this.histograms.isInteger(slot));
        return this.appendHistogram(slot, sampleOf(stale, timestampMs, 0));
      }
      this.#sealHistograms(slot);
    }
    const count = this.#prepareChunk(slot, timestampMs);
    const used = count === 0 ? 2 : xorByteLength(table.xor, slot);
    const { starts } = table;
    const needed = used + (starts === null ? XOR_SAMPLE_MAX_BYTES : XOR2_SAMPLE_MAX_BYTES);
    let sizeClass = table.openClass[slot]!;
    while (needed > REGION_BYTES[sizeClass]!) {
      table.openRef[slot] = this.open.enlarge(table.openRef[slot]!, sizeClass, used);
      table.openClass[slot] = ++sizeClass;
    }
    const ref = table.openRef[slot]!;
    const { bytes } = this.pool.slabOf(ref);
    const offset = offsetOf(ref);
    if (starts === null) {
      xorAppend(table.xor, slot, bytes, offset, timestampMs, valueLow, valueHigh);
    } else {
      const { xor } = table;
      const startMs = keptStartMs(startTimestampMs);
      xor2Append(xor, starts, slot, bytes, offset, timestampMs, valueLow, valueHigh, startMs);
    }
    this.#show(slot, timestampMs);
    return true;
  }

  /** As {@link append}, for a histogram. */
  appendHistogram(slot: Slot, sample: HistogramSample): boolean {
    const { table } = this;
    const { timestampMs } = sample;
    if (!(timestampMs > table.maxMs[slot]!)) return false;
    if (table.openRef[slot] !== 0) {
      if (table.xor.count[slot]! > 0) this.#seal(slot);
      this.#dropOpenFloats(slot);
    }
    const isFirst = !this.histograms.has(slot);
    const completed = this.histograms.append(slot, sample);
    if (completed !== null) this.#sealChunk(slot, completed);
    if (isFirst || completed !== null) this.#metrics.chunksCreated.inc();
    this.#show(slot, timestampMs);
    return true;
  }

  /** Makes the appended sample visible. */
  #show(slot: Slot, timestampMs: number): void {
    const { table } = this;
    table.maxMs[slot] = timestampMs;
    table.appended[slot] = table.appended[slot]! + 1;
    if (table.isIndexed[slot] === 0) table.index(slot);
    if (timestampMs > this.#maxMs) this.#maxMs = timestampMs;
    if (timestampMs < this.#minMs) this.#minMs = timestampMs;
  }

  /** True when the series' open chunk is one of histograms; such a series has no region. */
  endsInHistogram(slot: Slot): boolean {
    return this.table.openRef[slot] === 0 && this.histograms.has(slot);
  }

  /** True when the append state tells the series' newest sample whole: a float in an open chunk without start timestamps. */
  remembersNewest(slot: Slot): boolean {
    const { table } = this;
    return table.starts === null && table.openRef[slot] !== 0 && table.xor.count[slot]! > 0;
  }

  #sealHistograms(slot: Slot): void {
    const chunk = this.histograms.take(slot);
    if (chunk !== null) this.#sealChunk(slot, chunk);
  }

  /** The chunk that takes the next sample; its bytes are lent until then. Null when there is none. */
  openChunkOf(slot: Slot): (EncodedChunk & { readonly samples: number }) | null {
    const { table, pool } = this;
    const ref = table.openRef[slot]!;
    if (ref === 0) return this.histograms.chunkOf(slot);
    const samples = table.xor.count[slot]!;
    if (samples === 0) return null;
    return {
      encoding: this.#floatEncoding,
      bytes: pool.slabOf(ref).bytes,
      start: offsetOf(ref),
      length: xorByteLength(table.xor, slot),
      minMs: table.openMinMs[slot]!,
      maxMs: table.maxMs[slot]!,
      samples,
    };
  }

  /** Takes a logged sample that is not newer than the series; false when its open chunk has one of that time. */
  appendLate(
    slot: Slot,
    timestampMs: number,
    valueLow: number,
    valueHigh: number,
    startTimestampMs: number,
  ): boolean {
    const startMs = keptStartMs(startTimestampMs);
    if (!this.outOfOrder.insert(slot, timestampMs, valueLow, valueHigh, startMs)) return false;
    if (this.table.isIndexed[slot] === 0) this.table.index(slot);
    return true;
  }

  /** As {@link appendLate}, for a histogram; also false when it is too large to be kept in memory. */
  appendLateHistogram(slot: Slot, record: HistogramRecord): boolean {
    if (!this.outOfOrder.samples.histograms.fits(record.histogram)) return false;
    if (!this.outOfOrder.insertHistogram(slot, record)) return false;
    if (this.table.isIndexed[slot] === 0) this.table.index(slot);
    return true;
  }

  /** Gives the series the list of completed chunks `newest`, which were found on the disk. */
  attach(slot: Slot, newest: SealedRef): void {
    const { table, sealed } = this;
    // The series lived under two references, and the log has begun to fill it under the first.
    if (this.endsInHistogram(slot)) this.#sealHistograms(slot);
    else if (table.xor.count[slot]! > 0) this.#seal(slot);
    const list = sealed.merge(table.sealed[slot]!, newest);
    table.sealed[slot] = list.newest;
    this.#showRestored(slot, list.minMs, sealed.maxMsOf(list.newest));
  }

  /** Gives the series, which has no open chunk, the one of row `row` that it had in an earlier life, `source[start …]`. */
  restoreOpen(slot: Slot, from: OpenFloats, row: number, source: Uint8Array, start: number): void {
    const { table } = this;
    const bitLength = from.bitLengths[row]!;
    const length = (bitLength + 7) >>> 3;
    const { starts } = table;
    if (length < (starts === null ? 2 : 3) || length > REGION_BYTES.at(-1)!) {
      throw new DecodeError('a chunk of impossible length', start);
    }
    let sizeClass = 0;
    while (length > REGION_BYTES[sizeClass]!) sizeClass++;
    const ref = this.open.allocate(sizeClass);
    const { bytes } = this.pool.slabOf(ref);
    const offset = offsetOf(ref);
    for (let i = 0; i < length; i++) bytes[offset + i] = source[start + i]!;
    this.#openChunks++;
    this.#metrics.chunksCreated.inc();
    table.openRef[slot] = ref;
    table.openClass[slot] = sizeClass;
    table.openMinMs[slot] = from.minMs[row]!;
    table.openCutMs[slot] = from.cutMs[row]!;
    const { xor } = table;
    const maxMs = from.newestMs[row]!;
    xor.lastTimestampMs[slot] = maxMs;
    xor.lastDeltaMs[slot] = from.deltaMs[row]!;
    xor.lastValueWords[slot * 2] = from.valueWords[row * 2]!;
    xor.lastValueWords[slot * 2 + 1] = from.valueWords[row * 2 + 1]!;
    xor.bitLength[slot] = bitLength;
    xor.leading[slot] = from.leading[row]!;
    xor.trailing[slot] = from.trailing[row]!;
    xor.count[slot] = xorCount(bytes, offset);
    if (starts !== null) {
      const state = readStartState(source, start + length);
      starts.startMs[slot] = state.startMs;
      starts.distanceMs[slot] = state.distanceMs;
      starts.isStale[slot] = state.isStale ? 1 : 0;
    }
    this.#showRestored(slot, table.openMinMs[slot]!, maxMs);
  }

  /** As {@link restoreOpen}, of an encoding that this head does not go on with: the chunk is completed. */
  restoreEnded(slot: Slot, from: OpenFloats, row: number, source: Uint8Array, start: number): void {
    const { xor, starts } = this.table;
    const length = (from.bitLengths[row]! + 7) >>> 3;
    const isPlain = starts !== null;
    const isStale = !isPlain && readStartState(source, start + length).isStale;
    const encoding = isPlain ? CHUNK_ENCODING.xor : CHUNK_ENCODING.xor2;
    const times = { minMs: from.minMs[row]!, maxMs: from.newestMs[row]! };
    this.restoreCompleted(slot, { encoding, bytes: source, start, length, ...times });
    xor.lastValueWords[slot * 2] = isStale ? STALE_NAN_LOW : from.valueWords[row * 2]!;
    xor.lastValueWords[slot * 2 + 1] = isStale ? STALE_NAN_HIGH : from.valueWords[row * 2 + 1]!;
    if (starts !== null) starts.isStale[slot] = 0;
  }

  /** Gives the series a completed chunk, newer than all that it has, which no head chunk file has. */
  restoreCompleted(slot: Slot, chunk: EncodedChunk): void {
    this.#sealChunk(slot, chunk);
    this.#showRestored(slot, chunk.minMs, chunk.maxMs);
  }

  #showRestored(slot: Slot, minMs: number, maxMs: number): void {
    const { table } = this;
    table.maxMs[slot] = Math.max(table.maxMs[slot]!, maxMs);
    // Readers compare it with what it is later; that there are samples is all they take from the figure itself.
    table.appended[slot] = Math.max(1, table.appended[slot]!);
    if (table.isIndexed[slot] === 0) table.index(slot);
    this.#maxMs = Math.max(this.#maxMs, maxMs);
    this.#minMs = Math.min(this.#minMs, Math.max(minMs, this.#minValidMs));
  }

  /** Hides samples of the series in the interval. */
  addTombstone(ref: number, interval: Interval): void {
    this.tombstones.set(ref, addInterval(this.tombstones.get(ref) ?? [], interval));
  }

  /** Gives up the open chunk with its memory. */
  dropOpen(slot: Slot): void {
    this.histograms.take(slot);
    this.#dropOpenFloats(slot);
  }

  #dropOpenFloats(slot: Slot): void {
    const { table } = this;
    if (table.openRef[slot] === 0) return;
    this.open.release(table.openRef[slot]!, table.openClass[slot]!);
    table.openRef[slot] = 0;
    resetXorAppend(table.xor, slot);
    this.#openChunks--;
  }

  /** Cuts the open chunk where it must be cut; returns the number of samples in the chunk that takes the next one. */
  #prepareChunk(slot: Slot, timestampMs: number): number {
    const { table } = this;
    const { chunkRangeMs, samplesPerChunk } = this.options;
    let count = table.xor.count[slot]!;
    if (table.openRef[slot] === 0) {
      table.openRef[slot] = this.open.allocate(0);
      table.openClass[slot] = 0;
      this.#openChunks++;
      this.#metrics.chunksCreated.inc();
    }
    if (count > 0) {
      if (count === samplesPerChunk >> 2) {
        table.openCutMs[slot] = chunkEndMs(
          table.openMinMs[slot]!,
          table.maxMs[slot]!,
          table.openCutMs[slot]!,
          4,
        );
      }
      const isFull =
        timestampMs >= table.openCutMs[slot]! ||
        count >= samplesPerChunk * 2 ||
        xorByteLength(table.xor, slot) > XOR_CUT_BYTES;
      if (isFull) {
        this.#seal(slot);
        this.#metrics.chunksCreated.inc();
        count = 0;
      }
    }
    if (count === 0) {
      table.openMinMs[slot] = timestampMs;
      table.openCutMs[slot] = rangeEndMs(timestampMs, chunkRangeMs);
    }
    return count;
  }

  /** Moves the open chunk to the sealed ones; its region takes the next chunk. */
  #seal(slot: Slot): void {
    const { table } = this;
    const ref = table.openRef[slot]!;
    this.#sealChunk(slot, {
      encoding: this.#floatEncoding,
      bytes: this.pool.slabOf(ref).bytes,
      start: offsetOf(ref),
      length: xorByteLength(table.xor, slot),
      minMs: table.openMinMs[slot]!,
      maxMs: table.maxMs[slot]!,
    });
    resetXorAppend(table.xor, slot);
  }

  #sealChunk(slot: Slot, chunk: EncodedChunk): void {
    const { table } = this;
    const { encoding, bytes, start, length, minMs, maxMs } = chunk;
    const older = table.sealed[slot]!;
    const meta = { older, series: table.refs[slot]!, encoding, minMs, maxMs };
    table.sealed[slot] = this.sealed.add(bytes, start, length, meta);
  }
}
