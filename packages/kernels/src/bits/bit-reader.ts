import { DecodeError } from '@pollux/base';

/** Reads what `BitWriter` writes. Every bound is checked: what ends early, or is out of range, throws DecodeError. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #endBit: number;
  #bit: number;
  /** The low word of the last {@link words}. */
  low = 0;

  /** Reads `bytes[start, end)`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#bit = start * 8;
    this.#endBit = Math.min(end, bytes.length) * 8;
  }

  /** Bits left, those that fill the last byte included. */
  get remaining(): number {
    return this.#endBit - this.#bit;
  }

  /** The next `width` (1 to 32) bits, unsigned. */
  bits(width: number): number {
    const bit = this.#bit;
    if (bit + width > this.#endBit) throw new DecodeError('chunk ends early', bit >>> 3);
    this.#bit = bit + width;
    const at = bit >>> 3;
    const shift = bit & 7;
    const bytes = this.#bytes;
    // Behind the end of the array zeros are read, and shifted out.
    const word =
      (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const aligned = shift === 0 ? word : (word << shift) | (bytes[at + 4]! >>> (8 - shift));
    return aligned >>> (32 - width);
  }

  /** The high word of the next 64 bits; the low one is in {@link low}. */
  words(): number {
    const high = this.bits(32);
    this.low = this.bits(32);
    return high;
  }

  varbitInt(): number {
    const width = this.#varbitWidth();
    if (width === 0) return 0;
    if (width <= 32) {
      const raw = this.bits(width);
      return raw > 2 ** (width - 1) ? raw - 2 ** width : raw;
    }
    const high = this.bits(width - 32);
    const low = this.bits(32);
    const half = 2 ** (width - 33);
    // As in the shorter classes the middle value is positive, except where all 64 bits are given.
    const isNegative = high > half || (high === half && (low > 0 || width === 64));
    return this.#safe((isNegative ? high - half * 2 : high) * 2 ** 32 + low);
  }

  varbitUint(): number {
    const width = this.#varbitWidth();
    if (width <= 32) return width === 0 ? 0 : this.bits(width);
    const high = this.bits(width - 32);
    return this.#safe(high * 2 ** 32 + this.bits(32));
  }

  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.bits(8);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return this.#safe(value);
    }
    return this.#safe(Number.NaN);
  }

  /** How many bits follow the prefix of ones, which is read. */
  #varbitWidth(): number {
    const at = this.#bit >>> 3;
    const pair = ((this.#bytes[at]! << 8) | this.#bytes[at + 1]!) << (16 + (this.#bit & 7));
    const ones = Math.min(8, Math.clz32(~pair));
    this.#bit += Math.min(8, ones + 1);
    if (this.#bit > this.#endBit) throw new DecodeError('chunk ends early', at);
    return VARBIT_WIDTHS[ones]!;
  }

  /** Whole numbers that a double does not hold exactly are refused rather than rounded. */
  #safe(value: number): number {
    if (Number.isSafeInteger(value)) return value;
    throw new DecodeError('integer beyond 2^53', this.#bit >>> 3);
  }
}

/** Bits of a `<varbit_int>` by the number of ones in front. */
const VARBIT_WIDTHS: readonly number[] = [0, 3, 6, 9, 12, 18, 25, 56, 64];
