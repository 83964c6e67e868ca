import { ByteReader, crc32c, DecodeError } from '@pollux/base';
import type { ChunkMeta } from '../format/index-write.ts';
import type { WindowReader } from './window-reader.ts';

export const SERIES_ALIGN = 16;
const MAX_ENTRY_BYTES = 16 * 1024 * 1024;
/** While looking for the next whole entry behind damage, longer ones are not tried. */
const MAX_SOUGHT_BYTES = 64 * 1024;

/** A series entry as it lies in an index: `symbols` are the numbers of name, value, name, value … */
export type WalkedSeries = {
  readonly kind: 'series';
  readonly offset: number;
  readonly symbols: Uint32Array;
  readonly chunks: readonly ChunkMeta[];
};

export type SeriesFault = {
  readonly kind: 'fault';
  readonly offset: number;
  readonly text: string;
};

/**
 * Walks the entries of the series part of an index from `start` to `end` without the postings. Behind a damaged entry it
 * goes on at the next place where a whole one lies.
 */
export function* walkSeries(
  reader: WindowReader,
  start: number,
  end: number,
): Iterable<WalkedSeries | SeriesFault> {
  let at = start;
  while (at < end) {
    const padding = nonZero(reader, at, end);
    if (padding >= 0) yield { kind: 'fault', offset: padding, text: 'padding is not zero' };
    at += (SERIES_ALIGN - (at % SERIES_ALIGN)) % SERIES_ALIGN;
    if (at >= end) return;
    const entry = entryAt(reader, at, end, MAX_ENTRY_BYTES);
    if (typeof entry === 'string') {
      yield { kind: 'fault', offset: at, text: entry };
      at = nextEntry(reader, at + SERIES_ALIGN, end);
      continue;
    }
    const decoded = decodeEntry(entry.body, at);
    yield decoded;
    at = entry.end;
  }
}

/** The offset of the first byte before the next entry that is not zero, or −1. */
function nonZero(reader: WindowReader, at: number, end: number): number {
  const rest = at % SERIES_ALIGN;
  if (rest === 0) return -1;
  reader.offset = at;
  return reader.zeros(Math.min(SERIES_ALIGN - rest, end - at));
}

function nextEntry(reader: WindowReader, start: number, end: number): number {
  for (let at = start; at < end; at += SERIES_ALIGN) {
    const entry = entryAt(reader, at, end, MAX_SOUGHT_BYTES);
    // Zeros would pass for an empty entry; a real one has at least its two counts.
    if (typeof entry !== 'string' && entry.body.length >= 2) return at;
  }
  return end;
}

/** The whole entry at `at`, or what is wrong with it. The body is lent. */
function entryAt(
  reader: WindowReader,
  at: number,
  end: number,
  maxBytes: number,
): { readonly body: Uint8Array; readonly end: number } | string {
  reader.offset = at;
  try {
    const length = reader.uvarint();
    if (length > maxBytes || reader.offset + length + 4 > end)
      return 'a series entry reaches behind the end of its part';
    const bytes = reader.bytes(length + 4);
    if (crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32())
      return 'wrong checksum of a series entry';
    return { body: bytes.subarray(0, length), end: reader.offset };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return 'a series entry does not decode';
  }
}

function decodeEntry(body: Uint8Array, offset: number): WalkedSeries | SeriesFault {
  try {
    const source = new ByteReader(body);
    const labelCount = source.uvarint();
    if (labelCount > body.length) throw new DecodeError('more labels than bytes', 0);
    const symbols = new Uint32Array(labelCount * 2);
    for (let i = 0; i < symbols.length; i++) {
      const symbol = source.uvarint();
      if (symbol >= 2 ** 32) throw new DecodeError('symbol out of range', source.offset);
      symbols[i] = symbol;
    }
    const chunkCount = source.uvarint();
    if (chunkCount > body.length) throw new DecodeError('more chunks than bytes', 0);
    const chunks: ChunkMeta[] = [];
    let previousMaxMs = 0;
    let previousRef = 0;
    for (let i = 0; i < chunkCount; i++) {
      const minMs = i === 0 ? source.varint() : previousMaxMs + source.uvarint();
      const maxMs = minMs + source.uvarint();
      const ref = i === 0 ? source.uvarint() : previousRef + source.varint();
      chunks.push({ minMs, maxMs, ref });
      previousMaxMs = maxMs;
      previousRef = ref;
    }
    if (source.remaining > 0) throw new DecodeError('bytes behind the last chunk', source.offset);
    return { kind: 'series', offset, symbols, chunks };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: 'fault', offset, text: 'a series entry does not decode' };
  }
}
