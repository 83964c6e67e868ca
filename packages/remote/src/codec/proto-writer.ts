import { ByteWriter } from '@pollux/base';

const encoder = new TextEncoder();

/** Bytes that `value` (non-negative, below 2^53) takes as a varint. */
export function uintSize(value: number): number {
  let size = 1;
  let rest = value;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 128);
    size++;
  }
  return size;
}

/** Bytes that an int64 takes: a negative one always ten. */
export function int64Size(value: number): number {
  return value < 0 ? 10 : uintSize(value);
}

/** Writes an int64 as a two's complement varint. */
export function writeInt64(out: ByteWriter, value: number): void {
  if (value >= 0) out.uvarint(value);
  else out.uvarint64(BigInt.asUintN(64, BigInt(value)));
}

/** Writes a nested message or text: tag, length, bytes. */
export function writeBytes(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  out.uvarint(tag);
  out.uvarint(bytes.length);
  out.raw(bytes);
}

/** Fields of protocol buffers 3: a zero or empty value is not written. */
export function writeTextField(out: ByteWriter, tag: number, text: string): void {
  if (text === '') return;
  out.uvarint(tag);
  out.uvarintText(text);
}

/** Bytes that {@link writeTextField} writes, of a field number below 16. */
export function textFieldSize(text: string): number {
  if (text === '') return 0;
  const size = utf8Size(text);
  return 1 + uintSize(size) + size;
}

function utf8Size(text: string): number {
  // Most texts of labels are ASCII: nothing is made of those.
  for (let i = 0; i < text.length; i++)
    if (text.charCodeAt(i) >= 0x80) return encoder.encode(text).length;
  return text.length;
}

export function writeUintField(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.uvarint(tag);
  out.uvarint(value);
}

export function writeSintField(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.uvarint(tag);
  out.varint(value);
}

export function writeInt64Field(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.uvarint(tag);
  writeInt64(out, value);
}

/** Not for values whose NaN payload matters. Negative zero is written. */
export function writeDoubleField(out: ByteWriter, tag: number, value: number): void {
  if (Object.is(value, 0)) return;
  out.uvarint(tag);
  out.f64le(value);
}

/** Writes the message that `fill` builds as a field of `out`. Costs one small buffer; not for the way of samples. */
export function writeMessage(
  out: ByteWriter,
  tag: number,
  fill: (inner: ByteWriter) => void,
): void {
  const inner = new ByteWriter(128);
  fill(inner);
  writeBytes(out, tag, inner.bytes());
}
