import { type ProtoReader, WIRE } from '@pollux/base';
import { type Exemplar, Labels } from '@pollux/model';
import { readTimestamp } from './timestamp.ts';

/** The `Exemplar` message whose length stands at `at`. Moves the reader. */
export function readExemplar(reader: ProtoReader, at: number): Exemplar {
  reader.offset = at;
  const outer = reader.enter();
  const pairs: (readonly [string, string])[] = [];
  let value = 0;
  let timestampMs: number | null = null;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) pairs.push(readLabelPair(reader));
    else if (tag === 0x11) value = reader.double();
    else if (tag === 0x1a) timestampMs = readTimestamp(reader, tag);
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { labels: Labels.from(pairs), value, timestampMs };
}

/** A `LabelPair` message whose tag has been read. */
export function readLabelPair(reader: ProtoReader): readonly [string, string] {
  const outer = reader.enter();
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === (1 << 3) + WIRE.bytes) name = reader.text();
    else if (tag === (2 << 3) + WIRE.bytes) value = reader.text();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return [name, value];
}
