import { formatFloat } from '@pollux/model';
import { type Precision, UNIT_NANOS } from '../line-protocol/precision.ts';
import type { ResultSeries, ShownCell, StatementResult } from '../query/result.ts';
import { formatTime } from './time-text.ts';

/** How times are shown: null for RFC 3339 texts. */
export type Epoch = Precision | null;

/** JavaScript's short forms that Go does not write. */
const GO_ESCAPES: Readonly<Record<string, string>> = { '\\b': '\\u0008', '\\f': '\\u000c' };

/** A string as Go's encoding/json writes it. */
export function goJsonString(text: string): string {
  return (
    JSON.stringify(text)
      .replace(/[<>&\u2028\u2029\u007f]/g, (c) =>
        c === '\u007f' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      // Each escape as a whole: of a backslash and a letter b behind it, the second backslash begins none.
      .replace(/\\./g, (whole) => GO_ESCAPES[whole] ?? whole)
  );
}

/** A cell as JSON; NaN and infinities, which JSON cannot hold, are null. */
export function cellJson(cell: ShownCell): string {
  if (cell === null) return 'null';
  if (typeof cell === 'object') return `[${cell.map(goJsonString).join(',')}]`;
  if (typeof cell === 'number') {
    if (!Number.isFinite(cell)) return 'null';
    return Object.is(cell, -0) ? '-0' : String(cell);
  }
  return typeof cell === 'string' ? goJsonString(cell) : String(cell);
}

export function timeJson(nanos: bigint, epoch: Epoch, timeZone: string | null): string {
  // Go's integer division cuts toward zero, as BigInt's does.
  return epoch === null ? `"${formatTime(nanos, timeZone)}"` : String(nanos / UNIT_NANOS[epoch]);
}

function seriesJson(series: ResultSeries, epoch: Epoch, timeZone: string | null): string {
  const parts: string[] = [];
  if (series.name !== '') parts.push(`"name":${goJsonString(series.name)}`);
  if (series.tags !== null && series.tags.length > 0) {
    const tags = series.tags.map(([key, value]) => `${goJsonString(key)}:${goJsonString(value)}`);
    parts.push(`"tags":{${tags.join(',')}}`);
  }
  if (series.columns.length > 0)
    parts.push(`"columns":[${series.columns.map(goJsonString).join(',')}]`);
  if (series.rows.length > 0) {
    const rows = series.rows.map((row) => {
      const cells = row.map((cell, index) =>
        index === 0 && series.hasTime && typeof cell === 'bigint'
          ? timeJson(cell, epoch, timeZone)
          : cellJson(cell),
      );
      return `[${cells.join(',')}]`;
    });
    parts.push(`"values":[${rows.join(',')}]`);
  }
  if (series.partial === true) parts.push('"partial":true');
  return `{${parts.join(',')}}`;
}

function resultJson(result: StatementResult, epoch: Epoch): string {
  const parts = [`"statement_id":${result.statementId}`];
  if (result.series.length > 0) {
    parts.push(
      `"series":[${result.series.map((series) => seriesJson(series, epoch, result.timeZone)).join(',')}]`,
    );
  }
  if (result.messages.length > 0) {
    const messages = result.messages.map(
      (text) => `{"level":"warning","text":${goJsonString(text)}}`,
    );
    parts.push(`"messages":[${messages.join(',')}]`);
  }
  if (result.partial === true) parts.push('"partial":true');
  if (result.error !== null) parts.push(`"error":${goJsonString(result.error)}`);
  return `{${parts.join(',')}}`;
}

/** One document with all results, without the final newline. */
export function resultsJson(
  results: readonly StatementResult[],
  epoch: Epoch,
  pretty: boolean,
): string {
  const text =
    results.length === 0
      ? '{}'
      : `{"results":[${results.map((result) => resultJson(result, epoch)).join(',')}]}`;
  return pretty ? indented(text) : text;
}

export function errorJson(message: string, pretty = false): string {
  const text = `{"error":${goJsonString(message)}}`;
  return pretty ? indented(text) : text;
}

/** Compact JSON with line breaks and four blanks a level, leaving the spelling of numbers alone. */
export function indented(text: string): string {
  let out = '';
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (isQuoted) {
      out += c;
      if (c === '\\') out += text[++i] ?? '';
      else if (c === '"') isQuoted = false;
      continue;
    }
    if (c === '"') isQuoted = true;
    if (c === '{' || c === '[') {
      const close = text[i + 1];
      if (close === '}' || close === ']') {
        out += c + close;
        i++;
        continue;
      }
      depth++;
      out += `${c}\n${'    '.repeat(depth)}`;
    } else if (c === '}' || c === ']') {
      depth--;
      out += `\n${'    '.repeat(depth)}${c}`;
    } else if (c === ',') out += `,\n${'    '.repeat(depth)}`;
    else out += c === ':' ? ': ' : c;
  }
  return out;
}

/** A float as text in CSV: plain digits, exponents beyond Go's bounds. */
export function plainCell(cell: ShownCell): string {
  if (cell === null) return '';
  return typeof cell === 'number' ? formatFloat(cell) : String(cell);
}
