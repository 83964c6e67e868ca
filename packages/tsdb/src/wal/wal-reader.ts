import type { File, Files } from '@pollux/base';
import { createSampleColumns, type SampleColumns } from '../format/wal-record.ts';
import { decodeRecord, type WalRecord } from './records.ts';
import type { WalPosition } from './segment.ts';
import { type Damage, SegmentReader } from './segment-reader.ts';
import type { Zstd } from './zstd.ts';

export type WalReaderOptions = {
  readonly files: Files;
  /** Where to begin: the start of a segment, or a position that a reader gave before. */
  readonly from: WalPosition;
  /** Path of a segment's file (the log's own, or a hard link to it), or null when there is none. */
  readonly pathOf: (segment: number) => string | null;
  /**
   * How far the log has been written. Segments before it are complete; in its own segment nothing behind the offset is
   * read. An offset of Infinity means the end of that file.
   */
  readonly watermark: () => WalPosition;
  /** Default null: a record compressed with zstd is an error. */
  readonly zstd?: Zstd | null;
  /** Told of damage, behind which reading goes on. Without it damage is thrown. */
  readonly onDamage?: ((damage: Damage) => void) | null;
};

/** Reads decoded records across segment files, also while the last one grows. Synchronous; holds one file open. */
export class WalReader {
  readonly #options: WalReaderOptions;
  readonly #columns: SampleColumns = createSampleColumns(1024);
  #segment: number;
  #startOffset: number;
  #file: File | null = null;
  #reader: SegmentReader | null = null;
  #place = '';

  constructor(options: WalReaderOptions) {
    this.#options = options;
    this.#segment = options.from.segment;
    this.#startOffset = options.from.offset;
  }

  /** Behind the last record that {@link next} gave. */
  get position(): WalPosition {
    return { segment: this.#segment, offset: this.#reader?.offset ?? this.#startOffset };
  }

  /**
   * The next record, or null when everything up to the watermark has been read (call again later). Throws
   * CorruptionError for damaged bytes and the system's error when a file cannot be read.
   */
  next(): WalRecord | null {
    for (;;) {
      const watermark = this.#options.watermark();
      if (this.#segment > watermark.segment) return null;
      if (this.#reader === null && !this.#open()) {
        if (this.#segment >= watermark.segment) return null;
        // A segment without a file has been dropped; its samples are gone for this reader.
        this.#advance();
        continue;
      }
      const size = this.#file!.size();
      const isLast = this.#segment === watermark.segment;
      const limit = isLast ? Math.min(size, watermark.offset) : size;
      const bytes = this.#reader!.next(limit);
      if (bytes !== null) return decodeRecord(bytes, this.#columns, this.#place);
      if (isLast) return null;
      this.#advance();
    }
  }

  /** Goes on at the next segment, as after damage in this one. */
  skipSegment(): void {
    this.#advance();
  }

  close(): void {
    this.#startOffset = this.position.offset;
    this.#file?.close();
    this.#file = null;
    this.#reader = null;
  }

  #open(): boolean {
    const path = this.#options.pathOf(this.#segment);
    if (path === null) return false;
    this.#file = this.#options.files.open(path, 'r');
    this.#place = path;
    const { zstd = null, onDamage = null } = this.#options;
    this.#reader = new SegmentReader(this.#file, path, {
      offset: this.#startOffset,
      zstd,
      onDamage,
    });
    return true;
  }

  #advance(): void {
    this.#file?.close();
    this.#file = null;
    this.#reader = null;
    this.#segment++;
    this.#startOffset = 0;
  }
}
