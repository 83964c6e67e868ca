import {
  ByteReader,
  ByteWriter,
  type Clock,
  crc32c,
  DecodeError,
  errorText,
  type Files,
  type Timer,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { type FileCache, placeInPage } from '../block/file-cache.ts';
import { CorruptionError } from '../errors.ts';
import type { TsdbMetrics } from '../metrics.ts';
import {
  decodePrefix,
  ENTRY_PREFIX_MAX_BYTES,
  encodeEntry,
  encodeFileHeader,
  HEAD_CHUNKS_HEADER_BYTES,
  type HeadChunkMeta,
  headChunkFileName,
  whereIsChunk,
} from './entry.ts';
import type { FoundEntries } from './found-entries.ts';
import { GrowingFile, PiecePool } from './growing-file.ts';
import type { HeadChunkPlace } from './place.ts';

/** A chunk's data, lent until the next call. */
export type HeadChunk = {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
};

export type HeadChunkFilesOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly cache: FileCache;
  /** Of the files, there; null keeps all chunks in memory and writes nothing, as a reader of a foreign directory must. */
  readonly directory: string | null;
  /** A file is not begun with less room than this. */
  readonly fileBytes: number;
};

/** With more than this waiting, whoever adds a chunk writes; below, it is done between other work. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** When this much cannot be written, as on a full disk, no samples are taken until it can. */
const MAX_STUCK_BYTES = 256 * 1024 * 1024;
/** A file is synced as it grows, so that little is left to do at its end. */
const SYNC_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 1_000;
/** Most entries are not longer. */
const USUAL_ENTRY_BYTES = 512;
/** A place is 32 bits wide elsewhere. */
const MAX_FILE_BYTES = 2 ** 32;
const CHECKSUM_BYTES = 4;

/**
 * The head's completed chunks on the disk. A chunk has its place, and can be read, as soon as it is added; it is written in
 * the background and its memory given back then. Layout in `head-chunk.md`.
 */
export class HeadChunkFiles {
  readonly #options: HeadChunkFilesOptions;
  readonly #pool = new PiecePool(MAX_WAITING_BYTES);
  /** Oldest first, numbers without a hole. */
  #files: GrowingFile[] = [];
  readonly #entry = new ByteWriter(4096);
  readonly #once = new Uint8Array(4096);
  #found: FoundEntries | null = null;
  #nextNumber = 1;
  #waitingBytes = 0;
  #isScheduled = false;
  #isClosed = false;
  #isFailing = false;
  #retry: Timer | null = null;
  /** Ends with the error, if there was one. */
  #syncing: Promise<unknown> | null = null;

  constructor(options: HeadChunkFilesOptions) {
    this.#options = { ...options, fileBytes: Math.min(options.fileBytes, MAX_FILE_BYTES) };
  }

  /**
   * Takes over the files that were there at start, oldest first; call before the first {@link add}. Out-of-order chunks in
   * `found` are not written again when the very same are added, until {@link forgetFound}.
   */
  restore(
    files: readonly { readonly number: number; readonly size: number }[],
    found: FoundEntries | null = null,
  ): void {
    const { files: disk, directory, cache } = this.#options;
    this.#found = found;
    for (const { number, size } of files) {
      const file = disk.open(`${directory}/${headChunkFileName(number)}`, 'r');
      this.#files.push(GrowingFile.existing(number, { file, cache, size }));
      this.#nextNumber = number + 1;
    }
  }

  /** From here on every chunk that is added is written. */
  forgetFound(): void {
    this.#found = null;
  }

  /** Bytes in memory that are not yet in a file. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** True while so much waits for a disk that does not take it that the head must not grow. */
  get isStuck(): boolean {
    return this.#isFailing && this.#waitingBytes > MAX_STUCK_BYTES;
  }

  get sizeBytes(): number {
    let bytes = 0;
    for (const file of this.#files) bytes += file.written;
    return bytes;
  }

  /** Appends the chunk in `bytes[start, end)`. Never throws for the disk's sake: what cannot be written stays in memory. */
  add(
    meta: HeadChunkMeta,
    chunk: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
  ): HeadChunkPlace {
    const entry = this.#entry;
    entry.reset();
    encodeEntry(entry, meta, chunk);
    const known = meta.isOutOfOrder ? this.#takeFound(entry.bytes()) : null;
    if (known !== null) return known;
    const file = this.#fileFor(entry.size);
    const offset = file.end;
    file.append(entry.bytes());
    this.#waitingBytes += entry.size;
    this.#schedule();
    return { file: file.number, offset };
  }

  /** Throws CorruptionError. */
  read(place: HeadChunkPlace): HeadChunk {
    return this.#readInPage(place) ?? this.#decode(place, ENTRY_PREFIX_MAX_BYTES, readThrough);
  }

  /** As {@link read}, for one walk over many chunks: leaves the cache as it is. */
  readOnce(place: HeadChunkPlace): HeadChunk {
    return this.#decode(place, USUAL_ENTRY_BYTES, (file, offset, length) =>
      file.readOnce(offset, length, this.#once),
    );
  }

  /** Where the next chunk will lie. What lies before it is on the disk when a {@link flush} called now has resolved. */
  position(): HeadChunkPlace {
    const last = this.#files.at(-1);
    if (last === undefined || last.isCut) return { file: this.#nextNumber, offset: 0 };
    return { file: last.number, offset: last.end };
  }

  /** The end of the newest chunk; file 0 when there is none. As {@link position}, but never of a file that is yet to come. */
  lastPlace(): HeadChunkPlace {
    const last = this.#files.at(-1);
    return { file: last?.number ?? 0, offset: last?.end ?? 0 };
  }

  /** Ends the current file: the next chunk goes into a new one, and this one can be removed without it. */
  cut(): void {
    this.#files.at(-1)?.cut();
    this.#schedule();
  }

  /** Resolves when all chunks added before are on the disk. Rejects with the system's error. */
  async flush(): Promise<void> {
    const { file: number, offset } = this.position();
    for (;;) {
      this.#write(true);
      const file = this.#files.find((candidate) => !isOnDisk(candidate, number, offset));
      if (file === undefined || this.#options.directory === null) return;
      this.#syncing ??= this.#sync(file);
      const error = await this.#syncing;
      if (error !== null) throw error;
    }
  }

  /** Removes the files before `number` that are complete, oldest first. Rejects with the system's error. */
  async removeBefore(number: number): Promise<void> {
    const { files: disk, directory } = this.#options;
    while (this.#files[0] !== undefined && this.#files[0].number < number) {
      const file = this.#files[0];
      if (directory !== null && !file.isComplete) return;
      this.#files.shift();
      file.close();
      if (directory !== null) await disk.unlink(`${directory}/${headChunkFileName(file.number)}`);
    }
  }

  /** Writes what waits, as far as the disk takes it, and closes the files. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.flush();
    } catch (error) {
      // The log has these samples too.
      this.#options.log.warn('head chunks were left unwritten', { err: errorText(error) });
    }
    this.#isClosed = true;
    this.#retry?.cancel();
    await this.#syncing;
    for (const file of this.#files) file.close();
  }

  /** Where the entry lies already, null when it was not found at start. */
  #takeFound(entry: Uint8Array): HeadChunkPlace | null {
    if (this.#found === null) return null;
    const place = this.#found.take(new ByteReader(entry, entry.length - CHECKSUM_BYTES).u32());
    if (place === null) return null;
    try {
      const file = this.#fileAt(place.file);
      const known = file?.readOnce(place.offset, entry.length, this.#once);
      return known?.every((byte, i) => byte === entry[i]) === true ? place : null;
    } catch (error) {
      // It was read a moment ago; written again it is whole whatever has become of it.
      this.#options.log.warn('a head chunk cannot be read any more and is written again', {
        file: headChunkFileName(place.file),
        offset: place.offset,
        err: errorText(error),
      });
      return null;
    }
  }

  #fileAt(number: number): GrowingFile | undefined {
    return this.#files[number - (this.#files[0]?.number ?? 0)];
  }

  #fileFor(size: number): GrowingFile {
    const last = this.#files.at(-1);
    if (last !== undefined && !last.isCut) {
      const isEmpty = last.end <= HEAD_CHUNKS_HEADER_BYTES;
      if (isEmpty || last.end + size <= this.#options.fileBytes) return last;
      last.cut();
    }
    const file = new GrowingFile(this.#nextNumber++, this.#pool);
    const header = new ByteWriter(HEAD_CHUNKS_HEADER_BYTES);
    encodeFileHeader(header);
    file.append(header.bytes());
    this.#waitingBytes += HEAD_CHUNKS_HEADER_BYTES;
    this.#files.push(file);
    return file;
  }

  #schedule(): void {
    if (this.#options.directory === null || this.#isClosed || this.#retry !== null) return;
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#writeInBackground();
      return;
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isClosed) this.#writeInBackground();
    });
  }

  #writeInBackground(): void {
    try {
      this.#write(false);
      if (this.#isFailing) this.#options.log.info('head chunks are written again');
      this.#isFailing = false;
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** Failures are counted, told once, and tried again: the chunks stay in memory. */
  #noteFailure(error: unknown): void {
    const { metrics, log, clock } = this.#options;
    metrics.headChunkWriteFailures.inc();
    if (!this.#isFailing) {
      log.error('head chunks cannot be written; they stay in memory', { err: errorText(error) });
    }
    this.#isFailing = true;
    this.#retry ??= clock.after(RETRY_MS, () => {
      this.#retry = null;
      if (!this.#isClosed) this.#writeInBackground();
    });
  }

  /** Writes what may be written now. A file is begun only when the one before it is on the disk. */
  #write(withTail: boolean): void {
    const { directory, files: disk, cache } = this.#options;
    if (directory === null || this.#isClosed) return;
    let isPreviousOnDisk = true;
    for (const file of this.#files) {
      if (file.isComplete) continue;
      if (!file.hasHandle) {
        if (!isPreviousOnDisk) return;
        file.attach(disk.open(`${directory}/${headChunkFileName(file.number)}`, 'w'), cache);
      }
      const before = file.written;
      try {
        file.write(withTail || file.isCut);
      } finally {
        this.#waitingBytes -= file.written - before;
      }
      const isDue = file.isCut || file.written - file.synced >= SYNC_BYTES;
      if (isDue && this.#syncing === null) this.#syncing = this.#sync(file);
      isPreviousOnDisk = file.isComplete;
    }
  }

  async #sync(file: GrowingFile): Promise<unknown> {
    try {
      const { files: disk, directory } = this.#options;
      await file.sync(async () => {
        if (directory !== null) await disk.datasyncDirectory(directory);
      });
      return null;
    } catch (error) {
      this.#noteFailure(error);
      return error;
    } finally {
      this.#syncing = null;
      this.#schedule();
    }
  }

  /** Null when the chunk does not lie in a page of the cache as a whole. */
  #readInPage(place: HeadChunkPlace): HeadChunk | null {
    const { file: number, offset } = place;
    const file = this.#fileAt(number)?.cachedAt(offset) ?? null;
    if (file === null) return null;
    try {
      const page = file.pageOf(offset);
      const at = placeInPage(offset);
      if (page.length - at < ENTRY_PREFIX_MAX_BYTES) return null;
      if (file.isWhole(offset)) {
        const { encoding, start, end } = whereIsChunk(page, at);
        return { encoding, bytes: page, start, length: end - start };
      }
      const { encoding, start, end } = decodePrefix(new ByteReader(page, at));
      if (end + CHECKSUM_BYTES > page.length) return null;
      if (crc32c(page, at, end) !== new ByteReader(page, end).u32()) {
        throw new CorruptionError(nameOf(place), 'wrong checksum');
      }
      file.markWhole(offset);
      return { encoding, bytes: page, start, length: end - start };
    } catch (cause) {
      throw damageAt(place, cause);
    }
  }

  /** `guess` bytes are asked for at first: when they hold the whole entry, it is not read again. */
  #decode(
    place: HeadChunkPlace,
    guess: number,
    read: (file: GrowingFile, offset: number, length: number) => Uint8Array,
  ): HeadChunk {
    const { file: number, offset } = place;
    const file = this.#fileAt(number);
    if (file === undefined) throw new CorruptionError(nameOf(place), 'no such head chunk file');
    try {
      const first = read(file, offset, Math.min(guess, file.end - offset));
      const { encoding, start, end } = decodePrefix(new ByteReader(first));
      const bytes =
        end + CHECKSUM_BYTES <= first.length ? first : read(file, offset, end + CHECKSUM_BYTES);
      const sum =
        (bytes[end]! << 24) | (bytes[end + 1]! << 16) | (bytes[end + 2]! << 8) | bytes[end + 3]!;
      if (crc32c(bytes, 0, end) !== sum >>> 0) {
        throw new CorruptionError(nameOf(place), 'wrong checksum');
      }
      return { encoding, bytes, start, length: end - start };
    } catch (cause) {
      throw damageAt(place, cause);
    }
  }
}

function damageAt(place: HeadChunkPlace, cause: unknown): unknown {
  return cause instanceof DecodeError
    ? new CorruptionError(nameOf(place), 'does not decode', { cause })
    : cause;
}

function readThrough(file: GrowingFile, offset: number, length: number): Uint8Array {
  return file.read(offset, length);
}

/** What the place is called in errors. */
function nameOf({ file, offset }: HeadChunkPlace): string {
  return `chunks_head/${headChunkFileName(file)} at ${offset}`;
}

/** Whether the file's part of all that lies before the place is on the disk. */
function isOnDisk(file: GrowingFile, number: number, offset: number): boolean {
  if (file.number > number) return true;
  if (file.number === number) return file.synced >= Math.min(offset, file.end);
  return file.isComplete;
}
