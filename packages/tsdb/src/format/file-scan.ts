import { DecodeError } from '@pollux/base';
import { crc32c } from '@pollux/kernels';

/** What a scan reads: bytes by position. */
export type ScanSource = {
  readonly size: number;
  /** Reads at `position` into `target[0, length)`; returns the bytes read, fewer only at the end. */
  readInto(target: Uint8Array, length: number, position: number): number;
};

const WINDOW_BYTES = 256 * 1024;

/**
 * Reads bytes from front to back through one window of 256 KiB, past any cache: for walks over whole files. What it gives
 * is lent until the next call. Throws DecodeError behind the end.
 */
export class FileScan {
  readonly #source: ScanSource;
  #window = new Uint8Array(0);
  /** The window holds the file's `[#start, #start + #length)`. */
  #start = 0;
  #length = 0;
  #position: number;
  #crc = 0;
  /** Up to here the checksum goes; −1 while none is kept. */
  #checkedTo = -1;

  constructor(source: ScanSource, position = 0) {
    this.#source = source;
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  /** Goes to another place; not while a checksum is kept. */
  seek(position: number): void {
    this.#position = position;
  }

  bytes(length: number): Uint8Array {
    this.#ensure(length);
    const from = this.#position - this.#start;
    this.#position += length;
    return this.#window.subarray(from, from + length);
  }

  skip(length: number): void {
    // In steps, so that a checksum goes over what is skipped.
    for (let left = length; left > 0; ) {
      const step = Math.min(left, WINDOW_BYTES);
      this.#ensure(step);
      this.#position += step;
      left -= step;
    }
  }

  u32(): number {
    const bytes = this.bytes(4);
    return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      this.#ensure(1);
      const byte = this.#window[this.#position++ - this.#start]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new DecodeError('varint too long', this.#position);
  }

  /** From here on a CRC-32C is kept of all that is passed. */
  beginChecksum(): void {
    this.#crc = 0;
    this.#checkedTo = this.#position;
  }

  /** The checksum since {@link beginChecksum}. */
  endChecksum(): number {
    this.#catchUp();
    this.#checkedTo = -1;
    return this.#crc;
  }

  #ensure(length: number): void {
    const at = this.#position;
    if (at >= this.#start && at + length <= this.#start + this.#length) return;
    this.#catchUp();
    const { size } = this.#source;
    if (at < 0 || at + length > size) {
      throw new DecodeError(`${length} bytes needed behind the end of the file`, at);
    }
    const wanted = Math.min(Math.max(WINDOW_BYTES, length), size - at);
    if (this.#window.length < wanted) this.#window = new Uint8Array(wanted);
    this.#start = at;
    this.#length = 0;
    this.#length = this.#source.readInto(this.#window, wanted, at);
    if (this.#length < length) throw new DecodeError('the file has shrunk', at + this.#length);
  }

  /** Takes what was passed in the window into the checksum. */
  #catchUp(): void {
    if (this.#checkedTo < 0 || this.#checkedTo === this.#position) return;
    const from = this.#checkedTo - this.#start;
    this.#crc = crc32c(this.#window, from, this.#position - this.#start, this.#crc);
    this.#checkedTo = this.#position;
  }
}
