/**
 * Finds the sections of a line by InfluxDB 1.8's rules, which differ between key, fields and time (see the table in the
 * reference): each function returns the index behind what it read, or throws {@link LineError} with upstream's words.
 */
export class LineError extends Error {
  override readonly name = 'LineError';
}

const SPACE = 32;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;
const QUOTE = 34;
const NEWLINE = 10;
const MINUS = 45;
const PLUS = 43;
const DOT = 46;
const ZERO = 48;
const NINE = 57;

export function skipBlanks(text: string, from: number): number {
  let i = from;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c !== SPACE && c !== 9 && c !== 0) break;
  }
  return i;
}

/** End of the line that begins at `from`: the next newline that stands in no quoted field value. */
export function lineEnd(text: string, from: number): number {
  return endOfLine(text.length, (i) => text.charCodeAt(i), from);
}

/** As {@link lineEnd}, of UTF-8: all that matters is ASCII. */
export function lineEndInBytes(data: Uint8Array, from: number): number {
  const newline = data.indexOf(NEWLINE, from);
  const end = newline < 0 ? data.length : newline;
  const line = data.subarray(from, end);
  if (!line.includes(QUOTE) && !line.includes(BACKSLASH)) return end;
  return endOfLine(data.length, (i) => data[i]!, from);
}

function endOfLine(length: number, at: (i: number) => number, from: number): number {
  let isQuoted = false;
  let inFields = false;
  let equals = 0;
  let commas = 0;
  let i = from;
  for (; i < length; i++) {
    const c = at(i);
    if (c === BACKSLASH && i + 2 < length) {
      i++;
      continue;
    }
    if (c === SPACE) inFields = true;
    if (inFields) {
      if (!isQuoted && c === EQUALS) equals++;
      else if (!isQuoted && c === COMMA) commas++;
      else if (c === QUOTE && equals > commas) isQuoted = !isQuoted;
    }
    if (c === NEWLINE && !isQuoted) break;
  }
  return i;
}

export type KeySection = {
  readonly end: number;
  readonly measurementEnd: number;
  /** start, equals, end of each tag, three numbers apiece. */
  readonly tags: readonly number[];
};

/** measurement[,key=value…] up to the blank before the fields. */
export function scanKey(line: string): KeySection {
  if (line.length === 0 || line.charCodeAt(0) === COMMA) throw new LineError('missing measurement');
  let i = 0;
  for (;;) {
    i++;
    if (i >= line.length) throw new LineError('missing fields');
    if (line.charCodeAt(i - 1) === BACKSLASH) continue;
    const c = line.charCodeAt(i);
    if (c === SPACE) return { end: i, measurementEnd: i, tags: [] };
    if (c === COMMA) break;
  }
  const measurementEnd = i;
  const tags: number[] = [];
  for (;;) {
    const start = i + 1;
    const equals = scanTagKey(line, start);
    i = scanTagValue(line, equals + 1);
    tags.push(start, equals, i);
    if (line.charCodeAt(i) === SPACE) return { end: i, measurementEnd, tags };
  }
}

function scanTagKey(line: string, from: number): number {
  const first = line.charCodeAt(from);
  if (from >= line.length || first === SPACE || first === COMMA || first === EQUALS) {
    throw new LineError('missing tag key');
  }
  for (let i = from + 1; ; i++) {
    if (i >= line.length) throw new LineError('missing tag value');
    if (line.charCodeAt(i - 1) === BACKSLASH) continue;
    const c = line.charCodeAt(i);
    if (c === SPACE || c === COMMA) throw new LineError('missing tag value');
    if (c === EQUALS) return i;
  }
}

function scanTagValue(line: string, from: number): number {
  const first = line.charCodeAt(from);
  if (from >= line.length || first === COMMA || first === SPACE)
    throw new LineError('missing tag value');
  for (let i = from + 1; ; i++) {
    if (i >= line.length) throw new LineError('missing fields');
    if (line.charCodeAt(i - 1) === BACKSLASH) continue;
    const c = line.charCodeAt(i);
    if (c === EQUALS) throw new LineError('invalid tag format');
    if (c === COMMA || c === SPACE) return i;
  }
}

/** field=value[,…] from `from` (behind blanks) up to the blank before the time. */
export function scanFields(line: string, from: number, acceptsUnsigned = false): number {
  let isQuoted = false;
  let equals = 0;
  let commas = 0;
  let i = from;
  while (i < line.length) {
    const c = line.charCodeAt(i);
    if (c === BACKSLASH && i + 1 < line.length) {
      i += 2;
      continue;
    }
    if (c === QUOTE && equals > commas) {
      isQuoted = !isQuoted;
      i++;
      continue;
    }
    if (c === EQUALS && !isQuoted) {
      equals++;
      checkFieldKey(line, i);
      const next = line.charCodeAt(i + 1);
      if (isNumeric(next) || next === MINUS || next === 78 || next === 110) {
        i = scanNumber(line, i + 1, acceptsUnsigned);
        continue;
      }
      if (next !== QUOTE) {
        i = scanBoolean(line, i + 1);
        continue;
      }
    }
    if (c === COMMA && !isQuoted) commas++;
    if (c === SPACE && !isQuoted) break;
    i++;
  }
  if (isQuoted) throw new LineError('unbalanced quotes');
  if (equals === 0 || commas !== equals - 1) throw new LineError('invalid field format');
  return i;
}

function checkFieldKey(line: string, equals: number): void {
  const before = line.charCodeAt(equals - 1);
  if ((before === SPACE || before === COMMA) && line.charCodeAt(equals - 2) !== BACKSLASH) {
    throw new LineError('missing field key');
  }
  const next = line.charCodeAt(equals + 1);
  if (equals + 1 >= line.length || next === COMMA || next === SPACE) {
    throw new LineError('missing field value');
  }
}

function isNumeric(c: number): boolean {
  return (c >= ZERO && c <= NINE) || c === DOT;
}

const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;
const MAX_UNSIGNED = 2n ** 64n - 1n;

function scanNumber(line: string, from: number, acceptsUnsigned: boolean): number {
  let i = from;
  if (line.charCodeAt(i) === MINUS) i++;
  let isInteger = false;
  let isUnsigned = false;
  let hasPoint = false;
  let hasExponent = false;
  for (; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (c === COMMA || c === SPACE) break;
    if (c === 105 && i > from && !isInteger) {
      isInteger = true;
      continue;
    }
    if (c === 117 && i > from && !isInteger && !isUnsigned && acceptsUnsigned) {
      isUnsigned = true;
      continue;
    }
    if (c === DOT) {
      if (hasPoint) throw new LineError('invalid number');
      hasPoint = true;
    }
    if (i > from && (c === 101 || c === 69)) {
      hasExponent = true;
      continue;
    }
    const before = line.charCodeAt(i - 1);
    if ((c === PLUS || c === MINUS) && (before === 101 || before === 69)) continue;
    if (!isNumeric(c)) throw new LineError('invalid number');
  }
  const text = line.slice(from, i);
  if (isUnsigned) checkUnsigned(text);
  else checkNumber(text, isInteger, hasPoint, hasExponent);
  return i;
}

function checkUnsigned(text: string): void {
  if (!/^\d+u$/.test(text)) throw new LineError('invalid number');
  const number = text.slice(0, -1);
  if (number.length < 20 || BigInt(number) <= MAX_UNSIGNED) return;
  throw new LineError(
    `unable to parse unsigned ${number}: strconv.ParseUint: parsing "${number}": value out of range`,
  );
}

function checkNumber(
  text: string,
  isInteger: boolean,
  hasPoint: boolean,
  hasExponent: boolean,
): void {
  if (isInteger && (hasPoint || hasExponent)) throw new LineError('invalid number');
  const digits =
    text.length - (isInteger ? 1 : 0) - (hasPoint ? 1 : 0) - (text.startsWith('-') ? 1 : 0);
  if (digits === 0) throw new LineError('invalid number');
  if (isInteger) {
    if (!text.endsWith('i')) throw new LineError('invalid number');
    const number = text.slice(0, -1);
    if (number.length < 19) return;
    const value = BigInt(number);
    if (value < MIN_INTEGER || value > MAX_INTEGER) {
      throw new LineError(
        `unable to parse integer ${number}: strconv.ParseInt: parsing "${number}": value out of range`,
      );
    }
    return;
  }
  if (!Number.isFinite(Number(text))) throw new LineError('invalid float');
}

const BOOLEANS = new Set(['t', 'T', 'true', 'TRUE', 'True', 'f', 'F', 'false', 'FALSE', 'False']);

function scanBoolean(line: string, from: number): number {
  let i = from;
  while (i < line.length && line.charCodeAt(i) !== COMMA && line.charCodeAt(i) !== SPACE) i++;
  if (!BOOLEANS.has(line.slice(from, i))) throw new LineError('invalid boolean');
  return i;
}

/** The digits of the time from `from` on; empty when there is none. */
export function scanTime(line: string, from: number): number {
  let i = from;
  for (; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (c === SPACE || c === NEWLINE) break;
    if (i === from && c === MINUS) continue;
    if (c < ZERO || c > NINE) throw new LineError('bad timestamp');
  }
  return i;
}

/** End of a field's value: the next comma outside quotes. */
export function fieldValueEnd(line: string, from: number, end: number): number {
  let isQuoted = false;
  for (let i = from; i < end; i++) {
    const c = line.charCodeAt(i);
    if (c === BACKSLASH) {
      const next = line.charCodeAt(i + 1);
      if (i + 1 < end && (next === QUOTE || next === BACKSLASH)) i++;
    } else if (c === QUOTE) isQuoted = !isQuoted;
    else if (c === COMMA && !isQuoted) return i;
  }
  return end;
}

/** The `=` that ends a field's key. */
export function fieldKeyEnd(line: string, from: number): number {
  let i = line.indexOf('=', from);
  while (i > from && line.charCodeAt(i - 1) === BACKSLASH) i = line.indexOf('=', i + 1);
  return i;
}

/** Takes the backslash before comma, blank, `=` and quote away: measurements and field keys. */
export function unescapeName(text: string): string {
  return text.includes('\\') ? text.replace(/\\([, ="])/g, '$1') : text;
}

/** Takes the backslash before comma, blank and `=` away. */
export function unescapeTag(text: string): string {
  return text.includes('\\') ? text.replace(/\\([, =])/g, '$1') : text;
}

export function unescapeString(text: string): string {
  return text.includes('\\') ? text.replace(/\\(["\\])/g, '$1') : text;
}
