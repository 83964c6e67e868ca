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

/** Slots of the encoder's table: four times the codes, so that probes stay short. */
const SLOT_COUNT = 1 << 14;

export function compress(data: Uint8Array): Uint8Array {
  const bits = new BitWriter(data.length);
  bits.write(CLEAR, 9);
  const table = codes;
  table.clear();
  let high = EOF;
  let width = 9;
  /** Counts one code; true when the codes were used up and the table has been cleared. */
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
  let prefix = -1;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i]!;
    if (prefix < 0) {
      prefix = byte;
      continue;
    }
    const key = (prefix << 8) | byte;
    const known = table.find(key);
    if (known !== 0) {
      prefix = known;
      continue;
    }
    bits.write(prefix, width);
    prefix = byte;
    if (!advance()) table.add(key, high);
  }
  if (prefix >= 0) {
    bits.write(prefix, width);
    advance();
  }
  bits.write(EOF, width);
  return bits.finish();
}

/** Codes by (prefix code, byte): open addressing, key in the upper 20 bits of a slot and code in the lower 12, 0 empty. */
class CodeTable {
  readonly #slots = new Uint32Array(SLOT_COUNT);

  find(key: number): number {
    const slots = this.#slots;
    for (let at = hash(key); ; at = (at + 1) & (SLOT_COUNT - 1)) {
      const slot = slots[at]!;
      if (slot === 0) return 0;
      if (slot >>> MAX_WIDTH === key) return slot & MAX_CODE;
    }
  }

  add(key: number, code: number): void {
    const slots = this.#slots;
    let at = hash(key);
    while (slots[at] !== 0) at = (at + 1) & (SLOT_COUNT - 1);
    slots[at] = (key << MAX_WIDTH) | code;
  }

  clear(): void {
    this.#slots.fill(0);
  }
}

/** One for all: a call ends before the next begins. Made anew for each packet it was the largest part of what a packet took. */
const codes = new CodeTable();

function hash(key: number): number {
  return ((key >>> 12) ^ key) & (SLOT_COUNT - 1);
}

/** Of the codes of one call; nothing is read that the call has not written. */
const starts = new Uint32Array(MAX_CODE + 1);
const lengths = new Uint16Array(MAX_CODE + 1);

/**
 * Inflates up to `maxBytes`. What follows the end mark is ignored, as Go does. A string of the dictionary is always a
 * stretch of the output: that of the code before and one byte more. So a code is its start and length there.
 */
export function decompress(data: Uint8Array, maxBytes: number): Uint8Array {
  let out = new Uint8Array(Math.min(maxBytes, Math.max(64, data.length * 3)));
  let size = 0;
  let accumulator = 0;
  let bitCount = 0;
  let at = 0;
  let width = 9;
  let high = EOF;
  let previousStart = 0;
  let previousLength = 0;
  for (;;) {
    while (bitCount < width) {
      if (at === data.length) throw new WireError('GOSSIP.MALFORMED', 'lzw: no end mark');
      accumulator |= data[at++]! << bitCount;
      bitCount += 8;
    }
    const code = accumulator & ((1 << width) - 1);
    accumulator >>>= width;
    bitCount -= width;
    if (code === EOF) return out.slice(0, size);
    if (code === CLEAR) {
      width = 9;
      high = EOF;
      previousLength = 0;
      continue;
    }
    // Defined before the code is looked up: it may be used in the very step that defines it, and then its last byte is the
    // first one it writes now.
    if (previousLength > 0 && high <= MAX_CODE) {
      starts[high] = previousStart;
      lengths[high] = previousLength + 1;
    }
    if (code > high) {
      throw new WireError('GOSSIP.MALFORMED', `lzw: code ${code} before it is defined`);
    }
    const length = code < CLEAR ? 1 : lengths[code]!;
    if (size + length > maxBytes) {
      throw new WireError('GOSSIP.TOO_LARGE', `lzw: more than ${maxBytes} bytes inflated`);
    }
    if (size + length > out.length) out = grown(out, size + length, maxBytes);
    if (code < CLEAR) out[size] = code;
    else copyForward(out, starts[code]!, size, length);
    previousStart = size;
    previousLength = length;
    size += length;
    if (high <= MAX_CODE) high++;
    if (high >= 1 << width && width < MAX_WIDTH) width++;
  }
}

/** Byte by byte, since the stretch may run into what it writes. */
function copyForward(data: Uint8Array, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i++) data[to + i] = data[from + i]!;
}

function grown(data: Uint8Array, neededBytes: number, maxBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(maxBytes, Math.max(neededBytes, 2 * data.length)));
  larger.set(data);
  return larger;
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
