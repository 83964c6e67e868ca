import { ByteCache, DecodeError, type File } from '@pollux/base';

const PAGE_BYTES = 64 * 1024;
/** Behind each page, a bit for every eight bytes of it: set when what begins there was found whole. */
const MARK_BYTES = PAGE_BYTES / 64;
/** Pages that stay however small the limit. */
const MIN_PAGES = 4;

/** Where the byte at `offset` of a file lies in its page. */
export function placeInPage(offset: number): number {
  return offset % PAGE_BYTES;
}

/**
 * Least for blocks, and which part of them: queries walk through pages in order, so a page that is read again costs 15 µs where its samples
 * take a millisecond to evaluate. What is asked for again and again should stay all the same, so large blocks have more.
 */
const MIN_BYTES = 16 * 1024 * 1024;
const PART_OF_FILES = 1 / 4;
/** Pages without a content that are kept for the next one that is read. */
const MAX_SPARE = 4;

/**
 * Pages of block files in memory, the least recently used first to go. The memory of one that goes is used again: left to the
 * engine, what was thrown out would stay until it collects, so that a cache of few pages took more memory than one of many. What is
 * read of a page is therefore lent until the next page is asked for, whoever asks.
 */
export class FileCache {
  readonly #maxBytes: number;
  readonly #pages: ByteCache;
  readonly #spare: Uint8Array[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = Math.max(MIN_PAGES * PAGE_BYTES, maxBytes);
    this.#pages = new ByteCache(this.#maxBytes, (page) => {
      if (page.length === PAGE_BYTES && this.#spare.length < MAX_SPARE) this.#spare.push(page);
    });
  }

  get bytes(): number {
    return this.#pages.bytes;
  }

  /** The blocks that are read through it have so many bytes. */
  fitTo(fileBytes: number): void {
    this.#pages.limitBytes = Math.min(
      this.#maxBytes,
      Math.max(MIN_BYTES, fileBytes * PART_OF_FILES),
    );
  }

  /** Pages asked for that were in memory, and that were read. */
  get lookups(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#pages.hits, misses: this.#pages.misses };
  }

  /** `file` stays the caller's to close. */
  add(file: File): CachedFile {
    return new CachedFile(this, file, this.#pages.addFile(), file.size());
  }

  /** A file that grows. The caller never reads a page of it that is not yet full. */
  addGrowing(file: File): CachedFile {
    return new CachedFile(this, file, this.#pages.addFile(), Number.POSITIVE_INFINITY);
  }

  /** Pages of closed files age out by themselves, since no key comes twice. */
  page(file: File, fileNumber: number, index: number): Uint8Array {
    const known = this.#pages.get(fileNumber, index);
    if (known !== undefined) return known;
    const buffer = this.#emptyPage();
    const filled = file.read(buffer, 0, PAGE_BYTES, index * PAGE_BYTES);
    // A page that came short of the file's end must not be kept: the disk may be well again at the next attempt.
    if (filled < PAGE_BYTES && index * PAGE_BYTES + filled < file.size()) {
      this.#spare.push(buffer);
      throw new DecodeError(
        'the disk gave fewer bytes than the file has',
        index * PAGE_BYTES + filled,
      );
    }
    const page = filled === PAGE_BYTES ? buffer : lastPage(buffer, filled);
    if (page !== buffer) this.#spare.push(buffer);
    this.#pages.put(fileNumber, index, page);
    return page;
  }

  #emptyPage(): Uint8Array {
    const spare = this.#spare.pop();
    if (spare === undefined)
      return new Uint8Array(new ArrayBuffer(PAGE_BYTES + MARK_BYTES), 0, PAGE_BYTES);
    new Uint8Array(spare.buffer, PAGE_BYTES, MARK_BYTES).fill(0);
    return spare;
  }
}

/** The page at the end of a file, in no more memory than it needs. */
function lastPage(buffer: Uint8Array, filled: number): Uint8Array {
  const page = new Uint8Array(new ArrayBuffer(filled + MARK_BYTES), 0, filled);
  page.set(buffer.subarray(0, filled));
  return page;
}

const NO_BYTES = new Uint8Array(0);

/** A file of which what is read never changes, read by position through the cache. */
export class CachedFile {
  readonly size: number;
  readonly #cache: FileCache;
  readonly #file: File;
  readonly #number: number;
  /** The page that {@link pageOf} gave last, and its marks. */
  #page: Uint8Array = NO_BYTES;
  #marks: Uint8Array = NO_BYTES;

  constructor(cache: FileCache, file: File, number: number, size: number) {
    this.#cache = cache;
    this.#file = file;
    this.#number = number;
    this.size = size;
  }

  /** The bytes `[offset, offset + length)`, to be read only, until the next page is asked for. Throws DecodeError behind the end of the file. */
  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new DecodeError(`${length} bytes needed behind the end of the file`, offset);
    }
    const first = Math.floor(offset / PAGE_BYTES);
    const start = offset - first * PAGE_BYTES;
    if (start + length <= PAGE_BYTES) {
      const part = this.#cache
        .page(this.#file, this.#number, first)
        .subarray(start, start + length);
      if (part.length < length) throw new DecodeError('the file has shrunk', offset);
      return part;
    }
    // Long parts (symbol tables) are read at once and not kept.
    const whole = new Uint8Array(length);
    if (length > 4 * PAGE_BYTES) {
      const filled = this.#file.read(whole, 0, length, offset);
      if (filled < length) throw new DecodeError('the file has shrunk', offset + filled);
      return whole;
    }
    let done = 0;
    while (done < length) {
      const at = offset + done;
      const index = Math.floor(at / PAGE_BYTES);
      const page = this.#cache.page(this.#file, this.#number, index);
      const from = at - index * PAGE_BYTES;
      const part = page.subarray(from, Math.min(page.length, from + length - done));
      if (part.length === 0) throw new DecodeError('the file has shrunk', at);
      whole.set(part, done);
      done += part.length;
    }
    return whole;
  }

  /**
   * The cached page that holds the byte at `offset`, to be read only, until the next is asked for; the byte lies at `placeInPage(offset)`. Throws DecodeError
   * behind the end of the file.
   */
  pageOf(offset: number): Uint8Array {
    if (offset < 0 || offset >= this.size) {
      throw new DecodeError('a byte needed behind the end of the file', offset);
    }
    const page = this.#cache.page(this.#file, this.#number, Math.floor(offset / PAGE_BYTES));
    if (page !== this.#page) {
      this.#page = page;
      this.#marks = new Uint8Array(page.buffer, page.length, MARK_BYTES);
    }
    return page;
  }

  /**
   * True when {@link markWhole} was called for what begins at `offset`, in the page that {@link pageOf} has just given, since
   * the page was read from the disk: its checksum need not be worked out again. Whatever is marked is at least eight bytes.
   */
  isWhole(offset: number): boolean {
    const unit = placeInPage(offset) >>> 3;
    return (this.#marks[unit >>> 3]! & (1 << (unit & 7))) !== 0;
  }

  markWhole(offset: number): void {
    const unit = placeInPage(offset) >>> 3;
    this.#marks[unit >>> 3]! |= 1 << (unit & 7);
  }

  /** Reads past the cache into the caller's memory; returns the bytes read, fewer only at the end. */
  readInto(target: Uint8Array, length: number, position: number): number {
    return this.#file.read(target, 0, length, position);
  }

  /** As {@link read}, for what is needed once, as when a block is opened: nothing stays in the cache. */
  readOnce(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new DecodeError(`${length} bytes needed behind the end of the file`, offset);
    }
    const bytes = new Uint8Array(length);
    const filled = this.#file.read(bytes, 0, length, offset);
    if (filled < length) throw new DecodeError('the file has shrunk', offset + filled);
    return bytes;
  }

  /** As {@link read}, but fewer bytes at the end of the file. */
  readUpTo(offset: number, length: number): Uint8Array {
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)));
  }
}
