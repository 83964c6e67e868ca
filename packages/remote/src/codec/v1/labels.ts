import { ByteWriter, DecodeError, ProtoReader, WIRE } from '@pollux/base';
import { Labels as LabelSet, type Labels } from '@pollux/model';
import { textFieldSize, writeTextField } from '../proto-writer.ts';

/** Tag of `labels` inside TimeSeries and Exemplar: field 1, bytes. */
export const LABELS_TAG = 0x0a;
/** Most labels of one series that are read. */
const MAX_LABELS = 10_000;

/**
 * The label fields of a TimeSeries, ready to be copied into any number of messages: the sender keeps them per series, so
 * label text is encoded once and not per batch.
 */
export function encodeLabels(labels: Labels): Uint8Array {
  const out = new ByteWriter(256);
  writeLabels(out, labels);
  return out.take();
}

export function writeLabels(out: ByteWriter, labels: Labels): void {
  for (let i = 0; i < labels.size; i++) {
    const name = labels.nameAt(i);
    const value = labels.valueAt(i);
    out.u8(LABELS_TAG);
    out.uvarint(textFieldSize(name) + textFieldSize(value));
    writeTextField(out, 0x0a, name);
    writeTextField(out, 0x12, value);
  }
}

/** What a label list was: a set, or why it is none. */
export type DecodedLabels =
  | { readonly kind: 'valid'; readonly labels: Labels }
  | { readonly kind: 'invalid'; readonly labels: Labels; readonly reason: string };

/**
 * Reads the label fields in `data[start, end)`, in any order. Malformed bytes are a DecodeError; a name that comes twice
 * or is empty makes the set invalid, which concerns this series only.
 */
export function decodeLabels(data: Uint8Array, start: number, end: number): DecodedLabels {
  const reader = new ProtoReader(data, start, end);
  const pairs: (readonly [string, string])[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag !== LABELS_TAG) throw new DecodeError('label expected', reader.offset);
    pairs.push(readLabel(reader));
    if (pairs.length > MAX_LABELS) throw new DecodeError('too many labels', reader.offset);
  }
  const labels = LabelSet.from(pairs);
  const names = new Set<string>();
  for (const [name] of pairs) {
    if (name === '') return { kind: 'invalid', labels, reason: 'empty label name' };
    if (names.has(name))
      return { kind: 'invalid', labels, reason: `duplicate label name "${name}"` };
    names.add(name);
  }
  return { kind: 'valid', labels };
}

/** Reads one Label message whose tag was just read. */
export function readLabel(reader: ProtoReader): readonly [string, string] {
  const outer = reader.enter();
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      reader.expect(tag, WIRE.bytes);
      name = reader.text();
    } else if (tag >>> 3 === 2) {
      reader.expect(tag, WIRE.bytes);
      value = reader.text();
    } else reader.skip(tag);
  }
  reader.leave(outer);
  return [name, value];
}
