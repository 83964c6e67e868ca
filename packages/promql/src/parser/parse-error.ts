import { InputError } from '@pollux/base';

/** A range of a query in UTF-16 units, `end` exclusive. */
export type PositionRange = { readonly start: number; readonly end: number };

type Said = { readonly place: string; readonly text: string };

/**
 * The query is no PromQL. The message is Prometheus' own: `1:5: parse error: unexpected end of input`. `place` is the line
 * and the column, counted from 1, columns in UTF-8 bytes as Prometheus counts them.
 */
export class ParseError extends InputError {
  readonly range: PositionRange;
  readonly reason: string;

  constructor(
    query: string,
    range: PositionRange,
    reason: string,
    said: Said = { place: lineAndColumn(query, range.start), text: `parse error: ${reason}` },
  ) {
    super('PROMQL.BAD_QUERY', said.place, said.text);
    this.range = range;
    this.reason = reason;
  }
}

/** A duration that depends on the query's times came out as none: `35:43: division by zero`, in bytes from the beginning. */
export class DurationError extends ParseError {
  constructor(query: string, range: PositionRange, reason: string) {
    const bytes = (offset: number): number => utf8Length(query.slice(0, offset));
    const place = `${bytes(range.start)}:${bytes(range.end)}`;
    super(query, range, reason, { place, text: reason });
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
