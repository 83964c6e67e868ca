import { assert } from '@pollux/base';
import { BitWriter } from '../bits/bit-writer.ts';
import {
  type StartTimeState,
  startTimeHeader,
  startTimeState,
  writeStartTime,
} from '../bits/start-time.ts';
import {
  createXorValues,
  type WindowCodes,
  writeXorWindow,
  type XorValues,
} from '../bits/xor-value.ts';
import { STALE_HIGH, STALE_LOW, XOR2_HEADER_BYTES } from './xor2-decode.ts';

const MAX_SAMPLES = 0xffff;

/** Behind the prefix that says that the value has changed. */
const AFTER_PREFIX: WindowCodes = { last: 0b0, lastBits: 1, fresh: 0b1, freshBits: 1 };
/** Within the value code. */
const IN_VALUE: WindowCodes = { last: 0b10, lastBits: 2, fresh: 0b110, freshBits: 3 };

/** A chunk of floats with start timestamps that grows; byte for byte what Prometheus writes. Layout in `xor2-chunk.md`. */
export class Xor2Chunk {
  readonly #writer = new BitWriter();
  readonly #start: StartTimeState = startTimeState(0);
  /** The last value that was no stale marker. */
  readonly #value: XorValues = createXorValues(1, true);
  #count = 0;
  #lastMs = 0;
  #deltaMs = 0;

  constructor() {
    this.#writer.bits(0, XOR2_HEADER_BYTES * 8);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#writer.byteLength;
  }

  /** The chunk is in `[0, byteLength)`; lent until the next append. */
  get bytes(): Uint8Array {
    return this.#writer.buffer;
  }

  get lastTimestampMs(): number {
    return this.#lastMs;
  }

  /** Appends a sample later than the last one; a start timestamp of 0 is unknown. */
  append(timestampMs: number, low: number, high: number, startTimestampMs: number): void {
    assert(this.#count < MAX_SAMPLES, 'a XOR2 chunk got too many samples');
    const beforeMs = this.#lastMs;
    const isStale = high === STALE_HIGH && low === STALE_LOW;
    if (this.#count === 0) this.#writeFirst(timestampMs, low, high, isStale);
    else if (this.#count === 1) {
      this.#deltaMs = timestampMs - beforeMs;
      this.#writer.uvarint(this.#deltaMs);
      this.#writeValue(low, high, isStale);
    } else this.#writeJoint(timestampMs, low, high, isStale);
    this.#lastMs = timestampMs;
    const sample = { index: this.#count, nowMs: timestampMs, beforeMs };
    writeStartTime(this.#writer, this.#start, sample, startTimestampMs);
    this.#count++;
    this.#writer.patch(0, this.#count >>> 8);
    this.#writer.patch(1, this.#count & 0xff);
    this.#writer.patch(2, startTimeHeader(this.#start));
  }

  #writeFirst(timestampMs: number, low: number, high: number, isStale: boolean): void {
    this.#writer.varint(timestampMs);
    this.#writer.words(high, low);
    if (isStale) return;
    this.#value.words[0] = low;
    this.#value.words[1] = high;
  }

  /** Time and value of the third and later samples. */
  #writeJoint(timestampMs: number, low: number, high: number, isStale: boolean): void {
    const writer = this.#writer;
    const deltaMs = timestampMs - this.#lastMs;
    const change = deltaMs - this.#deltaMs;
    this.#deltaMs = deltaMs;
    if (change === 0) {
      if (isStale) writer.bits(0b11111, 5);
      else if (this.#isBase(low, high)) writer.bits(0b0, 1);
      else {
        writer.bits(0b10, 2);
        writeXorWindow(writer, this.#value, 0, low, high, AFTER_PREFIX);
      }
      return;
    }
    if (change >= -4096 && change <= 4095) writer.bits((0b110 << 13) | (change & 0x1fff), 16);
    else if (change >= -524288 && change <= 524287) {
      writer.bits((0b1110 << 20) | (change & 0xfffff), 24);
    } else {
      writer.bits(0b11110, 5);
      writer.wide(change, 64);
    }
    this.#writeValue(low, high, isStale);
  }

  #writeValue(low: number, high: number, isStale: boolean): void {
    if (isStale) this.#writer.bits(0b111, 3);
    else if (this.#isBase(low, high)) this.#writer.bits(0b0, 1);
    else writeXorWindow(this.#writer, this.#value, 0, low, high, IN_VALUE);
  }

  #isBase(low: number, high: number): boolean {
    const { words } = this.#value;
    return words[0] === low && words[1] === high;
  }
}
