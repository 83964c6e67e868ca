import { OperatingError } from '../errors.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes ended early or held a number out of range. Every decoder that meets foreign bytes can throw it. */
export class DecodeError extends OperatingError {
  readonly offset: number;

  constructor(what: string, offset: number) {
    super('BASE.DECODE', `${what} at byte ${offset}`);
    this.offset = offset;
  }
}

/** Reads what {@link ByteWriter} writes, checking every bound; never trusts a length. */
export class ByteReader {
  readonly data: Uint8Array;
  /** Made when it is first needed: most readers are of a few bytes and short-lived. */
  #view: DataView | null = null;
  offset: number;
  readonly end: number;

  constructor(data: Uint8Array, start = 0, end = data.length) {
    this.data = data;
    this.offset = start;
    // Start and end often come from foreign bytes: what lies outside the data is simply not there.
    this.end = Math.min(end, data.length);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(): number {
    this.#need(1);
    return this.data[this.offset++]!;
  }

  u16(): number {
    this.#need(2);
    const { data, offset } = this;
    this.offset += 2;
    return (data[offset]! << 8) | data[offset + 1]!;
  }

  u32(): number {
    this.#need(4);
    const value = this.#word(this.offset) >>> 0;
    this.offset += 4;
    return value;
  }

  u32le(): number {
    this.#need(4);
    const value = this.#numbers().getUint32(this.offset, true);
    this.offset += 4;
    return value;
  }

  u64(): bigint {
    this.#need(8);
    const value = this.#numbers().getBigUint64(this.offset);
    this.offset += 8;
    return value;
  }

  /** A signed 64-bit integer whose magnitude must be below 2^53. */
  i64(): number {
    this.#need(8);
    const value = this.#word(this.offset) * 2 ** 32 + (this.#word(this.offset + 4) >>> 0);
    if (!Number.isSafeInteger(value)) throw new DecodeError('integer out of range', this.offset);
    this.offset += 8;
    return value;
  }

  f64(): number {
    this.#need(8);
    const value = this.#numbers().getFloat64(this.offset);
    this.offset += 8;
    return value;
  }

  f64le(): number {
    this.#need(8);
    const value = this.#numbers().getFloat64(this.offset, true);
    this.offset += 8;
    return value;
  }

  /** Below 2^53, else {@link DecodeError}. */
  uvarint(): number {
    const { data, end } = this;
    let at = this.offset;
    let short = 0;
    // Most have few bytes: the bits of four are a small integer.
    for (let shift = 0; shift < 28 && at < end; shift += 7) {
      const byte = data[at++]!;
      short |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.offset = at;
        return short;
      }
    }
    return this.#longUvarint();
  }

  #longUvarint(): number {
    let value = 0;
    let scale = 1;
    const start = this.offset;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError('varint out of range', start);
  }

  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  uvarint64(): bigint {
    let value = 0n;
    let shift = 0n;
    for (let i = 0; i < 10; i++) {
      const byte = this.u8();
      // The tenth byte has room for the 64th bit alone.
      if (i === 9 && byte > 1) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
    throw new DecodeError('varint out of range', this.offset);
  }

  /** Zigzag 64-bit. */
  varint64(): bigint {
    const value = this.uvarint64();
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  /** A view of the next `count` bytes; no copy. */
  raw(count: number): Uint8Array {
    this.#need(count);
    const part = this.data.subarray(this.offset, this.offset + count);
    this.offset += count;
    return part;
  }

  text(byteCount: number): string {
    return decoder.decode(this.raw(byteCount));
  }

  uvarintText(): string {
    return this.text(this.uvarint());
  }

  skip(count: number): void {
    this.#need(count);
    this.offset += count;
  }

  /** Four bytes, the highest first, as a signed number. */
  #word(at: number): number {
    const { data } = this;
    return (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
  }

  #numbers(): DataView {
    const { buffer, byteOffset, byteLength } = this.data;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    return this.#view;
  }

  #need(count: number): void {
    if (!(count >= 0 && this.offset >= 0 && this.offset + count <= this.end)) {
      throw new DecodeError(`${count} bytes needed, ${this.end - this.offset} left`, this.offset);
    }
  }
}
