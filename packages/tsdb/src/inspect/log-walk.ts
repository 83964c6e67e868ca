import type { File } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { FRAGMENT, FRAGMENT_HEADER_BYTES, PAGE_BYTES } from '../wal/segment.ts';
import { SegmentReader } from '../wal/segment-reader.ts';
import type { Zstd } from '../wal/zstd.ts';

/** A whole record of a segment and where it begins, or damage and where the last whole record before it ended. */
export type LogPiece =
  | { readonly kind: 'record'; readonly offset: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'damage';
      readonly offset: number;
      readonly goodBytes: number;
      readonly text: string;
      /** Nothing that can be read follows it. */
      readonly isTail: boolean;
    };

/**
 * Reads a segment to its end; behind damage it goes on at the first record that begins on a later page. Bytes of a record
 * are lent until the next piece.
 */
export function* walkSegment(file: File, path: string, zstd: Zstd): Iterable<LogPiece> {
  const size = file.size();
  let reader = new SegmentReader(file, path, { zstd });
  for (;;) {
    const offset = reader.offset;
    let bytes: Uint8Array | null;
    try {
      bytes = reader.next(size);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const [, at, text] = / at (\d+): (.*)$/s.exec(error.message) ?? [];
      const damagedAt = at === undefined ? offset : Number(at);
      const next = nextRecord(file, damagedAt, size);
      yield {
        kind: 'damage',
        offset: damagedAt,
        goodBytes: offset,
        text: text ?? error.message,
        isTail: next < 0,
      };
      if (next < 0) return;
      reader = new SegmentReader(file, path, { offset: next, zstd });
      continue;
    }
    if (bytes === null) return;
    yield { kind: 'record', offset, bytes };
  }
}

/** Where the first record behind the page of `damagedAt` begins, or −1. */
function nextRecord(file: File, damagedAt: number, size: number): number {
  const page = new Uint8Array(PAGE_BYTES);
  let start = damagedAt - (damagedAt % PAGE_BYTES) + PAGE_BYTES;
  for (; start < size; start += PAGE_BYTES) {
    const filled = file.read(page, 0, Math.min(PAGE_BYTES, size - start), start);
    for (let at = 0; at + FRAGMENT_HEADER_BYTES <= filled; ) {
      const kind = page[at]! & 7;
      if (kind === FRAGMENT.full || kind === FRAGMENT.first) return start + at;
      // What is left of a record that began before.
      if (kind !== FRAGMENT.middle && kind !== FRAGMENT.last) break;
      at += FRAGMENT_HEADER_BYTES + ((page[at + 1]! << 8) | page[at + 2]!);
    }
  }
  return -1;
}
