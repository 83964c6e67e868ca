import { floatText, SAMPLES_TEXT_BYTES, sampleText } from '@pollux/kernels';
import { formatFloat } from '@pollux/model';

/** Takes JSON piece by piece, as bytes that are then its own, each alone in its buffer. */
export type PieceSink = { write(piece: Uint8Array): void };

/** The first piece of an answer is about this long: most have no other. */
const FIRST_PIECE_BYTES = 16 * 1024;
/** All others are, so that one answer never is one buffer. */
const PIECE_BYTES = 192 * 1024;
/** Longest text that is written as it is. */
const SHORT_TEXT = 256;
/** Room behind a full piece for what is written without a look at how much is left: some samples, a number or a short text. */
const SLACK_BYTES = SAMPLES_TEXT_BYTES;
/** Integers below are written digit by digit; they have at most 15 digits, so that no shorter decimal means the same. */
const MAX_DIGITS_15 = 1e15;
const BILLION = 1e9;
const INT32_LIMIT = 2 ** 31;

const ZERO = 48;
const POINT = 46;
const MINUS = 45;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Writes JSON into bytes, since texts put together from many short ones are garbage of several times their length. What most
 * samples have, integers and few decimals, is written without making a text at all.
 */
export class JsonWriter {
  readonly #sink: PieceSink;
  #pieceBytes = FIRST_PIECE_BYTES;
  #bytes = Buffer.allocUnsafeSlow(FIRST_PIECE_BYTES + SLACK_BYTES);
  #at = 0;

  constructor(sink: PieceSink) {
    this.#sink = sink;
  }

  /** A short text of ASCII characters, at most {@link SHORT_TEXT} long, as it is. */
  ascii(text: string): void {
    if (this.#at >= this.#pieceBytes) this.#endPiece();
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#at = at;
  }

  /** Any text, as it is; a long one in a piece of its own. */
  text(text: string): void {
    if (this.#at >= this.#pieceBytes) this.#endPiece();
    // A unit of the text takes three bytes at most.
    if (text.length * 3 <= SLACK_BYTES) this.#at += this.#bytes.write(text, this.#at);
    else {
      this.#endPiece();
      this.#sink.write(new TextEncoder().encode(text));
    }
  }

  /** A text as a JSON string. */
  quoted(text: string): void {
    if (this.#at >= this.#pieceBytes) this.#endPiece();
    // Nearly all names and values of labels are short and plain.
    if (text.length > SHORT_TEXT || !this.#plain(text)) this.text(JSON.stringify(text));
  }

  /** A float in quotes: the shortest text that reads as the same float. */
  quotedFloat(value: number): void {
    if (this.#at >= this.#pieceBytes) this.#endPiece();
    this.#bytes[this.#at++] = QUOTE;
    if (!this.#shortDecimal(value) && !this.#longDecimal(value)) this.ascii(formatFloat(value));
    this.#bytes[this.#at++] = QUOTE;
  }

  /** Seconds; a part of a second always has three digits. */
  timestamp(timestampMs: number): void {
    if (this.#at >= this.#pieceBytes) this.#endPiece();
    const abs = Math.abs(timestampMs);
    const seconds = Math.floor(abs / 1000);
    const ms = abs - seconds * 1000;
    if (timestampMs < 0) this.#bytes[this.#at++] = MINUS;
    this.#digits(seconds);
    if (ms === 0) return;
    this.#bytes[this.#at++] = POINT;
    this.#padded(ms, 3);
  }

  /** Samples as `[seconds,"value"]` with commas between, one at least. */
  samples(timestampsMs: Float64Array, values: Float64Array, count: number): void {
    for (let from = 0; from < count; ) {
      if (this.#at >= this.#pieceBytes) this.#endPiece();
      const written = sampleText({ timestampsMs, values, from, to: count }, this.#bytes, this.#at);
      this.#at += written & 0xffff;
      from += written >>> 16;
      for (; from < count && !isPlain(values[from]!); from++) {
        this.sample(timestampsMs[from]!, values[from]!);
        this.ascii(',');
      }
    }
    this.#at--;
  }

  /** One sample. */
  sample(timestampMs: number, value: number): void {
    this.ascii('[');
    this.timestamp(timestampMs);
    this.ascii(',');
    this.quotedFloat(value);
    this.ascii(']');
  }

  /** Hands over what is left. Nothing may be written after it. */
  end(): void {
    if (this.#at > 0) this.#sink.write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  #endPiece(): void {
    this.end();
    this.#pieceBytes = PIECE_BYTES;
    this.#bytes = Buffer.allocUnsafeSlow(PIECE_BYTES + SLACK_BYTES);
  }

  /** Writes the text in quotes; false, and nothing, when something must be escaped or is not ASCII. */
  #plain(text: string): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return false;
      bytes[at++] = unit;
    }
    bytes[at++] = QUOTE;
    this.#at = at;
    return true;
  }

  /**
   * Writes an integer, or a value of up to three decimals, of at most 15 digits; false when it is none. Two decimals of so
   * few digits never mean the same float, so one that reads as the value is the shortest once its zeros are off.
   */
  #shortDecimal(value: number): boolean {
    const abs = Math.abs(value);
    if (!(abs < MAX_DIGITS_15) || Object.is(value, -0)) return false;
    let scaled = abs;
    let decimals = 0;
    if (!Number.isInteger(scaled)) {
      scaled = Math.round(abs * 1000);
      if (scaled >= MAX_DIGITS_15 || scaled === 0 || scaled / 1000 !== abs) return false;
      decimals = 3;
      while (scaled % 10 === 0) {
        scaled /= 10;
        decimals--;
      }
    }
    if (value < 0) this.#bytes[this.#at++] = MINUS;
    if (decimals === 0) {
      this.#digits(scaled);
      return true;
    }
    const unit = decimals === 1 ? 10 : decimals === 2 ? 100 : 1000;
    const whole = Math.floor(scaled / unit);
    this.#digits(whole);
    this.#bytes[this.#at++] = POINT;
    this.#padded(scaled - whole * unit, decimals);
    return true;
  }

  /** Writes a value that takes no exponent. */
  #longDecimal(value: number): boolean {
    const end = floatText(value, this.#bytes, this.#at);
    if (end === this.#at) return false;
    this.#at = end;
    return true;
  }

  /** A whole number below 2^53 and not below 0. */
  #digits(value: number): void {
    if (value >= INT32_LIMIT) {
      const high = Math.floor(value / BILLION);
      this.#digits(high);
      this.#padded(value - high * BILLION, 9);
      return;
    }
    let count = 1;
    for (let limit = 10; value >= limit; limit *= 10) count++;
    this.#padded(value, count);
  }

  /** The last `count` digits of a whole number below 2^31. */
  #padded(value: number, count: number): void {
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#at + count - 1; at >= this.#at; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.#at += count;
  }
}

/** True for values that {@link sampleText} writes. */
function isPlain(value: number): boolean {
  const abs = Math.abs(value);
  return (abs >= 1e-6 && abs < 1e21) || Object.is(value, 0);
}
