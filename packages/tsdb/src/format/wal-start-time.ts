import type { ByteReader, ByteWriter } from '@pollux/base';

/** How a record of the second version says an entry's start timestamp. */
const START = { unknown: 0, asBefore: 1, given: 2 } as const;

export function writeStart(
  target: ByteWriter,
  startMs: number,
  firstStartMs: number,
  previousStartMs: number,
): void {
  if (startMs === 0) target.u8(START.unknown);
  else if (startMs === previousStartMs) target.u8(START.asBefore);
  else {
    target.u8(START.given);
    target.varint(startMs - firstStartMs);
  }
}

export function readStart(
  source: ByteReader,
  firstStartMs: number,
  previousStartMs: number,
): number {
  const mark = source.u8();
  if (mark === START.unknown) return 0;
  return mark === START.asBefore ? previousStartMs : firstStartMs + source.varint();
}
