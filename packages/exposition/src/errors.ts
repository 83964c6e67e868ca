import { InputError } from '@pollux/base';

/** An exposition that does not follow its format. The scrape that brought it fails as a whole. */
export class ParseError extends InputError {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;

  constructor(line: number, reason: string) {
    super('EXPOSITION.PARSE', `line ${line}`, reason);
    this.line = line;
    this.reason = reason;
  }
}

const NEWLINE = 0x0a;
const MAX_QUOTED_BYTES = 80;

/** A {@link ParseError} for the byte at `position`; the line is counted only now, so that good input pays nothing. */
export function parseErrorAt(bytes: Uint8Array, position: number, reason: string): ParseError {
  let line = 1;
  const end = Math.min(position, bytes.length);
  for (let i = 0; i < end; i++) if (bytes[i] === NEWLINE) line++;
  return new ParseError(line, reason);
}

/** The line around `position` for a message, cut to a readable length. */
export function quoteLine(bytes: Uint8Array, position: number): string {
  let start = Math.min(position, bytes.length);
  while (start > 0 && bytes[start - 1] !== NEWLINE) start--;
  let end = position;
  while (end < bytes.length && bytes[end] !== NEWLINE) end++;
  const shown = bytes.subarray(start, Math.min(end, start + MAX_QUOTED_BYTES));
  return JSON.stringify(new TextDecoder().decode(shown) + (end - start > shown.length ? '…' : ''));
}
