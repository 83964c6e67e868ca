import { InputError } from '@pollux/base';

/** A range of a query in UTF-16 units, `end` exclusive. */
export type PositionRange = { readonly start: number; readonly end: number };

/**
 * The query is no PromQL. The message is Prometheus' own: `1:5: parse error: unexpected end of input`. `place` is the line
 * and the column, counted from 1, columns in UTF-8 bytes as Prometheus counts them.
 */
export class ParseError extends InputError {
  readonly range: PositionRange;
  readonly reason: string;

  constructor(query: string, range: PositionRange, reason: string) {
    super('PROMQL.BAD_QUERY', lineAndColumn(query, range.start), `parse error: ${reason}`);
    this.range = range;
    this.reason = reason;
  }
}

/** `line:column` of an offset, as Prometheus prints positions in errors and annotations. */
export function lineAndColumn(query: string, offset: number): string {
  if (query === '') return 'unknown position';
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (const unit of before) if (unit === '\n') line++;
  return `${line}:${utf8Length(before.slice(lineStart)) + 1}`;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
