/**
 * Writes bits from the most significant on into a buffer that grows, as all of Prometheus' chunks do. Numbers wider than
 * 32 bits travel as two words.
 */
export class BitWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #bitLength = 0;

  constructor(initialBytes = 256) {
    this.#bytes = new Uint8Array(initialBytes);
  }

  get byteLength(): number {
    return (this.#bitLength + 7) >>> 3;
  }

  /** The buffer, longer than {@link byteLength}; lent until the next write. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  /** Overwrites a byte that was written. */
  patch(at: number, byte: number): void {
    this.#bytes[at] = byte;
  }

  /** The low `width` (1 to 32) bits of `value`, which has no higher bits set. */
  bits(value: number, width: number): void {
    this.#reserve();
    const bytes = this.#bytes;
    let at = this.#bitLength >>> 3;
    const used = this.#bitLength & 7;
    this.#bitLength += width;
    let left = width;
    if (used !== 0) {
      const free = 8 - used;
      if (width <= free) {
        bytes[at] = bytes[at]! | (value << (free - width));
        return;
      }
      left = width - free;
      bytes[at] = bytes[at]! | (value >>> left);
      at++;
    }
    while (left >= 8) {
      left -= 8;
      bytes[at++] = value >>> left;
    }
    if (left > 0) bytes[at] = value << (8 - left);
  }

  /** 64 bits, as two words. */
  words(high: number, low: number): void {
    this.bits(high, 32);
    this.bits(low, 32);
  }

  /** A whole number of magnitude up to 2^53, two's complement, in `width` (33 to 64) bits. */
  wide(value: number, width: number): void {
    const high = Math.floor(value / 2 ** 32) >>> 0;
    this.bits(width === 64 ? high : high & (2 ** (width - 32) - 1), width - 32);
    this.bits(value >>> 0, 32);
  }

  /** `<varbit_int>`: a whole number of magnitude up to 2^53. */
  varbitInt(value: number): void {
    if (value === 0) this.bits(0, 1);
    else if (value >= -3 && value <= 4) this.bits(0x10 | (value & 0x7), 5);
    else if (value >= -31 && value <= 32) this.bits(0x180 | (value & 0x3f), 9);
    else if (value >= -255 && value <= 256) this.bits(0x1c00 | (value & 0x1ff), 13);
    else if (value >= -2047 && value <= 2048) this.bits(0x1e000 | (value & 0xfff), 17);
    else if (value >= -131071 && value <= 131072) this.bits(0xf80000 | (value & 0x3ffff), 24);
    else if (value >= -16777215 && value <= 16777216) {
      this.bits(0x7e, 7);
      this.bits(value & 0x1ffffff, 25);
    } else {
      // All up to 2^53 fit into 56 bits; the class of 64 is never needed.
      this.bits(0xfe, 8);
      this.wide(value, 56);
    }
  }

  /** `<varbit_uint>`: a whole number from 0 to 2^53. */
  varbitUint(value: number): void {
    if (value === 0) this.bits(0, 1);
    else if (value <= 7) this.bits(0x10 | value, 5);
    else if (value <= 63) this.bits(0x180 | value, 9);
    else if (value <= 511) this.bits(0x1c00 | value, 13);
    else if (value <= 4095) this.bits(0x1e000 | value, 17);
    else if (value <= 262143) this.bits(0xf80000 | value, 24);
    else if (value <= 33554431) {
      this.bits(0x7e, 7);
      this.bits(value, 25);
    } else {
      this.bits(0xfe, 8);
      this.wide(value, 56);
    }
  }

  /** Go's zigzag varint, which need not begin at a byte. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Go's varint of a whole number from 0 on, which need not begin at a byte. */
  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bits((rest % 128) + 128, 8);
      rest = Math.floor(rest / 128);
    }
    this.bits(rest, 8);
  }

  /** Room for one call of {@link bits}. */
  #reserve(): void {
    if ((this.#bitLength >>> 3) + 5 <= this.#bytes.length) return;
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
