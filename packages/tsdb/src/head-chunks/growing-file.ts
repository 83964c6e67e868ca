import { assert, DecodeError, type File } from '@pollux/base';
import type { CachedFile, FileCache } from '../block/file-cache.ts';

/** What is in memory of a file comes in pieces of this size, a multiple of the cache's pages. */
export const PIECE_BYTES = 256 * 1024;

/** Memory of pieces that have been written, for the next ones. */
export class PiecePool {
  readonly #free: Uint8Array[] = [];
  readonly #max: number;

  constructor(maxBytes: number) {
    this.#max = Math.floor(maxBytes / PIECE_BYTES);
  }

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(PIECE_BYTES);
  }

  give(piece: Uint8Array): void {
    if (this.#free.length < this.#max) this.#free.push(piece);
  }
}

/**
 * A file that grows at its end. Every byte can be read from the moment it is appended: what is not yet in the file, and
 * the last piece while it may grow, is in memory; the rest is read from the file through the cache.
 *
 * ```
 * 0 ………… released ………… written ………… end
 *   file only │  both, or memory only  │
 * ```
 */
export class GrowingFile {
  readonly number: number;
  readonly #pool: PiecePool;
  readonly #pieces: Uint8Array[] = [];
  #end = 0;
  #written = 0;
  #released = 0;
  #synced = 0;
  #isCut = false;
  #handle: File | null = null;
  #cached: CachedFile | null = null;

  constructor(number: number, pool: PiecePool) {
    this.number = number;
    this.#pool = pool;
  }

  /** A file of an earlier process, of which the first `size` bytes are good. */
  static existing(
    number: number,
    source: { file: File; cache: FileCache; size: number },
  ): GrowingFile {
    const file = new GrowingFile(number, new PiecePool(0));
    file.#end = source.size;
    file.#written = source.size;
    file.#released = source.size;
    file.#synced = source.size;
    file.#isCut = true;
    file.attach(source.file, source.cache);
    return file;
  }

  /** Bytes appended. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that are in the file. */
  get written(): number {
    return this.#written;
  }

  /** Bytes that are known to be on the disk. */
  get synced(): number {
    return this.#synced;
  }

  /** True when nothing is appended any more. */
  get isCut(): boolean {
    return this.#isCut;
  }

  get isComplete(): boolean {
    return this.#isCut && this.#synced === this.#end;
  }

  get hasHandle(): boolean {
    return this.#handle !== null;
  }

  /** Gives the file on the disk, which this object closes. */
  attach(handle: File, cache: FileCache): void {
    this.#handle = handle;
    this.#cached = cache.addGrowing(handle);
  }

  append(bytes: Uint8Array): void {
    assert(!this.#isCut, 'a cut file grows');
    let done = 0;
    while (done < bytes.length) {
      const inPiece = this.#end % PIECE_BYTES;
      if (inPiece === 0) this.#pieces.push(this.#pool.take());
      const count = Math.min(bytes.length - done, PIECE_BYTES - inPiece);
      this.#pieces.at(-1)!.set(bytes.subarray(done, done + count), inPiece);
      done += count;
      this.#end += count;
    }
  }

  cut(): void {
    this.#isCut = true;
  }

  /** Writes full pieces, with `withTail` everything, and lets the memory go of what cannot change. */
  write(withTail: boolean): void {
    const handle = this.#handle;
    assert(handle !== null, 'write to a file that is not there');
    while (this.#written < this.#end) {
      const inPiece = this.#written % PIECE_BYTES;
      const pieceStart = this.#written - inPiece;
      const length = Math.min(PIECE_BYTES, this.#end - pieceStart) - inPiece;
      const isFull = inPiece + length === PIECE_BYTES;
      if (!isFull && !withTail) break;
      const piece = this.#pieces[(pieceStart - this.#released) / PIECE_BYTES]!;
      handle.write(piece, inPiece, length, this.#written);
      this.#written += length;
    }
    this.#release();
  }

  /** Resolves when what has been written before the call is on the disk; for a new file, `syncName` sees to its name. */
  async sync(syncName: () => Promise<void>): Promise<void> {
    const upTo = this.#written;
    await this.#handle?.datasync();
    if (this.#synced === 0) await syncName();
    this.#synced = Math.max(this.#synced, upTo);
  }

  /** The bytes `[offset, offset + length)`, lent until the next append or write. Throws DecodeError behind the end. */
  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.#end) {
      throw new DecodeError(`${length} bytes needed behind the end of the file`, offset);
    }
    if (offset + length <= this.#released) return this.#cached!.read(offset, length);
    const inPiece = offset % PIECE_BYTES;
    if (offset >= this.#released && inPiece + length <= PIECE_BYTES) {
      return this.#pieceAt(offset).subarray(inPiece, inPiece + length);
    }
    const whole = new Uint8Array(length);
    let done = 0;
    if (offset < this.#released) {
      done = this.#released - offset;
      whole.set(this.#cached!.read(offset, done));
    }
    while (done < length) {
      const from = (offset + done) % PIECE_BYTES;
      const count = Math.min(length - done, PIECE_BYTES - from);
      whole.set(this.#pieceAt(offset + done).subarray(from, from + count), done);
      done += count;
    }
    return whole;
  }

  /** The file as it is read through the cache, when the byte at `offset` is so. */
  cachedAt(offset: number): CachedFile | null {
    return offset >= 0 && offset < this.#released ? this.#cached : null;
  }

  /** As {@link read}, but leaves nothing in the cache; `target` takes what is read from the file. */
  readOnce(offset: number, length: number, target: Uint8Array): Uint8Array {
    if (offset + length > this.#released || length > target.length)
      return this.read(offset, length);
    const filled = this.#handle!.read(target, 0, length, offset);
    if (filled < length) throw new DecodeError('the file has shrunk', offset + filled);
    return target.subarray(0, length);
  }

  close(): void {
    this.#handle?.close();
    this.#handle = null;
  }

  #pieceAt(offset: number): Uint8Array {
    return this.#pieces[Math.floor((offset - this.#released) / PIECE_BYTES)]!;
  }

  #release(): void {
    while (this.#released + PIECE_BYTES <= this.#written) {
      this.#pool.give(this.#pieces.shift()!);
      this.#released += PIECE_BYTES;
    }
    if (this.#isCut && this.#written === this.#end && this.#released < this.#end) {
      const last = this.#pieces.shift();
      if (last !== undefined) this.#pool.give(last);
      this.#released = this.#end;
    }
  }
}
