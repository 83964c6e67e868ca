import { isUtf8 } from 'node:buffer';
import { compareText, Labels, METRIC_NAME } from '@pollux/model';
import type { ParseError } from './errors.ts';

/** What the reader of labels needs of the line parser: the bytes, and errors that name the line. */
export type TokenSource = {
  readonly bytes: Uint8Array;
  error(position: number, reason: string): ParseError;
};

const QUOTE = 0x22;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
/** Labels of one series; far above any limit a user would set, far below what would stall the process. */
const MAX_LABELS = 10_000;

/**
 * Where names and values of one series stand in the bytes. Texts are made only when the series is new, so a known series
 * costs a walk over its bytes and no allocation.
 */
export class LabelTokens {
  /** Per label: start and end of the name, start and end of the value. A quoted part excludes its quotes. */
  readonly #offsets: number[] = [];
  #nameStart = -1;
  #nameEnd = -1;
  /** Set when a comma stands before the closing brace, which strict OpenMetrics forbids. */
  hasTrailingComma = false;

  clear(): void {
    this.#offsets.length = 0;
    this.#nameStart = -1;
    this.hasTrailingComma = false;
  }

  get hasMetricName(): boolean {
    return this.#nameStart >= 0;
  }

  /** Takes the bare metric name at `start`; returns its end, `start` when there is none. */
  readMetricName(bytes: Uint8Array, start: number): number {
    let at = start;
    if (!isMetricByte(bytes[at], true)) return start;
    while (isMetricByte(bytes[at], false)) at++;
    this.#nameStart = start;
    this.#nameEnd = at;
    return at;
  }

  readQuotedMetricName(source: TokenSource, start: number): number {
    const end = endOfQuoted(source, start, false);
    this.#nameStart = start + 1;
    this.#nameEnd = end - 1;
    if (this.#nameStart === this.#nameEnd) throw source.error(start, 'expected a metric name');
    return end;
  }

  /**
   * Reads labels from behind the opening brace to behind the closing one. `allowsName`: a quoted text without value is the
   * metric name. `isLoose`: blanks between tokens and newlines in values are allowed (the text format).
   */
  readBraces(source: TokenSource, start: number, allowsName: boolean, isLoose: boolean): number {
    const { bytes } = source;
    let at = start;
    for (;;) {
      if (isLoose) at = skipBlanks(bytes, at);
      if (bytes[at] === CLOSE_BRACE) {
        this.hasTrailingComma = at > start && bytes[at - 1] === COMMA;
        return at + 1;
      }
      at = this.#readOne(source, at, allowsName, isLoose);
      if (bytes[at] === COMMA) at++;
      else if (bytes[at] === CLOSE_BRACE) return at + 1;
      else throw source.error(at, 'expected a comma or a closing brace after a label');
      if (this.#offsets.length > MAX_LABELS * 4)
        throw source.error(at, `more than ${MAX_LABELS} labels`);
    }
  }

  #readOne(source: TokenSource, start: number, allowsName: boolean, isLoose: boolean): number {
    const { bytes } = source;
    const isQuoted = bytes[start] === QUOTE;
    const nameEnd = isQuoted ? endOfQuoted(source, start, isLoose) : endOfLabelName(bytes, start);
    if (nameEnd === start) throw source.error(start, 'expected a label name');
    let at = isLoose ? skipBlanks(bytes, nameEnd) : nameEnd;
    if (bytes[at] !== EQUALS) {
      if (!isQuoted || !allowsName || this.hasMetricName || nameEnd - start <= 2)
        throw source.error(at, 'expected an equal sign after the label name');
      this.#nameStart = start + 1;
      this.#nameEnd = nameEnd - 1;
      return at;
    }
    at = isLoose ? skipBlanks(bytes, at + 1) : at + 1;
    if (bytes[at] !== QUOTE) throw source.error(at, 'expected a quoted label value');
    const valueEnd = endOfQuoted(source, at, isLoose);
    const quote = isQuoted ? 1 : 0;
    if (nameEnd - start === 2 * quote) throw source.error(start, 'expected a label name');
    this.#offsets.push(start + quote, nameEnd - quote, at + 1, valueEnd - 1);
    return isLoose ? skipBlanks(bytes, valueEnd) : valueEnd;
  }

  /** Names sorted, empty values left out. `convert` sees each label's name and value. */
  toLabels(source: TokenSource, convert: (name: string, value: string) => string): Labels {
    const pairs: [string, string][] = [];
    if (this.hasMetricName)
      pairs.push([METRIC_NAME, decode(source, this.#nameStart, this.#nameEnd)]);
    const offsets = this.#offsets;
    for (let i = 0; i < offsets.length; i += 4) {
      const name = decode(source, offsets[i]!, offsets[i + 1]!);
      const value = decode(source, offsets[i + 2]!, offsets[i + 3]!);
      pairs.push([name, convert(name, value)]);
    }
    pairs.sort((a, b) => compareText(a[0], b[0]));
    const flat: string[] = [];
    for (const [index, [name, value]] of pairs.entries()) {
      if (index > 0 && pairs[index - 1]![0] === name)
        throw source.error(offsets[0] ?? 0, `label name ${JSON.stringify(name)} is not unique`);
      if (value !== '') flat.push(name, value);
    }
    return Labels.fromSortedFlat(flat);
  }
}

function endOfLabelName(bytes: Uint8Array, start: number): number {
  let at = start;
  const first = bytes[at];
  if (first === undefined || !(isLetter(first) || first === 0x5f)) return start;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || !(isLetter(byte) || byte === 0x5f || (byte >= 0x30 && byte <= 0x39)))
      return at;
    at++;
  }
}

/** The end behind the closing quote of the text whose opening quote is at `start`. */
function endOfQuoted(source: TokenSource, start: number, allowsNewline: boolean): number {
  const { bytes } = source;
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
    else if (byte === NEWLINE && !allowsNewline) break;
  }
  throw source.error(start, 'expected a closing quote');
}

/** `\\`, `\"` and `\n` are unescaped; other backslashes stand for themselves. */
function decode(source: TokenSource, start: number, end: number): string {
  const { bytes } = source;
  const part = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  let isPlain = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80 || byte === BACKSLASH) {
      isPlain = false;
      break;
    }
  }
  if (isPlain) return part.toString('latin1');
  if (!isUtf8(part)) throw source.error(start, 'invalid UTF-8 label value');
  const text = part.toString('utf8');
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\"n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
  return at;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function isMetricByte(byte: number | undefined, isFirst: boolean): boolean {
  if (byte === undefined) return false;
  if (isLetter(byte) || byte === 0x5f || byte === 0x3a) return true;
  return !isFirst && byte >= 0x30 && byte <= 0x39;
}
