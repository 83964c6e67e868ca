import { Labels } from '@pollux/model';
import type { FieldKind, PointColumns, SeriesKey } from '@pollux/storage';
import { type Precision, UNIT_NANOS } from './precision.ts';
import {
  fieldKeyEnd,
  fieldValueEnd,
  LineError,
  lineEnd,
  scanFields,
  scanKey,
  scanTime,
  skipBlanks,
  unescapeName,
  unescapeString,
  unescapeTag,
} from './scan.ts';

export const MAX_KEY_BYTES = 65_535;
const MIN_NANOS = -9_223_372_036_854_775_806n;
const MAX_NANOS = 9_223_372_036_854_775_806n;
const TIME_NAME = 'time';

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

/**
 * Parses a whole body. `defaultMs` is the time of points without one, cut to the precision. `5u` is a number only where
 * unsigned ones are accepted.
 */
export function parseLines(
  body: string,
  precision: Precision,
  defaultMs: number,
  acceptsUnsigned = false,
): ParsedLines {
  const parser = new LineParser(precision, defaultMs, acceptsUnsigned);
  for (let at = 0; at < body.length; ) {
    const end = lineEnd(body, at);
    const start = skipBlanks(body, at);
    if (start < end && body.charCodeAt(start) !== 35) parser.line(body.slice(start, end));
    at = end + 1;
  }
  return parser.finish();
}

class LineParser {
  readonly #precision: Precision;
  readonly #defaultMs: number;
  readonly #acceptsUnsigned: boolean;
  readonly #failures: string[] = [];
  readonly #series: SeriesKey[] = [];
  /** By the text of the key section, so that repeated series are parsed once. */
  readonly #seriesByText = new Map<string, number>();
  readonly #fields: { name: string; kind: FieldKind }[] = [];
  readonly #fieldsByName = new Map<string, number>();
  readonly #texts: string[] = [];
  #capacity = 256;
  #rows = 0;
  #points = 0;
  #dropped = 0;
  #dropReason: string | null = null;
  #hasNanos = false;
  #seriesOf = new Uint32Array(this.#capacity);
  #fieldOf = new Uint32Array(this.#capacity);
  #pointOf = new Uint32Array(this.#capacity);
  #timesMs = new Float64Array(this.#capacity);
  #nanos = new Int32Array(this.#capacity);
  #cells = new Float64Array(this.#capacity);
  #integers = new BigInt64Array(this.#cells.buffer);

  constructor(precision: Precision, defaultMs: number, acceptsUnsigned: boolean) {
    this.#precision = precision;
    this.#acceptsUnsigned = acceptsUnsigned;
    const unitMs = Number(UNIT_NANOS[precision]) / 1e6;
    this.#defaultMs = unitMs > 1 ? Math.floor(defaultMs / unitMs) * unitMs : defaultMs;
  }

  line(line: string): void {
    const firstRow = this.#rows;
    try {
      this.#point(line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      this.#rows = firstRow;
      this.#failures.push(`unable to parse '${line}': ${error.message}`);
    }
  }

  #point(line: string): void {
    const key = scanKey(line);
    if (key.end > MAX_KEY_BYTES / 3 && Buffer.byteLength(line.slice(0, key.end)) > MAX_KEY_BYTES) {
      const size = Buffer.byteLength(line.slice(0, key.end));
      throw new LineError(`max key length exceeded: ${size} > ${MAX_KEY_BYTES}`);
    }
    const keyText = line.slice(0, key.end);
    let series = this.#seriesByText.get(keyText);
    let parsed: SeriesKey | null = null;
    if (series === undefined) parsed = seriesOf(line, key.measurementEnd, key.tags);
    const fieldsStart = skipBlanks(line, key.end);
    const fieldsEnd = scanFields(line, fieldsStart, this.#acceptsUnsigned);
    const timeStart = skipBlanks(line, fieldsEnd);
    const timeEnd = scanTime(line, timeStart);
    const time = this.#time(line.slice(timeStart, timeEnd));
    if (timeEnd > timeStart && line.slice(timeEnd).replaceAll(' ', '') !== '') {
      throw new LineError('point is invalid');
    }
    if (series === undefined && parsed !== null) {
      series = this.#series.push(parsed) - 1;
      this.#seriesByText.set(keyText, series);
    }
    this.#addFields(line, fieldsStart, fieldsEnd, series!, time);
  }

  #addFields(
    line: string,
    start: number,
    end: number,
    series: number,
    time: { readonly ms: number; readonly nanos: number },
  ): void {
    const key = this.#series[series]!;
    if (key.tags.has(TIME_NAME)) {
      this.#drop(
        `invalid tag key: input tag "time" on measurement "${key.measurement}" is invalid`,
      );
      return;
    }
    const firstRow = this.#rows;
    for (let at = start; at < end; ) {
      const equals = fieldKeyEnd(line, at);
      if (equals < 0 || equals >= end - 1) {
        throw new LineError(`invalid value: field-key=${line.slice(at, end)}`);
      }
      const valueEnd = fieldValueEnd(line, equals + 1, end);
      const name = unescapeName(line.slice(at, equals));
      if (name !== TIME_NAME) {
        this.#reserve();
        this.#value(name, line.slice(equals + 1, valueEnd));
        this.#seriesOf[this.#rows] = series;
        this.#pointOf[this.#rows] = this.#points;
        this.#timesMs[this.#rows] = time.ms;
        this.#nanos[this.#rows] = time.nanos;
        this.#rows++;
      }
      at = valueEnd + 1;
    }
    if (this.#rows === firstRow) {
      this.#drop(
        `invalid field name: input field "time" on measurement "${key.measurement}" is invalid`,
      );
      return;
    }
    if (time.nanos !== 0) this.#hasNanos = true;
    this.#points++;
  }

  #drop(reason: string): void {
    this.#dropped++;
    this.#dropReason ??= reason;
  }

  /** Fills cell and field of the next row. */
  #value(name: string, text: string): void {
    const row = this.#rows;
    const first = text.charCodeAt(0);
    let kind: FieldKind;
    if (first === 34) {
      kind = 'string';
      this.#cells[row] = this.#texts.push(unescapeString(text.slice(1, -1))) - 1;
    } else if (text.endsWith('i') && first !== 116 && first !== 102) {
      kind = 'integer';
      this.#integers[row] = BigInt(text.slice(0, -1));
    } else if (text.endsWith('u')) {
      kind = 'unsigned';
      // The array wraps what is above an int64 to the same 64 bits.
      this.#integers[row] = BigInt(text.slice(0, -1));
    } else if (first === 116 || first === 84 || first === 102 || first === 70) {
      kind = 'boolean';
      this.#cells[row] = first === 116 || first === 84 ? 1 : 0;
    } else {
      kind = 'float';
      this.#cells[row] = Number(text);
    }
    const key = `${kind}\n${name}`;
    let field = this.#fieldsByName.get(key);
    if (field === undefined) {
      field = this.#fields.push({ name, kind }) - 1;
      this.#fieldsByName.set(key, field);
    }
    this.#fieldOf[row] = field;
  }

  #time(text: string): { readonly ms: number; readonly nanos: number } {
    if (text === '') return { ms: this.#defaultMs, nanos: 0 };
    if (text === '-') throw new LineError('strconv.ParseInt: parsing "-": invalid syntax');
    // The common case: nanoseconds of this century, 19 digits, without big integers.
    if (
      this.#precision === 'ns' &&
      text.length === 19 &&
      text < '9223372036854775806' &&
      text >= '1'
    ) {
      return { ms: Number(text.slice(0, -6)), nanos: Number(text.slice(-6)) };
    }
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
    return { ms: Number((nanos - rest) / 1_000_000n), nanos: Number(rest) };
  }

  #reserve(): void {
    if (this.#rows < this.#capacity) return;
    this.#capacity *= 2;
    const cells = new Float64Array(this.#capacity);
    cells.set(this.#cells);
    this.#cells = cells;
    this.#integers = new BigInt64Array(cells.buffer);
    const times = new Float64Array(this.#capacity);
    times.set(this.#timesMs);
    this.#timesMs = times;
    const nanos = new Int32Array(this.#capacity);
    nanos.set(this.#nanos);
    this.#nanos = nanos;
    this.#seriesOf = grown(this.#seriesOf, this.#capacity);
    this.#fieldOf = grown(this.#fieldOf, this.#capacity);
    this.#pointOf = grown(this.#pointOf, this.#capacity);
  }

  finish(): ParsedLines {
    return {
      batch: {
        count: this.#rows,
        series: this.#series,
        fields: this.#fields,
        seriesOf: this.#seriesOf,
        fieldOf: this.#fieldOf,
        timesMs: this.#timesMs,
        nanos: this.#hasNanos ? this.#nanos : null,
        cells: this.#cells,
        texts: this.#texts,
        pointOf: this.#pointOf,
      },
      pointCount: this.#points,
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

function grown(data: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(data);
  return larger;
}
