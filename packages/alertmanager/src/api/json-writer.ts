import { goJsonText } from '../wire/go-json.ts';

/** Large enough that a list of 100,000 alerts is some hundred pieces, small enough to be written within a turn. */
const INITIAL_BYTES = 72 * 1024;
const MS_PER_DAY = 86_400_000;
/** Fewer bytes than a call of `set` is worth. */
const MOST_BY_BYTE = 48;

/** Signs that HTML would take for its own: written as `\\u00` and two digits. */
const OF_HTML = [...'<>&'].map((sign) => sign.charCodeAt(0));
const UNICODE_ESCAPE = Buffer.from('\\u00');
const HEX = Buffer.from('0123456789abcdef');
const MOST_BYTES_A_UNIT = 6;
/** For each unit of a text: 0 when JSON writes it as one byte that is the same, 2 for a sign of HTML, 1 for all others. */
const ODD = Uint8Array.from({ length: 65_536 }, (_, unit) => {
  if (OF_HTML.includes(unit)) return 2;
  return unit >= 0x20 && unit < 0x80 && unit !== 0x22 && unit !== 0x5c ? 0 : 1;
});

/**
 * JSON straight into bytes, safe inside HTML, as Go's encoder writes it. Objects, texts joined and the
 * text of the whole would each be garbage as large as the answer: 100,000 alerts are 59 MB, for which the whole request
 * takes 0.66 s so and took 1.5 s as objects for `JSON.stringify` (`alerts.bench.ts`, a busy machine).
 */
export class JsonWriter {
  #data = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #size = 0;
  #dayNumber = Number.NaN;
  /** `"2026-11-23T` of the day last written. */
  #day: Uint8Array = new Uint8Array(0);

  get size(): number {
    return this.#size;
  }

  /** Forgets what was written after `size`. */
  truncate(size: number): void {
    this.#size = size;
  }

  /** What was written, given away; the writer begins anew. */
  take(): Uint8Array {
    const taken = this.#data.subarray(0, this.#size);
    this.#size = 0;
    // A small text does not keep a large buffer.
    if (taken.length * 2 < this.#data.length) return Buffer.from(taken);
    this.#data = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    return taken;
  }

  /** Bytes of JSON as they are. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    const data = this.#data;
    const start = this.#size;
    this.#size = start + length;
    if (length > MOST_BY_BYTE) {
      data.set(bytes, start);
      return;
    }
    for (let i = 0; i < length; i++) data[start + i] = bytes[i]!;
  }

  /** JSON as it is, of ASCII alone and in one piece. */
  ascii(json: string): void {
    this.#reserve(json.length);
    this.#size += this.#data.write(json, this.#size, 'latin1');
  }

  /** A number of 32 bits as eight hex digits. */
  hex32(value: number): void {
    this.#reserve(8);
    const data = this.#data;
    for (let i = 0, shift = 28; shift >= 0; i++, shift -= 4) {
      data[this.#size + i] = HEX[(value >>> shift) & 15]!;
    }
    this.#size += 8;
  }

  /** A string with its quotes. */
  text(value: string): void {
    const length = value.length;
    this.#reserve(length + 2);
    const data = this.#data;
    const start = this.#size + 1;
    data[start - 1] = 0x22;
    // Without a branch for each sign; nearly all texts are plain.
    let isOdd = 0;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      isOdd |= ODD[unit]!;
      data[start + i] = unit;
    }
    if (isOdd !== 0) {
      if (isOdd === 2) this.#safeInHtml(value);
      else this.#escaped(value);
      return;
    }
    data[start + length] = 0x22;
    this.#size = start + length + 1;
  }

  /** A time as the API prints it: UTC with three digits of a second. */
  dateTime(ms: number): void {
    const dayNumber = Math.floor(ms / MS_PER_DAY);
    if (dayNumber !== this.#dayNumber) {
      const text = new Date(ms).toISOString();
      this.#dayNumber = dayNumber;
      this.#day = Buffer.from(`"${text.slice(0, text.indexOf('T') + 1)}`);
    }
    this.raw(this.#day);
    this.#reserve(14);
    const rest = (ms - dayNumber * MS_PER_DAY) | 0;
    const minutes = (rest / 60_000) | 0;
    const millis = rest - minutes * 60_000;
    const hours = (minutes / 60) | 0;
    const seconds = (millis / 1000) | 0;
    const fraction = millis - seconds * 1000;
    const hundreds = (fraction / 100) | 0;
    const at = this.#size;
    this.#twoDigits(at, hours, 0x3a);
    this.#twoDigits(at + 3, minutes - hours * 60, 0x3a);
    this.#twoDigits(at + 6, seconds, 0x2e);
    this.#data[at + 9] = 0x30 + hundreds;
    this.#twoDigits(at + 10, fraction - hundreds * 100, 0x5a);
    this.#data[at + 13] = 0x22;
    this.#size = at + 14;
  }

  #twoDigits(at: number, value: number, sign: number): void {
    const data = this.#data;
    const tens = (value / 10) | 0;
    data[at] = 0x30 + tens;
    data[at + 1] = 0x30 + value - tens * 10;
    data[at + 2] = sign;
  }

  /** A text that is plain but for signs of HTML, as most links are. */
  #safeInHtml(value: string): void {
    const length = value.length;
    this.#reserve(length * MOST_BYTES_A_UNIT + 2);
    const data = this.#data;
    let at = this.#size;
    data[at++] = 0x22;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (ODD[unit] === 0) {
        data[at++] = unit;
        continue;
      }
      for (const byte of UNICODE_ESCAPE) data[at++] = byte;
      data[at++] = HEX[unit >> 4]!;
      data[at++] = HEX[unit & 0xf]!;
    }
    data[at++] = 0x22;
    this.#size = at;
  }

  #escaped(value: string): void {
    const json = goJsonText(value);
    this.#reserve(json.length * 3);
    this.#size += this.#data.write(json, this.#size, 'utf8');
  }

  #reserve(count: number): void {
    if (this.#size + count <= this.#data.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#size + count, this.#data.length * 2));
    this.#data.copy(grown, 0, 0, this.#size);
    this.#data = grown;
  }
}
