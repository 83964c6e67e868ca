import { Labels } from '@pollux/model';
import type { FieldKind, PointColumns, SeriesKey } from '@pollux/storage';
import { type KnownKey, KnownSeries, ownText } from './known-series.ts';
import { PointRows } from './point-rows.ts';
import { type Precision, UNIT_NANOS } from './precision.ts';
import {
  fieldKeyEnd,
  fieldValueEnd,
  LineError,
  lineEnd,
  lineEndInBytes,
  scanFields,
  scanKey,
  scanTime,
  skipBlanks,
  unescapeName,
  unescapeString,
  unescapeTag,
} from './scan.ts';
import { UsualLines } from './usual-lines.ts';

export const MAX_KEY_BYTES = 65_535;
const MIN_NANOS = -9_223_372_036_854_775_806n;
const MAX_NANOS = 9_223_372_036_854_775_806n;
const TIME_NAME = 'time';
const ZERO = 48;
const ONE = 49;
const EIGHT = 56;

/** What a body of line protocol holds. */
export type ParsedLines = {
  readonly batch: PointColumns;
  readonly pointCount: number;
  /** `unable to parse '<line>': <why>`, one per bad line. */
  readonly failures: readonly string[];
  /** Points that could be parsed but are refused, as for a tag named `time`. */
  readonly droppedPoints: number;
  readonly dropReason: string | null;
};

export type LineReading = {
  /** Whether `5u` is a number. */
  readonly acceptsUnsigned?: boolean;
  /** What is known of earlier bodies. */
  readonly known?: KnownSeries;
};

/** Parses a whole body. `defaultMs` is the time of points without one, cut to the precision. */
export function parseLines(
  body: Uint8Array | string,
  precision: Precision,
  defaultMs: number,
  { acceptsUnsigned = false, known = new KnownSeries() }: LineReading = {},
): ParsedLines {
  known.makeRoom();
  const rows = new PointRows(known);
  const parser = new LineParser(rows, { precision, defaultMs, acceptsUnsigned, known });
  if (typeof body === 'string') parser.lines(body);
  else parseBytes(body, new UsualLines(body, { rows, known, precision }), parser);
  return parser.finish();
}

function parseBytes(body: Uint8Array, usual: UsualLines, parser: LineParser): void {
  const isMarked = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (let at = isMarked ? 3 : 0; at < body.length; ) {
    const next = usual.take(at);
    if (next >= 0) {
      at = next;
      continue;
    }
    const end = lineEndInBytes(body, at);
    parser.lines(decoder.decode(body.subarray(at, end)));
    at = end + 1;
  }
}

class LineParser {
  readonly #precision: Precision;
  readonly #defaultMs: number;
  readonly #acceptsUnsigned: boolean;
  readonly #failures: string[] = [];
  readonly #known: KnownSeries;
  readonly #rows: PointRows;
  #dropped = 0;
  #dropReason: string | null = null;
  /** Time of the point that is being read. */
  #ms = 0;
  #nano = 0;

  constructor(
    rows: PointRows,
    {
      precision,
      defaultMs,
      acceptsUnsigned,
      known,
    }: Required<LineReading> & { readonly precision: Precision; readonly defaultMs: number },
  ) {
    this.#rows = rows;
    this.#precision = precision;
    this.#acceptsUnsigned = acceptsUnsigned;
    this.#known = known;
    const unitMs = Number(UNIT_NANOS[precision]) / 1e6;
    this.#defaultMs = unitMs > 1 ? Math.floor(defaultMs / unitMs) * unitMs : defaultMs;
  }

  lines(text: string): void {
    for (let at = 0; at < text.length; ) {
      const end = lineEnd(text, at);
      const start = skipBlanks(text, at);
      if (start < end && text.charCodeAt(start) !== 35) this.#line(text.slice(start, end));
      at = end + 1;
    }
  }

  #line(line: string): void {
    const firstRow = this.#rows.count;
    try {
      this.#point(line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      this.#rows.count = firstRow;
      this.#failures.push(`unable to parse '${line}': ${error.message}`);
    }
  }

  #point(line: string): void {
    // A key without escapes ends at the first blank, and one that is known was found to be sound.
    let keyEnd = line.indexOf(' ');
    let known = keyEnd < 0 ? undefined : this.#known.find(line.slice(0, keyEnd));
    let text = '';
    let parsed: SeriesKey | null = null;
    if (known === undefined) {
      const key = scanKey(line);
      keyEnd = key.end;
      if (keyEnd > MAX_KEY_BYTES / 3 && Buffer.byteLength(line.slice(0, keyEnd)) > MAX_KEY_BYTES) {
        const size = Buffer.byteLength(line.slice(0, keyEnd));
        throw new LineError(`max key length exceeded: ${size} > ${MAX_KEY_BYTES}`);
      }
      text = ownText(line.slice(0, keyEnd));
      parsed = seriesOf(text, key.measurementEnd, key.tags);
    }
    const fieldsStart = skipBlanks(line, keyEnd);
    const fieldsEnd = scanFields(line, fieldsStart, this.#acceptsUnsigned);
    const timeStart = skipBlanks(line, fieldsEnd);
    const timeEnd = scanTime(line, timeStart);
    this.#readTime(line, timeStart, timeEnd);
    if (timeEnd > timeStart && timeEnd < line.length) {
      if (line.slice(timeEnd).replaceAll(' ', '') !== '') throw new LineError('point is invalid');
    }
    known ??= this.#known.add(text, parsed!);
    this.#addFields(line, fieldsStart, fieldsEnd, known);
  }

  /** The time of {@link #readTime} is the point's. */
  #addFields(line: string, start: number, end: number, known: KnownKey): void {
    const rows = this.#rows;
    const { measurement } = known.key;
    if (known.isReserved) {
      this.#drop(`invalid tag key: input tag "time" on measurement "${measurement}" is invalid`);
      return;
    }
    const firstRow = rows.count;
    for (let at = start; at < end; ) {
      const equals = fieldKeyEnd(line, at);
      if (equals < 0 || equals >= end - 1) {
        throw new LineError(`invalid value: field-key=${line.slice(at, end)}`);
      }
      const valueEnd = fieldValueEnd(line, equals + 1, end);
      const name = unescapeName(line.slice(at, equals));
      if (name !== TIME_NAME) {
        rows.reserve();
        rows.push(name, this.#value(line.slice(equals + 1, valueEnd)));
      }
      at = valueEnd + 1;
    }
    if (rows.count === firstRow) {
      this.#drop(
        `invalid field name: input field "time" on measurement "${measurement}" is invalid`,
      );
      return;
    }
    rows.endPoint(firstRow, rows.placeOf(known), this.#ms, this.#nano);
  }

  #drop(reason: string): void {
    this.#dropped++;
    this.#dropReason ??= reason;
  }

  /** Fills the cell of the next row and returns the type. */
  #value(text: string): FieldKind {
    const { cells, integers, texts, count } = this.#rows;
    const first = text.charCodeAt(0);
    if (first === 34) {
      cells[count] = texts.push(unescapeString(text.slice(1, -1))) - 1;
      return 'string';
    }
    if (text.endsWith('i') && first !== 116 && first !== 102) {
      integers[count] = BigInt(text.slice(0, -1));
      return 'integer';
    }
    if (text.endsWith('u')) {
      // The array wraps what is above an int64 to the same 64 bits.
      integers[count] = BigInt(text.slice(0, -1));
      return 'unsigned';
    }
    if (first === 116 || first === 84 || first === 102 || first === 70) {
      cells[count] = first === 116 || first === 84 ? 1 : 0;
      return 'boolean';
    }
    cells[count] = Number(text);
    return 'float';
  }

  #readTime(line: string, start: number, end: number): void {
    if (end === start) {
      this.#ms = this.#defaultMs;
      this.#nano = 0;
      return;
    }
    // The common case: nanoseconds of this century, 19 digits, without big integers.
    const first = line.charCodeAt(start);
    if (this.#precision === 'ns' && end - start === 19 && first >= ONE && first <= EIGHT) {
      let ms = 0;
      for (let i = start; i < end - 6; i++) ms = ms * 10 + line.charCodeAt(i) - ZERO;
      let nanos = 0;
      for (let i = end - 6; i < end; i++) nanos = nanos * 10 + line.charCodeAt(i) - ZERO;
      this.#ms = ms;
      this.#nano = nanos;
      return;
    }
    const text = line.slice(start, end);
    if (text === '-') throw new LineError('strconv.ParseInt: parsing "-": invalid syntax');
    const value = BigInt(text);
    if (value > 9_223_372_036_854_775_807n || value < -9_223_372_036_854_775_808n) {
      throw new LineError(`strconv.ParseInt: parsing "${text}": value out of range`);
    }
    const nanos = value * UNIT_NANOS[this.#precision];
    if (nanos < MIN_NANOS || nanos > MAX_NANOS) {
      throw new LineError(`time outside range ${MIN_NANOS} - ${MAX_NANOS}`);
    }
    let rest = nanos % 1_000_000n;
    if (rest < 0n) rest += 1_000_000n;
    this.#ms = Number((nanos - rest) / 1_000_000n);
    this.#nano = Number(rest);
  }

  finish(): ParsedLines {
    return {
      batch: this.#rows.batch(),
      pointCount: this.#rows.points,
      failures: this.#failures,
      droppedPoints: this.#dropped,
      dropReason: this.#dropReason,
    };
  }
}

function seriesOf(line: string, measurementEnd: number, tags: readonly number[]): SeriesKey {
  const pairs: [string, string][] = [];
  const names = new Set<string>();
  for (let i = 0; i < tags.length; i += 3) {
    const name = line.slice(tags[i], tags[i + 1]);
    if (names.has(name)) throw new LineError('duplicate tags');
    names.add(name);
    pairs.push([unescapeTag(name), unescapeTag(line.slice(tags[i + 1]! + 1, tags[i + 2]))]);
  }
  return {
    measurement: unescapeName(line.slice(0, measurementEnd)),
    tags: Labels.from(pairs),
    replica: '',
  };
}
