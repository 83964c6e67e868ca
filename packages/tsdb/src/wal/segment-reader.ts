import { crc32c, type File } from '@pollux/base';
import { SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from '@pollux/kernels';
import { CorruptionError } from '../errors.ts';
import {
  FRAGMENT,
  FRAGMENT_HEADER_BYTES,
  PAGE_BYTES,
  SEGMENT_BYTES,
  SNAPPY_FLAG,
  ZSTD_FLAG,
} from './segment.ts';

/** A record may be no larger than a segment, before and after compression. */
const MAX_RECORD_BYTES = SEGMENT_BYTES;

/**
 * Reads the records of one segment file, a page at a time. It may follow a file that grows: {@link next} reads only up to
 * the offset it is given.
 */
export class SegmentReader {
  readonly #file: File;
  readonly #place: string;
  readonly #page = new Uint8Array(PAGE_BYTES);
  #pageStart = -1;
  #pageFilled = 0;
  #offset: number;

  /** `offset` must be the end of a record that was read before, or 0. */
  constructor(file: File, place: string, offset = 0) {
    this.#file = file;
    this.#place = place;
    this.#offset = offset;
  }

  /** The end of the last record read: give it to a later reader to go on from there. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * The next record that ends at or before `limit` (the file's size, or how far its writer has flushed), or null when
   * there is none. The bytes are the caller's. Throws CorruptionError.
   */
  next(limit: number): Uint8Array | null {
    const parts: Uint8Array[] = [];
    let size = 0;
    let flags = 0;
    let at = this.#offset;
    for (;;) {
      if (at >= limit) {
        if (parts.length > 0) throw this.#corrupt(at, 'the segment ends inside a record');
        return null;
      }
      const inPage = at % PAGE_BYTES;
      if (PAGE_BYTES - inPage < FRAGMENT_HEADER_BYTES) {
        at += PAGE_BYTES - inPage;
        continue;
      }
      this.#load(at, limit);
      const first = this.#page[inPage]!;
      const kind = first & 7;
      if (kind === FRAGMENT.pad) {
        this.#checkPadding(at, limit);
        at += PAGE_BYTES - inPage;
        // Nothing follows on this page: a writer that goes on does so on the next one.
        if (parts.length === 0) this.#offset = Math.min(at, limit);
        continue;
      }
      const fragment = this.#fragment(at, limit);
      const isFirst = kind === FRAGMENT.full || kind === FRAGMENT.first;
      if (kind > FRAGMENT.last || (first & 0xe0) !== 0) {
        throw this.#corrupt(at, `unexpected record type ${first}`);
      }
      if (isFirst !== (parts.length === 0)) throw this.#corrupt(at, 'unexpected fragment');
      if (isFirst) flags = first & (SNAPPY_FLAG | ZSTD_FLAG);
      parts.push(fragment);
      size += fragment.length;
      if (size > MAX_RECORD_BYTES) throw this.#corrupt(at, 'record too large');
      at += FRAGMENT_HEADER_BYTES + fragment.length;
      if (kind === FRAGMENT.full || kind === FRAGMENT.last) {
        const body = join(parts, size);
        const record = this.#decompress(body, flags, at);
        this.#offset = at;
        return record;
      }
    }
  }

  #fragment(at: number, limit: number): Uint8Array {
    const inPage = at % PAGE_BYTES;
    if (at + FRAGMENT_HEADER_BYTES > limit) throw this.#corrupt(at, 'a fragment header is cut off');
    const page = this.#page;
    const length = (page[inPage + 1]! << 8) | page[inPage + 2]!;
    const start = inPage + FRAGMENT_HEADER_BYTES;
    if (start + length > PAGE_BYTES) throw this.#corrupt(at, 'a fragment passes its page');
    if (at + FRAGMENT_HEADER_BYTES + length > limit) {
      throw this.#corrupt(at, 'a fragment is cut off');
    }
    const expected =
      ((page[inPage + 3]! << 24) |
        (page[inPage + 4]! << 16) |
        (page[inPage + 5]! << 8) |
        page[inPage + 6]!) >>>
      0;
    if (crc32c(page, start, start + length) !== expected) {
      throw this.#corrupt(at, 'wrong checksum');
    }
    return page.slice(start, start + length);
  }

  /** Prometheus refuses other bytes than zero in the rest of a page. */
  #checkPadding(at: number, limit: number): void {
    const end = Math.min(PAGE_BYTES, limit - this.#pageStart);
    for (let i = at % PAGE_BYTES; i < end; i++) {
      if (this.#page[i] !== 0) throw this.#corrupt(at, 'unexpected bytes in the padding of a page');
    }
  }

  #load(at: number, limit: number): void {
    const start = at - (at % PAGE_BYTES);
    const wanted = Math.min(PAGE_BYTES, limit - start);
    if (start === this.#pageStart && this.#pageFilled >= wanted) return;
    this.#page.fill(0);
    this.#pageFilled = this.#file.read(this.#page, 0, wanted, start);
    this.#pageStart = start;
  }

  #decompress(body: Uint8Array, flags: number, at: number): Uint8Array {
    if (flags === 0) return body;
    if (flags !== SNAPPY_FLAG) throw this.#corrupt(at, 'records compressed with zstd are not read');
    const size = snappyDecodedBytes(body, 0, body.length);
    if (size > MAX_RECORD_BYTES) throw this.#corrupt(at, 'record too large');
    const record = new Uint8Array(Math.max(0, size));
    if (snappyDecode(body, 0, body.length, record) === SNAPPY_MALFORMED) {
      throw this.#corrupt(at, 'a record does not decompress');
    }
    return record;
  }

  #corrupt(at: number, what: string): CorruptionError {
    return new CorruptionError(`${this.#place} at ${at}`, what);
  }
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
