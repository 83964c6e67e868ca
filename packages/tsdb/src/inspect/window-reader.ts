import { DecodeError, type File } from '@pollux/base';
import { crc32c } from '@pollux/kernels';

const WINDOW_BYTES = 256 * 1024;

/** Reads a file through a window from one place to the next; bytes it gives are lent until the next call. */
export class WindowReader {
  readonly size: number;
  readonly #file: File;
  #window: Uint8Array;
  #windowStart = 0;
  #filled = 0;
  /** Where the next read begins; may be set. */
  offset: number;

  constructor(file: File, offset = 0, windowBytes = WINDOW_BYTES) {
    this.#file = file;
    this.size = file.size();
    this.offset = offset;
    this.#window = new Uint8Array(Math.min(windowBytes, Math.max(16, this.size)));
  }

  get remaining(): number {
    return this.size - this.offset;
  }

  /** Throws DecodeError behind the end of the file. */
  bytes(length: number): Uint8Array {
    const { offset } = this;
    if (length < 0 || offset < 0 || offset + length > this.size)
      throw new DecodeError(`${length} bytes needed behind the end of the file`, offset);
    if (offset < this.#windowStart || offset + length > this.#windowStart + this.#filled)
      this.#load(length);
    const from = offset - this.#windowStart;
    this.offset += length;
    return this.#window.subarray(from, from + length);
  }

  u8(): number {
    return this.bytes(1)[0]!;
  }

  u32(): number {
    const bytes = this.bytes(4);
    return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  }

  /** Below 2^53, else DecodeError. */
  uvarint(): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
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

  /** The CRC-32C of the next `length` bytes, however many they are; moves behind them. */
  crc(length: number): number {
    let crc = 0;
    for (let left = length; left > 0; ) {
      const part = this.bytes(Math.min(left, this.#window.length));
      crc = crc32c(part, 0, part.length, crc);
      left -= part.length;
    }
    return crc;
  }

  /** Moves to the next multiple of `unit`; the offset of a byte on the way that is not zero, or −1. */
  align(unit: number): number {
    const rest = this.offset % unit;
    return rest === 0 ? -1 : this.zeros(Math.min(unit - rest, this.remaining));
  }

  /** Moves over `length` bytes; the offset of the first that is not zero, or −1. */
  zeros(length: number): number {
    let found = -1;
    for (let left = length; left > 0; ) {
      const start = this.offset;
      const part = this.bytes(Math.min(left, this.#window.length));
      for (let i = 0; i < part.length && found < 0; i++) if (part[i] !== 0) found = start + i;
      left -= part.length;
    }
    return found;
  }

  #load(length: number): void {
    if (length > this.#window.length) this.#window = new Uint8Array(length);
    const wanted = Math.min(this.#window.length, this.size - this.offset);
    this.#windowStart = this.offset;
    this.#filled = this.#file.read(this.#window, 0, wanted, this.offset);
    if (this.#filled < length) throw new DecodeError('the file has shrunk', this.offset);
  }
}
