import { ByteWriter } from '@pollux/base';
import { WireError } from '../errors.ts';

/*
 * LZW as Go's compress/lzw writes it with order LSB and literal width 8:
 *
 *   bits, least significant first   | 9..12 bits: CLEAR | code | code | … | EOF | zero padding |
 *
 *   0..255 literals · 256 CLEAR · 257 EOF · 258..4095 strings
 *
 * Both sides count `high` from 257 and raise it once per code; the width grows when high reaches 2^width. The encoder
 * clears when high reaches the last code, the decoder stops growing there.
 */
const CLEAR = 256;
const EOF = 257;
const MAX_WIDTH = 12;
const MAX_CODE = (1 << MAX_WIDTH) - 1;

export function compress(data: Uint8Array): Uint8Array {
  const bits = new BitWriter(data.length);
  bits.write(CLEAR, 9);
  const table = new Map<number, number>();
  let high = EOF;
  let width = 9;
  let prefix = -1;
  /** Counts one code; true when the table was full and has been cleared. */
  const advance = (): boolean => {
    high++;
    if (high === 1 << width) width++;
    if (high !== MAX_CODE) return false;
    bits.write(CLEAR, width);
    width = 9;
    high = EOF;
    table.clear();
    return true;
  };
  for (const byte of data) {
    if (prefix < 0) {
      prefix = byte;
      continue;
    }
    const key = (prefix << 8) | byte;
    const known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    bits.write(prefix, width);
    prefix = byte;
    if (!advance()) table.set(key, high);
  }
  if (prefix >= 0) {
    bits.write(prefix, width);
    advance();
  }
  bits.write(EOF, width);
  return bits.finish();
}

/** Inflates up to `maxBytes`. What follows the end mark is ignored, as Go does. */
export function decompress(data: Uint8Array, maxBytes: number): Uint8Array {
  const out = new ByteWriter(Math.min(maxBytes, Math.max(64, data.length * 4)));
  /** Per code: the code it extends, its last byte, its length. */
  const prefixes = new Uint16Array(MAX_CODE + 1);
  const suffixes = new Uint8Array(MAX_CODE + 1);
  const lengths = new Uint16Array(MAX_CODE + 1);
  for (let byte = 0; byte < 256; byte++) {
    suffixes[byte] = byte;
    lengths[byte] = 1;
  }
  const scratch = new Uint8Array(MAX_CODE + 1);
  let accumulator = 0;
  let bitCount = 0;
  let at = 0;
  let width = 9;
  let high = EOF;
  let previous = -1;
  for (;;) {
    while (bitCount < width) {
      if (at === data.length) throw new WireError('GOSSIP.MALFORMED', 'lzw: no end mark');
      accumulator |= data[at++]! << bitCount;
      bitCount += 8;
    }
    const code = accumulator & ((1 << width) - 1);
    accumulator >>>= width;
    bitCount -= width;
    if (code === EOF) return out.take();
    if (code === CLEAR) {
      width = 9;
      high = EOF;
      previous = -1;
      continue;
    }
    const isNew = code === high && previous >= 0;
    if (code > high || (code === high && !isNew) || (code > 257 && lengths[code] === 0 && !isNew)) {
      throw new WireError('GOSSIP.MALFORMED', `lzw: code ${code} before it is defined`);
    }
    // A code may be used in the very step that defines it; then it is the previous string and its own first byte.
    const source = isNew ? previous : code;
    const length = lengths[source]!;
    let walk = source;
    for (let i = length - 1; i > 0; i--) {
      scratch[i] = suffixes[walk]!;
      walk = prefixes[walk]!;
    }
    scratch[0] = suffixes[walk]!;
    if (isNew) scratch[length] = scratch[0]!;
    const written = isNew ? length + 1 : length;
    if (out.size + written > maxBytes) {
      throw new WireError('GOSSIP.TOO_LARGE', `lzw: more than ${maxBytes} bytes inflated`);
    }
    out.raw(scratch, 0, written);
    if (previous >= 0 && high <= MAX_CODE) {
      prefixes[high] = previous;
      suffixes[high] = scratch[0]!;
      lengths[high] = lengths[previous]! + 1;
    }
    previous = code;
    if (high <= MAX_CODE) high++;
    if (high >= 1 << width && width < MAX_WIDTH) width++;
  }
}

class BitWriter {
  readonly #out: ByteWriter;
  #accumulator = 0;
  #count = 0;

  constructor(expectedBytes: number) {
    this.#out = new ByteWriter(expectedBytes + 16);
  }

  write(code: number, width: number): void {
    this.#accumulator |= code << this.#count;
    this.#count += width;
    while (this.#count >= 8) {
      this.#out.u8(this.#accumulator & 0xff);
      this.#accumulator >>>= 8;
      this.#count -= 8;
    }
  }

  finish(): Uint8Array {
    if (this.#count > 0) this.#out.u8(this.#accumulator & 0xff);
    return this.#out.take();
  }
}
