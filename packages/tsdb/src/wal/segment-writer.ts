import { ByteWriter, type File, type Files } from '@pollux/base';
import { crc32c, SNAPPY_TABLE_SIZE, snappyEncode, snappyMaxEncodedBytes } from '@pollux/kernels';
import {
  FRAGMENT,
  FRAGMENT_HEADER_BYTES,
  PAGE_BYTES,
  SEGMENT_BYTES,
  SNAPPY_FLAG,
  segmentName,
  type WalPosition,
  ZSTD_FLAG,
} from './segment.ts';
import type { Zstd } from './zstd.ts';

/** How records are compressed; with the codec, which has been loaded, where it needs one. */
export type WalCompression = 'none' | 'snappy' | { readonly zstd: Zstd };

export type SegmentWriterOptions = {
  readonly files: Files;
  readonly directory: string;
  /** A multiple of the page size. */
  readonly segmentBytes?: number;
  /** Default `snappy`. */
  readonly compression?: WalCompression;
  /** Called after a segment has been finished and the next one begun. */
  readonly onCut?: (finished: number) => void;
  /** A finished segment could not be synced. */
  readonly onSyncError?: (path: string, error: unknown) => void;
};

/**
 * Appends records to numbered segment files. Each call of {@link write} reaches the file with one write; when that fails,
 * the file is cut back to where it was, so that no later record follows half a one.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #segmentBytes: number;
  readonly #staged = new ByteWriter(PAGE_BYTES * 2);
  readonly #snappyTable = new Uint16Array(SNAPPY_TABLE_SIZE);
  #packed = new Uint8Array(PAGE_BYTES);
  #file: File;
  #segment: number;
  #offset = 0;
  readonly #retiring = new Set<Promise<void>>();
  /** The newest sync of the current file; never rejects. */
  #syncing: Promise<void> = Promise.resolve();
  /** Why a finished segment could not be synced, until somebody was told. */
  #retiredError: unknown = null;
  /** Number of a segment that was created but could not be begun. */
  #unused = -1;
  /** Where in this segment the last {@link write} began; −1 when a part of it is in an earlier one, or it was taken back. */
  #writeStart = -1;

  /** Creates segment `first`, which must not exist. */
  constructor(options: SegmentWriterOptions, first: number) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#segment = first;
    this.#file = this.#create(first);
  }

  /** Everything before it is in the file. */
  get position(): WalPosition {
    return { segment: this.#segment, offset: this.#offset };
  }

  get path(): string {
    return `${this.#options.directory}/${segmentName(this.#segment)}`;
  }

  /**
   * Writes the records in one piece, into a new segment when they do not fit into this one. Records that do not fit
   * into a whole segment together are written in several pieces. Throws the system's error.
   */
  write(records: readonly Uint8Array[]): void {
    const packed = this.#compress(records);
    let size = 0;
    for (const [body] of packed) size += body.length + FRAGMENT_HEADER_BYTES;
    if (this.#offset > 0 && !this.#fits(size, this.#offset)) this.cut();
    let start = this.#offset;
    for (const [body, flag] of packed) {
      if (!this.#fits(body.length, this.#offset + this.#staged.size)) {
        this.#flush();
        this.cut();
        start = -1;
      }
      appendFragments(this.#staged, this.#offset, body, flag);
    }
    this.#flush();
    this.#writeStart = start;
  }

  /** Cuts the last {@link write} off again; false when the file does not take that, or holds a part of it only. */
  takeBack(): boolean {
    const start = this.#writeStart;
    if (start < 0) return false;
    try {
      this.#file.truncate(start);
    } catch {
      return false;
    }
    this.#offset = start;
    this.#writeStart = -1;
    return true;
  }

  /** Ends the segment and begins the next; the finished one is synced in the background. */
  cut(): void {
    this.#pad();
    const next = this.#create(this.#segment + 1);
    this.#retire(this.#file, this.path);
    this.#begin(next);
  }

  /** Resolves when everything written so far is on the disk, also what lies in segments that have been finished since. */
  async datasync(): Promise<void> {
    const sync = this.#file.datasync();
    // Who closes the file only waits for it; the failure is told below.
    this.#syncing = sync.catch(() => {});
    await Promise.all([sync, ...this.#retiring]);
    const error = this.takeRetiredError();
    if (error !== null) throw error;
  }

  /** Why a finished segment could not be synced since the last call or {@link datasync}; null when none failed. */
  takeRetiredError(): unknown {
    const error = this.#retiredError;
    this.#retiredError = null;
    return error;
  }

  /**
   * Begins the next segment and leaves this one as it is, without writing to it or syncing it again: after a failed sync
   * the system may have dropped what it could not write, and would call the next sync a success.
   */
  abandon(): void {
    const next = this.#create(this.#segment + 1);
    const left = this.#file;
    void this.#syncing.then(() => left.close());
    this.#begin(next);
  }

  /** Fills the last page, syncs and closes; waits for the segments that are still being synced. */
  async close(): Promise<void> {
    try {
      this.#pad();
      await this.#file.datasync();
    } finally {
      this.#file.close();
      await Promise.all(this.#retiring);
    }
  }

  #retire(file: File, path: string): void {
    // A sync of this file that is under way must not find it closed.
    const done = this.#syncing
      .then(() => file.datasync())
      .catch((error: unknown) => {
        this.#retiredError ??= error;
        this.#options.onSyncError?.(path, error);
      })
      .finally(() => {
        file.close();
        this.#retiring.delete(done);
      });
    this.#retiring.add(done);
  }

  #begin(file: File): void {
    const finished = this.#segment;
    this.#file = file;
    this.#segment = finished + 1;
    this.#offset = 0;
    this.#writeStart = -1;
    this.#options.onCut?.(finished);
  }

  #create(index: number): File {
    const { files, directory } = this.#options;
    const path = `${directory}/${segmentName(index)}`;
    // What an own attempt has left may be taken; another file of this name may not.
    const file = files.open(path, index === this.#unused ? 'w' : 'wx');
    try {
      // Without its name a segment is lost in a power loss, however well it is synced.
      files.syncDirectory(directory);
    } catch (error) {
      file.close();
      this.#unused = index;
      throw error;
    }
    return file;
  }

  /** Bodies, lent until the next call, with their flags: a record that does not get smaller stays as it is. */
  #compress(records: readonly Uint8Array[]): (readonly [Uint8Array, number])[] {
    const compression = this.#options.compression ?? 'snappy';
    if (compression === 'none') return records.map((record) => [record, 0]);
    if (compression === 'snappy') return this.#compressSnappy(records);
    return records.map((record) => {
      const body = compression.zstd.encode(record);
      return body.length < record.length ? [body, ZSTD_FLAG] : [record, 0];
    });
  }

  #compressSnappy(records: readonly Uint8Array[]): (readonly [Uint8Array, number])[] {
    let room = 0;
    for (const { length } of records) room += snappyMaxEncodedBytes(length);
    if (room > this.#packed.length) this.#packed = new Uint8Array(room);
    const packed = this.#packed;
    let start = 0;
    return records.map((record) => {
      const end = snappyEncode(record, 0, record.length, packed, start, this.#snappyTable);
      if (end - start >= record.length) return [record, 0];
      const body = packed.subarray(start, end);
      start = end;
      return [body, SNAPPY_FLAG];
    });
  }

  #fits(length: number, offset: number): boolean {
    const pages = this.#segmentBytes / PAGE_BYTES;
    const page = Math.floor(offset / PAGE_BYTES);
    const used = offset % PAGE_BYTES;
    let left = PAGE_BYTES - used - FRAGMENT_HEADER_BYTES;
    left += (PAGE_BYTES - FRAGMENT_HEADER_BYTES) * (pages - page - 1);
    return length <= left;
  }

  #flush(): void {
    const bytes = this.#staged.bytes();
    if (bytes.length === 0) return;
    const base = this.#offset;
    try {
      this.#file.write(bytes, 0, bytes.length, base);
    } catch (error) {
      try {
        this.#file.truncate(base);
      } catch {
        // The next write goes to the same position and overwrites the rest; a restart repairs it as a torn tail.
      }
      throw error;
    } finally {
      this.#staged.reset();
    }
    this.#offset = base + bytes.length;
  }

  #pad(): void {
    const used = this.#offset % PAGE_BYTES;
    // An empty page must not be written: it would tell a reader that the segment is done.
    if (used === 0) return;
    this.#staged.reset();
    this.#staged.zeros(PAGE_BYTES - used);
    this.#flush();
  }
}

/** Appends one record's fragments to `target`, whose first byte lies at `base` of the segment. */
export function appendFragments(
  target: ByteWriter,
  base: number,
  body: Uint8Array,
  flag: number,
): void {
  let start = 0;
  // The first fragment may be empty, when just its header fits onto the page.
  let isFirst = true;
  do {
    const used = (base + target.size) % PAGE_BYTES;
    const room = PAGE_BYTES - used - FRAGMENT_HEADER_BYTES;
    const end = Math.min(body.length, start + room);
    const isLast = end === body.length;
    let kind: number = FRAGMENT.middle;
    if (isFirst) kind = isLast ? FRAGMENT.full : FRAGMENT.first;
    else if (isLast) kind = FRAGMENT.last;
    target.u8(kind | flag);
    target.u16(end - start);
    target.u32(crc32c(body, start, end));
    target.raw(body, start, end);
    start = end;
    isFirst = false;
    const rest = PAGE_BYTES - ((base + target.size) % PAGE_BYTES);
    if (rest < FRAGMENT_HEADER_BYTES) target.zeros(rest);
  } while (start < body.length);
}
