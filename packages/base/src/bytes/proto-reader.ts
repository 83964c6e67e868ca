import { DecodeError } from './byte-reader.ts';

/** Protocol buffers wire types of the messages that are read. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const TWO_32 = 2 ** 32;

/**
 * Walks a protocol buffers message. A nested message is entered and left on the same reader, so nothing is allocated on
 * the way. Every bound is checked and no length is trusted; whatever does not fit is a {@link DecodeError}.
 */
export class ProtoReader {
  readonly data: Uint8Array;
  readonly #view: DataView;
  offset: number;
  #end: number;

  constructor(data: Uint8Array, start = 0, end = data.length) {
    this.data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.offset = start;
    this.#end = end;
  }

  get end(): number {
    return this.#end;
  }

  get isAtEnd(): boolean {
    return this.offset >= this.#end;
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const start = this.offset;
    const tag = this.uint();
    if (tag < 8 || tag >= TWO_32) throw new DecodeError('invalid field number', start);
    return tag;
  }

  /** Throws unless `tag` has this wire type. */
  expect(tag: number, wireType: number): void {
    if ((tag & 7) !== wireType) {
      throw new DecodeError(`field ${tag >>> 3} has wire type ${tag & 7}`, this.offset);
    }
  }

  /** An unsigned varint below 2^53. */
  uint(): number {
    const data = this.data;
    const first = this.offset < this.#end ? data[this.offset]! : 0x80;
    if (first < 0x80) {
      this.offset++;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      if (this.offset >= this.#end) throw truncated(this.offset);
      const byte = data[this.offset++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError('varint out of range', this.offset);
  }

  /** An int64 (two's complement varint); outside ±(2^53−1) it is clamped, as the widest range of time is written. */
  int64Clamped(): number {
    const data = this.data;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.offset >= this.#end) throw truncated(this.offset);
      const byte = data[this.offset++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        const value = (high | 0) * TWO_32 + (low >>> 0);
        return Math.min(Math.max(value, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
      }
    }
    throw new DecodeError('varint longer than 10 bytes', this.offset);
  }

  /** An int64 that must be below 2^53 in magnitude: a time of a sample. */
  int64(): number {
    const start = this.offset;
    const value = this.int64Clamped();
    if (value === Number.MAX_SAFE_INTEGER || value === -Number.MAX_SAFE_INTEGER) {
      throw new DecodeError('integer out of range', start);
    }
    return value;
  }

  /** A zigzag varint (sint32, sint64) below 2^52 in magnitude. */
  sint(): number {
    const value = this.uint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A double whose NaN payload does not matter. */
  double(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.offset, true);
    this.offset += 8;
    return value;
  }

  /** Copies a double bit by bit into element `index` of the array that `words` views. */
  doubleInto(words: Uint32Array, index: number): void {
    this.#need(8);
    words[index * 2] = this.#view.getUint32(this.offset, true);
    words[index * 2 + 1] = this.#view.getUint32(this.offset + 4, true);
    this.offset += 8;
  }

  /** UTF-8 text with its length in front; malformed text is refused. */
  text(): string {
    const count = this.#length();
    const start = this.offset;
    this.offset += count;
    return decodeText(this.data, start, this.offset);
  }

  /** Enters a nested message; give the result to {@link leave}. */
  enter(): number {
    const count = this.#length();
    const outer = this.#end;
    this.#end = this.offset + count;
    return outer;
  }

  leave(outerEnd: number): void {
    this.#end = outerEnd;
  }

  /** Passes over the value of a field that this reader does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        this.int64Clamped();
        return;
      case WIRE.fixed64:
        this.#need(8);
        this.offset += 8;
        return;
      case WIRE.bytes: {
        const count = this.#length();
        this.offset += count;
        return;
      }
      case WIRE.fixed32:
        this.#need(4);
        this.offset += 4;
        return;
      default:
        throw new DecodeError(`unknown wire type ${tag & 7}`, this.offset);
    }
  }

  #length(): number {
    const count = this.uint();
    this.#need(count);
    return count;
  }

  #need(count: number): void {
    if (this.offset + count > this.#end) throw truncated(this.offset);
  }
}

/** Malformed text is refused. */
export function decodeText(data: Uint8Array, start: number, end: number): string {
  try {
    return strictText.decode(data.subarray(start, end));
  } catch {
    throw new DecodeError('text is not valid UTF-8', start);
  }
}

function truncated(offset: number): DecodeError {
  return new DecodeError('message ends too early', offset);
}
