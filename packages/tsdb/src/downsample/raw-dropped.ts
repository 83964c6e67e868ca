import { ByteReader, ByteWriter, crc32c, DecodeError } from '@pollux/base';
import { CorruptionError } from '../errors.ts';

/** Layout in `bucket-chunk.md`. */
const VERSION = 1;

/** Of which series of a slice samples up to a time may be gone. */
export type RawDropped = {
  readonly untilMs: number;
  /** Every series, or a bit for each in the order of labels. */
  readonly series: 'all' | Uint8Array;
};

export function encodeRawDropped({ untilMs, series }: RawDropped): Uint8Array {
  const target = new ByteWriter();
  target.u8(VERSION);
  target.varint(untilMs);
  target.u8(series === 'all' ? 1 : 0);
  if (series !== 'all') target.raw(series);
  target.u32(crc32c(target.bytes()));
  return target.take();
}

/** Throws CorruptionError. */
export function decodeRawDropped(bytes: Uint8Array, place: string): RawDropped {
  try {
    const end = bytes.length - 4;
    if (end < 3 || new ByteReader(bytes, end).u32() !== crc32c(bytes, 0, end)) {
      throw new CorruptionError(place, 'wrong checksum');
    }
    const reader = new ByteReader(bytes, 0, end);
    const version = reader.u8();
    if (version !== VERSION) throw new CorruptionError(place, `version ${version} is not known`);
    const untilMs = reader.varint();
    const isAll = reader.u8() === 1;
    return { untilMs, series: isAll ? 'all' : bytes.slice(reader.offset, end) };
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CorruptionError(place, 'does not decode', { cause });
  }
}

export function isInBitmap(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

export function addToBitmap(bitmap: Uint8Array, index: number): void {
  bitmap[index >>> 3]! |= 1 << (index & 7);
}
