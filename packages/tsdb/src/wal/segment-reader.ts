import type { File } from '@pollux/base';
import { crc32c, SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from '@pollux/kernels';
import { CorruptionError } from '../errors.ts';
import {
  FRAGMENT,
  FRAGMENT_HEADER_BYTES,
  PAGE_BYTES,
  SEGMENT_BYTES,
  SNAPPY_FLAG,
  ZSTD_FLAG,
} from './segment.ts';
import { type Zstd, ZstdNotLoaded } from './zstd.ts';

/** A record may be no larger than a segment, before and after compression. */
const MAX_RECORD_BYTES = SEGMENT_BYTES;

/** How often a page is asked for that the disk does not give. */
const READ_ATTEMPTS = 3;

/** Bytes of a segment that give no record: `[offset, endOffset)`. */
export type Damage = {
  readonly place: string;
  /** Where the first record that is lost begins. */
  readonly offset: number;
  /** Where reading goes on. */
  readonly endOffset: number;
  readonly reason: string;
  /** The disk did not give the bytes back: they may be sound, another time. */
  readonly isUnreadable: boolean;
};

export type SegmentReaderOptions = {
  /** The end of a record that was read before. Default 0. */
  readonly offset?: number;
  /** Without it a record compressed with zstd is an error. */
  readonly zstd?: Zstd | null;
  /** Told of damage, behind which reading then goes on. Without it damage is thrown as CorruptionError. */
  readonly onDamage?: ((damage: Damage) => void) | null;
  /** First byte of the records that are wanted: others are given as empty where that spares decompressing them. Default all. */
  readonly only?: number | null;
};

/** What is wrong at an offset, and where a sound fragment may begin again; never leaves this module. */
class Fault extends Error {
  readonly at: number;
  readonly resumeAt: number;

  constructor(at: number, resumeAt: number, reason: string, options?: { cause?: unknown }) {
    super(reason, options);
    this.at = at;
    this.resumeAt = resumeAt;
  }
}

/**
 * Reads the records of one segment file, a page at a time. It may follow a file that grows: {@link next} reads only up to
 * the offset it is given.
 *
 * With `onDamage` it survives any bytes: it goes on at the next fragment that begins a record and whose checksum holds,
 * behind the bad fragment when that one's length leads to a sound one, else on the next page.
 */
export class SegmentReader {
  readonly #file: File;
  readonly #place: string;
  readonly #zstd: Zstd | null;
  readonly #onDamage: ((damage: Damage) => void) | null;
  readonly #only: number | null;
  readonly #page = new Uint8Array(PAGE_BYTES);
  #pageStart = -1;
  #pageFilled = 0;
  #offset: number;
  /** Bodies of several fragments, and what they decompress to; used again for the next record. */
  #joined: Uint8Array = new Uint8Array(0);
  #decoded: Uint8Array = new Uint8Array(0);
  /** Damage begins here and no record has been found behind it yet; −1 for none. */
  #lostFrom = -1;
  #lostReason = '';
  #isUnreadable = false;

  constructor(file: File, place: string, options: SegmentReaderOptions = {}) {
    this.#file = file;
    this.#place = place;
    this.#offset = options.offset ?? 0;
    this.#zstd = options.zstd ?? null;
    this.#onDamage = options.onDamage ?? null;
    this.#only = options.only ?? null;
  }

  /** The end of the last record read: give it to a later reader to go on from there. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * The next record that ends at or before `limit` (the file's size, or how far its writer has flushed), or null when
   * there is none. The bytes are lent until the next call. Throws CorruptionError, ZstdNotLoaded (call again once it is)
   * or, without `onDamage`, the system's error.
   */
  next(limit: number): Uint8Array | null {
    for (;;) {
      try {
        const record = this.#read(limit);
        if (record === null) this.#tellLost(Math.max(limit, this.#offset));
        return record;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        if (this.#onDamage === null) throw this.#corruption(error);
        this.#lose(error.message);
        if (error.cause !== undefined) this.#isUnreadable = true;
        this.#offset = Math.min(error.resumeAt, limit);
      }
    }
  }

  #read(limit: number): Uint8Array | null {
    let at = this.#offset;
    let joined = -1;
    let flags = 0;
    for (;;) {
      const inPage = at % PAGE_BYTES;
      if (at >= limit) {
        if (joined >= 0) throw new Fault(at, limit, 'the segment ends inside a record');
        return null;
      }
      if (PAGE_BYTES - inPage < FRAGMENT_HEADER_BYTES) {
        at += PAGE_BYTES - inPage;
        continue;
      }
      this.#load(at, limit);
      const first = this.#page[inPage]!;
      const kind = first & 7;
      if (kind === FRAGMENT.pad) {
        this.#checkPadding(at, limit);
        const nextPage = at - inPage + PAGE_BYTES;
        if (joined >= 0) throw new Fault(at, nextPage, 'a record is broken off by empty bytes');
        at = this.#passEmpty(at, nextPage, limit);
        this.#offset = Math.min(at, limit);
        continue;
      }
      const length = this.#checkFragment(at, limit);
      const end = at + FRAGMENT_HEADER_BYTES + length;
      const isFirst = kind === FRAGMENT.full || kind === FRAGMENT.first;
      if (isFirst && joined >= 0) throw new Fault(at, at, 'a record begins inside another');
      if (!isFirst && joined < 0) throw new Fault(at, end, 'a record without its beginning');
      if (isFirst) {
        flags = first & (SNAPPY_FLAG | ZSTD_FLAG);
        this.#tellLost(at);
      }
      const start = inPage + FRAGMENT_HEADER_BYTES;
      if (kind === FRAGMENT.full) {
        const record = this.#decompress(this.#page, start, start + length, { flags, at, end });
        this.#offset = end;
        return record;
      }
      joined = this.#join(Math.max(0, joined), start, length, at);
      at = end;
      if (kind === FRAGMENT.last) {
        const record = this.#decompress(this.#joined, 0, joined, { flags, at, end });
        this.#offset = end;
        return record;
      }
    }
  }

  /**
   * Where to go on behind empty bytes from `start` to the page's `end`. They are normal at the end of a segment, whose last page is filled
   * up; a writer leaves neither whole empty pages nor empty bytes before other records, so these are lost.
   */
  #passEmpty(start: number, end: number, limit: number): number {
    if (this.#onDamage === null) return end;
    for (let at = end; at < limit; at += PAGE_BYTES) {
      this.#load(at, limit);
      if (this.#page.every((byte) => byte === 0)) continue;
      this.#lose('empty bytes between records');
      return at;
    }
    if (start % PAGE_BYTES === 0 || end < limit) this.#lose('empty pages');
    return limit;
  }

  /** The length of the fragment at `at`, whose bytes are on the loaded page and have their checksum. */
  #checkFragment(at: number, limit: number): number {
    const inPage = at % PAGE_BYTES;
    const nextPage = at - inPage + PAGE_BYTES;
    if (at + FRAGMENT_HEADER_BYTES > limit) {
      throw new Fault(at, nextPage, 'a fragment header is cut off');
    }
    const first = this.#page[inPage]!;
    if ((first & 7) > FRAGMENT.last || (first & 0xe0) !== 0) {
      throw new Fault(at, nextPage, `unexpected record type ${first}`);
    }
    const length = this.#lengthAt(inPage);
    const start = inPage + FRAGMENT_HEADER_BYTES;
    if (start + length > PAGE_BYTES) throw new Fault(at, nextPage, 'a fragment passes its page');
    const end = at + FRAGMENT_HEADER_BYTES + length;
    if (end > limit) throw new Fault(at, nextPage, 'a fragment is cut off');
    if (!this.#hasChecksum(inPage, length)) {
      throw new Fault(at, this.#isSound(end, limit) ? end : nextPage, 'wrong checksum');
    }
    return length;
  }

  /** Whether a fragment with contents and their checksum stands at `at`, on the loaded page. */
  #isSound(at: number, limit: number): boolean {
    const inPage = at % PAGE_BYTES;
    if (inPage + FRAGMENT_HEADER_BYTES > PAGE_BYTES || inPage === 0) return false;
    if (at + FRAGMENT_HEADER_BYTES > limit) return false;
    const first = this.#page[inPage]!;
    const kind = first & 7;
    if (kind === FRAGMENT.pad || kind > FRAGMENT.last || (first & 0xe0) !== 0) return false;
    const length = this.#lengthAt(inPage);
    const end = inPage + FRAGMENT_HEADER_BYTES + length;
    if (length === 0 || end > PAGE_BYTES || at - inPage + end > limit) return false;
    return this.#hasChecksum(inPage, length);
  }

  #lengthAt(inPage: number): number {
    return (this.#page[inPage + 1]! << 8) | this.#page[inPage + 2]!;
  }

  #hasChecksum(inPage: number, length: number): boolean {
    const page = this.#page;
    const expected =
      ((page[inPage + 3]! << 24) |
        (page[inPage + 4]! << 16) |
        (page[inPage + 5]! << 8) |
        page[inPage + 6]!) >>>
      0;
    const start = inPage + FRAGMENT_HEADER_BYTES;
    return crc32c(page, start, start + length) === expected;
  }

  /** Prometheus refuses other bytes than zero in the rest of a page. */
  #checkPadding(at: number, limit: number): void {
    const inPage = at % PAGE_BYTES;
    const end = Math.min(PAGE_BYTES, limit - this.#pageStart);
    for (let i = inPage; i < end; i++) {
      if (this.#page[i] === 0) continue;
      throw new Fault(at, at - inPage + PAGE_BYTES, 'unexpected bytes in the padding of a page');
    }
  }

  #load(at: number, limit: number): void {
    const start = at - (at % PAGE_BYTES);
    const wanted = Math.min(PAGE_BYTES, limit - start);
    if (start === this.#pageStart && this.#pageFilled >= wanted) return;
    this.#pageStart = -1;
    this.#page.fill(0);
    // A passing fault must not count as damage: who reads may then remove the segment.
    for (let attempt = 1; ; attempt++) {
      try {
        this.#pageFilled = this.#file.read(this.#page, 0, wanted, start);
        if (this.#pageFilled >= wanted) break;
        if (attempt === READ_ATTEMPTS)
          throw new Fault(at, start + PAGE_BYTES, 'the page is cut short');
      } catch (cause) {
        if (attempt < READ_ATTEMPTS) continue;
        // A page that the disk does not give back is lost like one with wrong bytes.
        if (this.#onDamage === null || cause instanceof Fault) throw cause;
        throw new Fault(at, start + PAGE_BYTES, 'the page cannot be read', { cause });
      }
    }
    this.#pageStart = start;
  }

  /** Puts a fragment behind the `size` bytes that were joined before; returns the new size. */
  #join(size: number, start: number, length: number, at: number): number {
    const total = size + length;
    if (total > MAX_RECORD_BYTES) {
      throw new Fault(at, at + FRAGMENT_HEADER_BYTES + length, 'record too large');
    }
    if (total > this.#joined.length) {
      const grown = new Uint8Array(Math.max(total, this.#joined.length * 2, PAGE_BYTES * 2));
      grown.set(this.#joined.subarray(0, size));
      this.#joined = grown;
    }
    this.#joined.set(this.#page.subarray(start, start + length), size);
    return total;
  }

  #decompress(
    source: Uint8Array,
    start: number,
    end: number,
    record: { readonly flags: number; readonly at: number; readonly end: number },
  ): Uint8Array {
    const { flags, at } = record;
    if (flags === 0) return source.subarray(start, end);
    if (flags === ZSTD_FLAG) {
      if (this.#zstd === null) throw new ZstdNotLoaded();
      const decoded = this.#zstd.decode(source.subarray(start, end), MAX_RECORD_BYTES);
      if (decoded !== null) return decoded;
      throw new Fault(at, record.end, 'a record does not decompress');
    }
    if (this.#only !== null && flags === SNAPPY_FLAG) {
      const first = snappyFirstByte(source, start, end);
      if (first >= 0 && first !== this.#only) return source.subarray(0, 0);
    }
    const size = flags === SNAPPY_FLAG ? snappyDecodedBytes(source, start, end) : -1;
    if (size > MAX_RECORD_BYTES) throw new Fault(at, record.end, 'record too large');
    if (size > this.#decoded.length) {
      this.#decoded = new Uint8Array(Math.max(size, this.#decoded.length * 2));
    }
    if (size < 0 || snappyDecode(source, start, end, this.#decoded) === SNAPPY_MALFORMED) {
      throw new Fault(at, record.end, 'a record does not decompress');
    }
    return this.#decoded.subarray(0, size);
  }

  /** The record that was being read is lost; what follows is, too, until one begins. */
  #lose(reason: string): void {
    if (this.#lostFrom >= 0) return;
    this.#lostFrom = this.#offset;
    this.#lostReason = reason;
  }

  #tellLost(endOffset: number): void {
    if (this.#lostFrom < 0) return;
    const damage = {
      place: this.#place,
      offset: this.#lostFrom,
      endOffset,
      reason: this.#lostReason,
      isUnreadable: this.#isUnreadable,
    };
    this.#lostFrom = -1;
    this.#isUnreadable = false;
    this.#onDamage?.(damage);
  }

  #corruption(fault: Fault): CorruptionError {
    return new CorruptionError(`${this.#place} at ${fault.at}`, fault.message, {
      cause: fault.cause,
    });
  }
}

/**
 * The first byte of a snappy block's content: a block begins with its length and a literal, since there is nothing yet to
 * copy. −1 when it does not.
 */
function snappyFirstByte(source: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && source[at]! >= 0x80) at++;
  const tag = ++at < end ? source[at]! : 3;
  if ((tag & 3) !== 0) return -1;
  // A length below 60 stands in the tag; longer ones take one to four bytes behind it.
  const first = at + 1 + Math.max(0, (tag >>> 2) - 59);
  return first < end ? source[first]! : -1;
}
