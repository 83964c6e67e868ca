import { ByteReader, ByteWriter } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';
import {
  decodeHistogramRecords,
  encodeHistograms,
  type HistogramRecord,
  histogramRecordType,
} from '../format/wal-histograms.ts';
import { type ChunkRef, offsetOf, type SlabPool } from '../head/slabs.ts';
import { PackedRecords } from './packed-records.ts';

/** What a histogram takes as a log record, buckets and spans apart; and at most each of these. */
const FIXED_BYTES = 128;
const BUCKET_BYTES = 10;
const SPAN_BYTES = 20;
/** Length u32. */
const HEADER_BYTES = 4;

/** Histograms in shared slabs, each as a log record of its own with its start timestamp. */
export class PackedHistograms {
  readonly #pool: SlabPool;
  readonly #records: PackedRecords;
  readonly #scratch = new ByteWriter();

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#records = new PackedRecords(pool);
  }

  /** False for one that may be larger than a slab: {@link add} cannot take it. */
  fits({ positiveBuckets, negativeBuckets, ...rest }: FloatHistogram): boolean {
    const buckets =
      positiveBuckets.length + negativeBuckets.length + (rest.customValues?.length ?? 0);
    const spans = rest.positiveSpans.length + rest.negativeSpans.length;
    return FIXED_BYTES + buckets * BUCKET_BYTES + spans * SPAN_BYTES <= this.#pool.slabBytes;
  }

  add(histogram: FloatHistogram, startTimestampMs: number): ChunkRef {
    const scratch = this.#scratch;
    scratch.reset();
    const record = { ref: 0, timestampMs: 0, startTimestampMs, histogram };
    encodeHistograms(scratch, histogramRecordType(histogram, true), [record]);
    const ref = this.#records.add(HEADER_BYTES + scratch.size);
    const { bytes, words } = this.#pool.slabOf(ref);
    words[offsetOf(ref) >>> 2] = scratch.size;
    bytes.set(scratch.bytes(), offsetOf(ref) + HEADER_BYTES);
    return ref;
  }

  /** The histogram owns its memory. */
  read(ref: ChunkRef): Pick<HistogramRecord, 'histogram' | 'startTimestampMs'> {
    const { bytes, words } = this.#pool.slabOf(ref);
    const start = offsetOf(ref) + HEADER_BYTES;
    const source = new ByteReader(bytes.subarray(start, start + words[offsetOf(ref) >>> 2]!));
    const type = source.u8();
    return decodeHistogramRecords(source, type)[0]!;
  }

  drop(ref: ChunkRef): void {
    this.#records.drop(ref);
  }
}
