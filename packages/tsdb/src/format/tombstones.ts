import { ByteReader, ByteWriter, crc32c, DecodeError } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { addInterval, type Interval } from '../head/intervals.ts';

/** Layout in `tombstones.md`. */
export const TOMBSTONES_MAGIC = 0x0130ba30;
export const TOMBSTONES_VERSION = 1;

/** Deleted intervals by series reference. */
export type Tombstones = Map<number, readonly Interval[]>;

export function encodeTombstonesFile(tombstones: Tombstones): Uint8Array {
  const target = new ByteWriter();
  target.u32(TOMBSTONES_MAGIC);
  target.u8(TOMBSTONES_VERSION);
  const start = target.size;
  const refs = [...tombstones.keys()].sort((a, b) => a - b);
  for (const ref of refs) {
    for (const { minMs, maxMs } of tombstones.get(ref)!) {
      target.uvarint(ref);
      target.varint(minMs);
      target.varint(maxMs);
    }
  }
  target.u32(crc32c(target.bytes(), start));
  return target.take();
}

export function decodeTombstonesFile(bytes: Uint8Array, place: string): Tombstones {
  const tombstones: Tombstones = new Map();
  try {
    const end = bytes.length - 4;
    const source = new ByteReader(bytes, 0, end);
    if (source.u32() !== TOMBSTONES_MAGIC)
      throw new CorruptionError(place, 'is no tombstones file');
    if (source.u8() !== TOMBSTONES_VERSION)
      throw new CorruptionError(place, 'has an unknown version');
    const crc = new ByteReader(bytes, end).u32();
    if (crc32c(bytes, source.offset, end) !== crc)
      throw new CorruptionError(place, 'wrong checksum');
    while (source.remaining > 0) {
      const ref = source.uvarint();
      const minMs = source.varint();
      const maxMs = source.varint();
      tombstones.set(ref, addInterval(tombstones.get(ref) ?? [], { minMs, maxMs }));
    }
  } catch (cause) {
    if (cause instanceof DecodeError) {
      throw new CorruptionError(place, 'tombstones do not decode', { cause });
    }
    throw cause;
  }
  return tombstones;
}
