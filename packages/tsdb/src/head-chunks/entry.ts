import { type ByteReader, type ByteWriter, crc32c, DecodeError } from '@pollux/base';

/** Layout in `head-chunk.md`. */
export const HEAD_CHUNKS_MAGIC = 0x0130bc91;
export const HEAD_CHUNKS_HEADER_BYTES = 8;
const VERSION = 1;
const OUT_OF_ORDER_BIT = 0x80;
/** The series and the times of a chunk. */
const TIMES_BYTES = 8 + 8 + 8;
/** And its encoding, and the longest length. */
export const ENTRY_PREFIX_MAX_BYTES = TIMES_BYTES + 1 + 5;
/** No chunk of a writer is near it; a length beyond is damage. */
const MAX_DATA_BYTES = 64 * 1024 * 1024;

/** No chunk spans more, nearly 50 days: what the head notes of a chunk has 32 bits for it. */
export const MAX_CHUNK_SPAN_MS = 2 ** 32 - 1;

/** What stands in front of a chunk's data. Times in ms, both included. */
export type HeadChunkMeta = {
  readonly series: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly encoding: number;
  readonly isOutOfOrder: boolean;
};

/** A decoded prefix: the data lies in `[start, end)` of what was read, the checksum behind it. */
export type HeadChunkEntry = HeadChunkMeta & { readonly start: number; readonly end: number };

export function encodeFileHeader(target: ByteWriter): void {
  target.u32(HEAD_CHUNKS_MAGIC);
  target.u8(VERSION);
  target.zeros(3);
}

/** True when the file begins as one of this format. */
export function isFileHeader(source: ByteReader): boolean {
  return (
    source.remaining >= HEAD_CHUNKS_HEADER_BYTES &&
    source.u32() === HEAD_CHUNKS_MAGIC &&
    source.u8() === VERSION
  );
}

/** Appends one entry with the chunk in `data[start, end)`; `target` holds nothing else. */
export function encodeEntry(
  target: ByteWriter,
  meta: HeadChunkMeta,
  chunk: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
): void {
  target.i64(meta.series);
  target.i64(meta.minMs);
  target.i64(meta.maxMs);
  target.u8(meta.encoding | (meta.isOutOfOrder ? OUT_OF_ORDER_BIT : 0));
  target.uvarint(chunk.end - chunk.start);
  target.raw(chunk.bytes, chunk.start, chunk.end);
  target.u32(crc32c(target.bytes()));
}

/** Reads the prefix of an entry. Throws DecodeError when it is cut off or cannot be one. */
export function decodePrefix(source: ByteReader): HeadChunkEntry {
  const series = source.i64();
  const minMs = source.i64();
  const maxMs = source.i64();
  const flags = source.u8();
  const at = source.offset;
  const length = source.uvarint();
  if (length > MAX_DATA_BYTES) throw new DecodeError('chunk too long', at);
  if (series <= 0 || minMs > maxMs || maxMs - minMs > MAX_CHUNK_SPAN_MS) {
    throw new DecodeError('no reference or time of a chunk', at);
  }
  return {
    series,
    minMs,
    maxMs,
    encoding: flags & ~OUT_OF_ORDER_BIT,
    isOutOfOrder: (flags & OUT_OF_ORDER_BIT) !== 0,
    start: source.offset,
    end: source.offset + length,
  };
}

/** As {@link decodePrefix}, of an entry at `bytes[at]` that was found whole before. */
export function whereIsChunk(
  bytes: Uint8Array,
  at: number,
): Pick<HeadChunkEntry, 'encoding' | 'start' | 'end'> {
  let start = at + TIMES_BYTES;
  const encoding = bytes[start++]! & ~OUT_OF_ORDER_BIT;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[start++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { encoding, start, end: start + length };
  }
}

export function headChunkFileName(number: number): string {
  return String(number).padStart(6, '0');
}

/** The number in a file's name, or −1 for other files. */
export function headChunkFileNumber(name: string): number {
  return /^\d{6,}$/.test(name) ? Number(name) : -1;
}
