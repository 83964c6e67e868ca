import { assert } from '../assert.ts';

const encoder = new TextEncoder();

/**
 * Appends to a growing buffer. Fixed-width integers are big-endian unless the name says LE; varints are LEB128, signed ones
 * zigzag, as Go's encoding/binary writes them. `bytes()` lends the buffer until the next write.
 */
export class ByteWriter {
  #data: Uint8Array;
  #view: DataView;
  #size = 0;

  constructor(initialBytes = 256) {
    this.#data = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#data.buffer);
  }

  get size(): number {
    return this.#size;
  }

  /** A view of what was written; valid until the next write or reset. */
  bytes(): Uint8Array {
    return this.#data.subarray(0, this.#size);
  }

  /** A copy that the caller owns. */
  take(): Uint8Array {
    return this.#data.slice(0, this.#size);
  }

  reset(): void {
    this.#size = 0;
  }

  /** Drops everything written after `size`. */
  truncate(size: number): void {
    this.#size = Math.min(this.#size, size);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#data[this.#size++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#size, value);
    this.#size += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#size, value);
    this.#size += 4;
  }

  u32le(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#size, value, true);
    this.#size += 4;
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#size, value);
    this.#size += 8;
  }

  /** A non-negative or negative integer below 2^53 in magnitude, as 64 bits two's complement. */
  i64(value: number): void {
    this.#reserve(8);
    const high = Math.floor(value / 2 ** 32);
    this.#view.setInt32(this.#size, high);
    this.#view.setUint32(this.#size + 4, value - high * 2 ** 32);
    this.#size += 8;
  }

  /** Not for values whose NaN payload matters; those travel as two 32-bit words. */
  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#size, value);
    this.#size += 8;
  }

  f64le(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#size, value, true);
    this.#size += 8;
  }

  /** Non-negative, below 2^53. */
  uvarint(value: number): void {
    // A wrong number here would be a wrong file later, where nobody can tell why. The text is made only then: it would cost
    // more than all the rest.
    if (!Number.isSafeInteger(value) || value < 0) assert(false, `uvarint of ${value}`);
    this.#reserve(8);
    let v = value;
    // Times take seven bytes; a division for each is most of what they cost. What is left below has less than 32 bits.
    if (v >= 2 ** 28) {
      const high = Math.floor(v / 2 ** 28);
      const low = v - high * 2 ** 28;
      for (let shift = 0; shift < 28; shift += 7) {
        this.#data[this.#size++] = ((low >>> shift) & 127) | 128;
      }
      v = high;
    }
    while (v >= 0x80) {
      this.#data[this.#size++] = (v & 127) | 128;
      v >>>= 7;
    }
    this.#data[this.#size++] = v;
  }

  /** Zigzag; magnitude below 2^52. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Below 2^64; a negative one as its two's complement, as protobuf's int64. */
  uvarint64(value: bigint): void {
    this.#reserve(10);
    let v = BigInt.asUintN(64, value);
    while (v >= 0x80n) {
      this.#data[this.#size++] = Number(v & 0x7fn) | 0x80;
      v >>= 7n;
    }
    this.#data[this.#size++] = Number(v);
  }

  raw(source: Uint8Array, start = 0, end = source.length): void {
    this.#reserve(end - start);
    this.#data.set(
      start === 0 && end === source.length ? source : source.subarray(start, end),
      this.#size,
    );
    this.#size += end - start;
  }

  /** UTF-8 without a length; returns the bytes written. */
  text(value: string): number {
    this.#reserve(value.length * 3);
    const { written } = encoder.encodeInto(value, this.#data.subarray(this.#size));
    this.#size += written;
    return written;
  }

  /** UTF-8 with its length as uvarint in front. */
  uvarintText(value: string): void {
    if (value.length < 0x80 && this.#shortAscii(value)) return;
    const data = encoder.encode(value);
    this.uvarint(data.length);
    this.raw(data);
  }

  /** Most texts of labels are such: no encoder and no allocation. False when it is none, and nothing is written. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const data = this.#data;
    const start = this.#size + 1;
    // Without a branch for each sign: what is not ASCII is written over.
    let all = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      all |= code;
      data[start + i] = code;
    }
    if (all >= 0x80) return false;
    data[start - 1] = length;
    this.#size = start + length;
    return true;
  }

  /** Overwrites four bytes at `offset`, which must have been written. */
  patchU32(offset: number, value: number): void {
    const isWritten = offset >= 0 && offset + 4 <= this.#size;
    if (!isWritten) assert(false, `patch of unwritten bytes at ${offset}`);
    this.#view.setUint32(offset, value);
  }

  zeros(count: number): void {
    this.#reserve(count);
    this.#data.fill(0, this.#size, this.#size + count);
    this.#size += count;
  }

  #reserve(count: number): void {
    const needed = this.#size + count;
    if (needed <= this.#data.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#data.length * 2));
    grown.set(this.#data.subarray(0, this.#size));
    this.#data = grown;
    this.#view = new DataView(grown.buffer);
  }
}
