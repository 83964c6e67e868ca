import { isUtf8 } from 'node:buffer';
import {
  type Exemplar,
  type Labels,
  METRIC_NAME,
  type MetricType,
  parseFloatText,
} from '@pollux/model';
import { type ParseError, parseErrorAt, quoteLine } from './errors.ts';
import { formatOpenMetricsFloat, scanFloat } from './float.ts';
import { LabelTokens } from './label-tokens.ts';
import type { TextFormat } from './protocol.ts';
import { SampleColumns } from './sample-columns.ts';

/** What one line of an exposition is. */
export type LineKind = 'sample' | 'help' | 'type' | 'unit' | 'comment' | 'blank' | 'eof';

const TAB = 0x09;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const OPEN_BRACE = 0x7b;

const TEXT_TYPES: Readonly<Record<string, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
};
const OPENMETRICS_TYPES: Readonly<Record<string, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'gaugehistogram',
  summary: 'summary',
  info: 'info',
  stateset: 'stateset',
  unknown: 'unknown',
};

/**
 * Reads one line at a time over bytes. The fields describe the line read last; offsets count in `bytes`. Which family a
 * sample belongs to is not looked at, as in Prometheus: lines mean the same wherever they stand, except that the last TYPE
 * decides whether `le` and `quantile` are normalised. Throws {@link ParseError}.
 */
export class LineParser {
  readonly format: TextFormat;
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the next line begins. */
  end = 0;
  /** The series as written: name and labels, without the space before the value. */
  seriesStart = 0;
  seriesEnd = 0;
  valueStart = 0;
  /** NaN when the line gave none. */
  timestampMs = Number.NaN;
  hasExemplar = false;
  /** Of a HELP, TYPE or UNIT line. */
  metricName = '';
  text = '';
  /** Of the last TYPE line. */
  metricType: MetricType = 'unknown';
  readonly labelTokens = new LabelTokens();
  readonly exemplarTokens = new LabelTokens();
  exemplarStart = 0;
  /** The value of the last sample, at index 0. */
  readonly #value = new SampleColumns();
  #exemplarValue = 0;
  #exemplarTimestampMs: number | null = null;
  readonly #isOpenMetrics: boolean;
  /** The same memory as `bytes`. */
  #buffer: Buffer = Buffer.alloc(0);

  constructor(format: TextFormat) {
    this.format = format;
    this.#isOpenMetrics = format === 'openmetrics';
    this.#value.reserve(0);
  }

  /** Begins an exposition. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = 0;
    this.metricType = 'unknown';
  }

  /** The series as written, byte by byte: equal keys mean equal series. */
  seriesKey(): string {
    return this.#buffer.toString('latin1', this.seriesStart, this.seriesEnd);
  }

  get value(): number {
    return this.#value.values[0]!;
  }

  /** Stores the value of the sample read last, by its bits. */
  storeValue(columns: SampleColumns, index: number): void {
    columns.valueWords[index * 2] = this.#value.valueWords[0]!;
    columns.valueWords[index * 2 + 1] = this.#value.valueWords[1]!;
  }

  /** Reads the line at `start`, which lies before the end of the bytes. */
  readLine(start: number): LineKind {
    const byte = this.bytes[start]!;
    if (byte === NEWLINE) {
      if (this.#isOpenMetrics) throw this.error(start, 'a blank line is not allowed');
      this.end = start + 1;
      return 'blank';
    }
    if (byte === HASH)
      return this.#isOpenMetrics ? this.#openMetricsMeta(start) : this.#textMeta(start);
    if (!this.#isOpenMetrics && (byte === SPACE || byte === TAB)) {
      const next = this.#skipBlanks(start);
      if (next >= this.bytes.length) {
        this.end = next;
        return 'blank';
      }
      return this.readLine(next);
    }
    this.#sample(start);
    return 'sample';
  }

  /** The labels of the sample read last, names sorted. Throws on duplicate names and on bytes that are no UTF-8. */
  labels(): Labels {
    return this.labelTokens.toLabels(this, (name, value) => this.#normalise(name, value));
  }

  /** As {@link labels}, bucket bounds and quantiles as they are written. */
  rawLabels(): Labels {
    return this.labelTokens.toLabels(this, (_, value) => value);
  }

  /** The exemplar of the sample read last. */
  exemplar(): Exemplar {
    return {
      labels: this.exemplarTokens.toLabels(this, (_, value) => value),
      value: this.#exemplarValue,
      timestampMs: this.#exemplarTimestampMs,
    };
  }

  error(position: number, reason: string): ParseError {
    return parseErrorAt(this.bytes, position, `${reason} in ${quoteLine(this.bytes, position)}`);
  }

  #normalise(name: string, value: string): string {
    const isBound =
      (name === 'le' && this.metricType === 'histogram') ||
      (name === 'quantile' && this.metricType === 'summary');
    if (!isBound) return value;
    const bound = parseFloatText(value);
    return bound === null ? value : formatOpenMetricsFloat(bound);
  }

  #sample(start: number): void {
    const tokens = this.labelTokens;
    tokens.clear();
    let at = tokens.readMetricName(this.bytes, start);
    const hasBareName = at > start;
    this.seriesStart = start;
    const brace = this.#isOpenMetrics ? at : this.#skipBlanks(at);
    if (this.bytes[brace] === OPEN_BRACE) {
      at = tokens.readBraces(this, brace + 1, !hasBareName, !this.#isOpenMetrics);
      if (!tokens.hasMetricName) throw this.error(start, 'metric name not set');
    } else if (!hasBareName) {
      throw this.error(start, 'expected a metric name');
    }
    this.seriesEnd = at;
    at = this.#readValue(at);
    this.timestampMs = Number.NaN;
    this.hasExemplar = false;
    if (this.#isOpenMetrics) this.#openMetricsTail(at);
    else this.#textTail(at);
  }

  #readValue(seriesEnd: number): number {
    const { bytes } = this;
    let at = seriesEnd;
    if (this.#isOpenMetrics) {
      if (bytes[at] !== SPACE)
        throw this.error(at, 'expected one space and a value after the metric');
      at++;
    } else {
      at = this.#skipBlanks(at);
    }
    this.valueStart = at;
    const end = scanFloat(bytes, at, bytes.length, this.#value, 0);
    if (end < 0) throw this.error(at, 'expected a number as value');
    return end;
  }

  #textTail(valueEnd: number): void {
    const { bytes } = this;
    let at = this.#skipBlanks(valueEnd);
    if (at < bytes.length && bytes[at] !== NEWLINE) {
      const from = at;
      if (bytes[at] === 0x2d) at++;
      const digits = at;
      while (isDigit(bytes[at])) at++;
      if (at === digits || at - digits > 19)
        throw this.error(from, 'expected a timestamp in whole milliseconds');
      this.timestampMs = Number(latin1(bytes, from, at));
      at = this.#skipBlanks(at);
    }
    this.#endLine(at);
  }

  #openMetricsTail(valueEnd: number): void {
    const { bytes } = this;
    let at = valueEnd;
    if (bytes[at] === SPACE && bytes[at + 1] !== HASH) {
      const end = endOfWord(bytes, at + 1);
      this.timestampMs = this.#timestamp(at + 1, end);
      at = end;
    }
    if (bytes[at] === SPACE) at = this.#readExemplar(at);
    this.#endLine(at);
  }

  #readExemplar(start: number): number {
    const { bytes } = this;
    if (bytes[start + 1] !== HASH || bytes[start + 2] !== SPACE || bytes[start + 3] !== OPEN_BRACE)
      throw this.error(start, 'expected " # {" before an exemplar');
    this.exemplarStart = start + 3;
    this.exemplarTokens.clear();
    let at = this.exemplarTokens.readBraces(this, start + 4, false, false);
    if (bytes[at] !== SPACE)
      throw this.error(at, 'expected one space and a value after the exemplar labels');
    let end = endOfWord(bytes, at + 1);
    const value = parseFloatText(latin1(bytes, at + 1, end));
    if (value === null) throw this.error(at, 'expected a number as exemplar value');
    this.#exemplarValue = value;
    this.#exemplarTimestampMs = null;
    if (bytes[end] === SPACE) {
      at = end + 1;
      end = endOfWord(bytes, at);
      this.#exemplarTimestampMs = this.#timestamp(at, end);
    }
    this.hasExemplar = true;
    return end;
  }

  /** Seconds with a fraction, as whole milliseconds. */
  #timestamp(start: number, end: number): number {
    const seconds = parseFloatText(latin1(this.bytes, start, end));
    if (seconds === null || !Number.isFinite(seconds))
      throw this.error(start, 'expected a timestamp in seconds');
    return Math.trunc(seconds * 1_000);
  }

  #endLine(at: number): void {
    if (at < this.bytes.length && this.bytes[at] !== NEWLINE)
      throw this.error(at, 'expected the end of the line');
    this.end = Math.min(at + 1, this.bytes.length);
  }

  #textMeta(start: number): LineKind {
    const { bytes } = this;
    const lineEnd = endOfLine(bytes, start);
    this.end = Math.min(lineEnd + 1, bytes.length);
    const keyword = this.#skipBlanks(start + 1);
    if (keyword === start + 1) return 'comment';
    const kind = keywordAt(bytes, keyword);
    const name = this.#skipBlanks(keyword + 4);
    if ((kind !== 'help' && kind !== 'type') || name === keyword + 4) return 'comment';
    const nameEnd = this.#readMetaName(name);
    const text = this.#skipBlanks(nameEnd);
    if (nameEnd < lineEnd && text === nameEnd) throw this.error(name, 'expected a metric name');
    this.#setMeta(kind, text, lineEnd, TEXT_TYPES);
    return kind;
  }

  #openMetricsMeta(start: number): LineKind {
    const { bytes } = this;
    const lineEnd = endOfLine(bytes, start);
    this.end = Math.min(lineEnd + 1, bytes.length);
    if (bytes[start + 1] !== SPACE)
      throw this.error(start, 'expected "# HELP", "# TYPE", "# UNIT" or "# EOF"');
    if (lineEnd - start === 5 && latin1(bytes, start + 2, lineEnd) === 'EOF') return 'eof';
    const kind = keywordAt(bytes, start + 2);
    if (kind === null || bytes[start + 6] !== SPACE)
      throw this.error(start, 'expected "# HELP", "# TYPE", "# UNIT" or "# EOF"');
    const nameEnd = this.#readMetaName(start + 7);
    if (bytes[nameEnd] !== SPACE)
      throw this.error(start, 'expected one space and a text after the metric name');
    if (lineEnd >= bytes.length)
      throw this.error(start, 'expected a newline at the end of the line');
    this.#setMeta(kind, nameEnd + 1, lineEnd, OPENMETRICS_TYPES);
    if (kind === 'unit' && this.text !== '' && !this.metricName.endsWith(`_${this.text}`))
      throw this.error(
        start,
        `unit ${JSON.stringify(this.text)} is not a suffix of metric ${JSON.stringify(this.metricName)}`,
      );
    return kind;
  }

  /** Reads a bare or quoted metric name into `metricName` and returns its end. */
  #readMetaName(start: number): number {
    const tokens = this.labelTokens;
    tokens.clear();
    const end =
      this.bytes[start] === QUOTE
        ? tokens.readQuotedMetricName(this, start)
        : tokens.readMetricName(this.bytes, start);
    if (end === start) throw this.error(start, 'expected a metric name');
    this.metricName = tokens.toLabels(this, (_, value) => value).get(METRIC_NAME);
    return end;
  }

  #setMeta(
    kind: 'help' | 'type' | 'unit',
    start: number,
    end: number,
    types: Readonly<Record<string, MetricType>>,
  ): void {
    const written = this.bytes.subarray(start, end);
    if (!isUtf8(written)) throw this.error(start, 'the text is not valid UTF-8');
    this.text = utf8(written);
    if (kind === 'help' && this.text.includes('\\'))
      this.text = unescapeHelp(this.text, this.#isOpenMetrics);
    if (kind !== 'type') return;
    const type = Object.hasOwn(types, this.text) ? types[this.text] : undefined;
    if (type === undefined)
      throw this.error(start, `invalid metric type ${JSON.stringify(this.text)}`);
    this.metricType = type;
  }

  #skipBlanks(start: number): number {
    let at = start;
    while (this.bytes[at] === SPACE || this.bytes[at] === TAB) at++;
    return at;
  }
}

function keywordAt(bytes: Uint8Array, start: number): 'help' | 'type' | 'unit' | null {
  switch (latin1(bytes, start, Math.min(start + 4, bytes.length))) {
    case 'HELP':
      return 'help';
    case 'TYPE':
      return 'type';
    case 'UNIT':
      return 'unit';
    default:
      return null;
  }
}

function unescapeHelp(text: string, isOpenMetrics: boolean): string {
  return text.replace(/\\([\\n"])/g, (whole, escaped: string) => {
    if (escaped === 'n') return '\n';
    return escaped === '"' && !isOpenMetrics ? whole : escaped;
  });
}

function endOfLine(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(NEWLINE, start);
  return end < 0 ? bytes.length : end;
}

function endOfWord(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== SPACE && bytes[at] !== NEWLINE) at++;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'latin1',
    start,
    end,
  );
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
