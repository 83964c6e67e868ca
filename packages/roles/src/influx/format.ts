import { compareText } from '@pollux/model';
import { inColumns } from '../command/columns.ts';
import { type Answer, type Cell, NumberText, type Row, type StatementResult } from './answer.ts';

/** The answer as `-format` asks for it. */
export function formatAnswer(answer: Answer, format: string, isPretty: boolean): string {
  switch (format) {
    case 'json':
      return `${jsonText(plainAnswer(answer), isPretty ? '\n' : '')}\n`;
    case 'csv':
      return csvText(answer);
    case 'column':
      return columnText(answer);
    default:
      return `Unknown output format ${JSON.stringify(format)}.\n`;
  }
}

/** Each statement's columns line up for themselves; a head that repeats the one before is left out. */
function columnText({ results }: Answer): string {
  let text = '';
  let previous = '';
  for (const [index, result] of results.entries()) {
    for (const { level, text: message } of result.messages) text += `${level}: ${message}.\n`;
    const isContinued = headOf(result) === previous;
    if (!isContinued && result.series.length > 0) previous = headOf(result);
    const lines: string[][] = !isContinued && index > 0 ? [['']] : [];
    for (const [position, row] of result.series.entries()) {
      if (!isContinued) {
        if (position > 0) lines.push(['']);
        lines.push(...headLines(row));
      }
      for (const cells of row.values) lines.push(cells.map(cellText));
    }
    text += inColumns(lines, { padding: 1 });
  }
  return text;
}

function headLines(row: Row): string[][] {
  const tags = tagTexts(row);
  return [
    ...(row.name === '' ? [] : [[`name: ${row.name}`]]),
    ...(tags.length === 0 ? [] : [[`tags: ${tags.join(', ')}`]]),
    [...row.columns],
    row.columns.map((column) => '-'.repeat(column.length)),
  ];
}

function csvText({ results }: Answer): string {
  const lines: string[][] = [];
  let previous = '';
  for (const result of results) {
    const isContinued = headOf(result) === previous;
    if (!isContinued && result.series.length > 0) previous = headOf(result);
    for (const row of result.series) {
      const tags = tagTexts(row);
      const named = (name: string, tag: string): string[] => [
        ...(row.name === '' ? [] : [name]),
        ...(tags.length === 0 ? [] : [tag]),
      ];
      if (!isContinued) lines.push([...named('name', 'tags'), ...row.columns]);
      for (const cells of row.values)
        lines.push([...named(row.name, tags.join(',')), ...cells.map(cellText)]);
    }
  }
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\n`).join('');
}

/** Quotes where Go's csv writer does. */
function csvCell(text: string): string {
  if (text === '\\.' || /[",\r\n]|^\s/.test(text)) return `"${text.replaceAll('"', '""')}"`;
  return text;
}

/** Tells the heads of two statements apart; empty without series, which equals nothing. */
function headOf({ series }: StatementResult): string {
  const [first] = series;
  if (first === undefined) return '\u0000';
  return JSON.stringify([first.name, tagTexts(first), first.columns]);
}

function tagTexts({ tags }: Row): string[] {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .sort(compareText);
}

function cellText(cell: Cell): string {
  if (cell === null) return '';
  return cell instanceof NumberText ? cell.text : String(cell);
}

/** The answer as the server's JSON, without members that are empty and without statement numbers. */
function plainAnswer({ results, error }: Answer): unknown {
  return {
    ...(results.length === 0 ? {} : { results: results.map(plainResult) }),
    ...(error === '' ? {} : { error }),
  };
}

function plainResult({ series, messages, error }: StatementResult): unknown {
  return {
    ...(series.length === 0 ? {} : { series: series.map(plainRow) }),
    ...(messages.length === 0 ? {} : { messages }),
    ...(error === '' ? {} : { error }),
  };
}

function plainRow({ name, tags, columns, values }: Row): unknown {
  return {
    ...(name === '' ? {} : { name }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(columns.length === 0 ? {} : { columns }),
    ...(values.length === 0 ? {} : { values }),
  };
}

/** JSON with numbers as they came; `lineStart` is the line end and indent so far, empty for one line. */
function jsonText(value: unknown, lineStart: string): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) {
    return wrapped(
      '[',
      value.map((one) => jsonText(one, nested(lineStart))),
      ']',
      lineStart,
    );
  }
  if (typeof value === 'object' && value !== null) {
    const colon = lineStart === '' ? ':' : ': ';
    const members = Object.entries(value).map(
      ([name, held]) => `${escaped(name)}${colon}${jsonText(held, nested(lineStart))}`,
    );
    return wrapped('{', members, '}', lineStart);
  }
  return typeof value === 'string' ? escaped(value) : JSON.stringify(value);
}

function nested(lineStart: string): string {
  return lineStart === '' ? '' : `${lineStart}    `;
}

function wrapped(open: string, parts: readonly string[], close: string, lineStart: string): string {
  if (parts.length === 0) return open + close;
  const inner = nested(lineStart);
  return `${open}${inner}${parts.join(`,${inner}`)}${lineStart}${close}`;
}

function escaped(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
