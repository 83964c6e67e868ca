import { InputError } from '@pollux/base';

const QUOTE = 34;
const NEWLINE = 10;
const RETURN = 13;
const MAX_ROW_LENGTH = 16 * 1024 * 1024;

/**
 * Splits CSV text (RFC 4180: cells in double quotes may hold delimiters, newlines and doubled quotes) into rows. Text comes
 * in pieces; a row is given as soon as it is whole.
 */
export class CsvReader {
  readonly #delimiter: number;
  #rest = '';
  #lines = 0;
  /** Line on which the row given last began, from 1. */
  line = 0;

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /** The whole rows of what has come; `isLast` ends the text, with or without a newline. */
  *rows(text: string, isLast: boolean): Iterable<readonly string[]> {
    const whole = this.#rest + text;
    let at = 0;
    while (at < whole.length) {
      const row = this.#row(whole, at, isLast);
      if (row === null) break;
      this.line = this.#lines + 1;
      this.#lines += row.lines;
      at = row.end;
      // An empty line is no row.
      if (row.cells.length > 1 || row.cells[0] !== '') yield row.cells;
    }
    this.#rest = whole.slice(at);
    if (this.#rest.length > MAX_ROW_LENGTH)
      throw new InputError('ROLES.IMPORT', `line ${this.#lines + 1}`, 'a quoted cell does not end');
  }

  #row(
    text: string,
    start: number,
    isLast: boolean,
  ): { readonly cells: string[]; readonly end: number; readonly lines: number } | null {
    const cells: string[] = [];
    let lines = 1;
    for (let at = start; ; ) {
      let cell = '';
      if (text.charCodeAt(at) === QUOTE) {
        const end = closingQuote(text, at + 1);
        if (end < 0 || (end + 1 === text.length && !isLast)) return null;
        cell = text.slice(at + 1, end).replaceAll('""', '"');
        for (const char of cell) if (char === '\n') lines++;
        at = end + 1;
      }
      const end = this.#cellEnd(text, at);
      if (end === text.length && !isLast) return null;
      cell += text.slice(at, end);
      const isRowEnd = text.charCodeAt(end) !== this.#delimiter;
      if (isRowEnd && text.charCodeAt(end - 1) === RETURN && cell.endsWith('\r'))
        cell = cell.slice(0, -1);
      cells.push(cell);
      at = end + 1;
      if (isRowEnd) return { cells, end: Math.min(at, text.length), lines };
    }
  }

  #cellEnd(text: string, start: number): number {
    for (let at = start; at < text.length; at++) {
      const char = text.charCodeAt(at);
      if (char === this.#delimiter || char === NEWLINE) return at;
    }
    return text.length;
  }
}

/** The quote that ends a quoted cell, not a doubled one; −1 when it has not come yet. */
function closingQuote(text: string, start: number): number {
  for (let at = text.indexOf('"', start); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text.charCodeAt(at + 1) !== QUOTE) return at;
  }
  return -1;
}
