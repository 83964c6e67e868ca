import { type ProtoReader, WIRE } from '@pollux/base';

/** A `google.protobuf.Timestamp` behind `tag`, in whole milliseconds. */
export function readTimestamp(reader: ProtoReader, tag: number): number {
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  let seconds = 0;
  let nanos = 0;
  while (!reader.isAtEnd) {
    const field = reader.tag();
    if (field === 0x08) seconds = reader.int64();
    else if (field === 0x10) nanos = reader.int64();
    else reader.skip(field);
  }
  reader.leave(outer);
  return seconds * 1_000 + Math.trunc(nanos / 1_000_000);
}
