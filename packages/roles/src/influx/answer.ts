import { OperatingError } from '@pollux/base';

/** A number as the server wrote it: int64 and the last digits of floats never pass through a double. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Cell = string | boolean | null | NumberText;

export type Row = {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly Cell[])[];
};

export type StatementResult = {
  readonly series: readonly Row[];
  readonly messages: readonly { readonly level: string; readonly text: string }[];
  readonly error: string;
};

export type Answer = { readonly results: readonly StatementResult[]; readonly error: string };

/** Reads what `/query` gave: one JSON object, or one a line when it is chunked. Throws OperatingError for anything else. */
export function readAnswer(text: string): Answer {
  const results: StatementResult[] = [];
  let error = '';
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const value = parseJson(line);
    if (typeof value.error === 'string') error = value.error;
    if (Array.isArray(value.results)) results.push(...value.results.map(statementResult));
  }
  return { results, error };
}

/** The first error that the answer holds, empty for none. */
export function errorOf({ results, error }: Answer): string {
  if (error !== '') return error;
  return results.find((result) => result.error !== '')?.error ?? '';
}

/** A string or a number; strings are kept whole so that digits in them are left alone. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const NUMBER_KEY = '\u0000number';

function parseJson(line: string): Readonly<Record<string, unknown>> {
  const marked = line.replace(TOKENS, (token) =>
    token.startsWith('"') ? token : `{${JSON.stringify(NUMBER_KEY)}:"${token}"}`,
  );
  try {
    const value: unknown = JSON.parse(marked, (_, held: unknown) =>
      isRecord(held) && typeof held[NUMBER_KEY] === 'string'
        ? new NumberText(held[NUMBER_KEY])
        : held,
    );
    if (isRecord(value)) return value;
  } catch {
    // Told below with what came.
  }
  throw new OperatingError(
    'ROLES.INFLUX_ANSWER',
    `unable to decode the answer: ${line.slice(0, 200)}`,
  );
}

function statementResult(value: unknown): StatementResult {
  const { series, messages, error } = isRecord(value) ? value : {};
  return {
    series: Array.isArray(series) ? series.map(row) : [],
    messages: Array.isArray(messages)
      ? messages.map((one: unknown) => {
          const { level = '', text = '' } = isRecord(one) ? one : {};
          return { level: String(level), text: String(text) };
        })
      : [],
    error: typeof error === 'string' ? error : '',
  };
}

function row(value: unknown): Row {
  const { name, tags, columns, values } = isRecord(value) ? value : {};
  return {
    name: typeof name === 'string' ? name : '',
    tags: isRecord(tags) ? (tags as Record<string, string>) : {},
    columns: Array.isArray(columns) ? columns.map(String) : [],
    values: Array.isArray(values) ? (values as readonly Cell[][]) : [],
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
