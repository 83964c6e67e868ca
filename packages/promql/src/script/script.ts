import { errorText } from '@pollux/base';
import { Labels, parseDuration } from '@pollux/model';
import { ScriptError } from './script-error.ts';
import { type Point, parseSequence, repeats } from './sequence.ts';

/** A line `metric{labels} points` of a load or an expectation. */
export type SeriesLine = {
  readonly labels: Labels;
  /** Null for start-timestamp lines. */
  readonly points: readonly (Point | null)[];
  readonly line: number;
};

/** A line `metric{labels}@st offsets`: start timestamps relative to the samples, ms; null for none. */
export type StartLine = {
  readonly labels: Labels;
  readonly offsetsMs: readonly (number | null)[];
};

export type Expectation = {
  readonly type: 'fail' | 'warn' | 'info' | 'no_warn' | 'no_info' | 'ordered';
  readonly match: 'any' | 'msg' | 'regex';
  readonly text: string;
};

export type LoadCommand = {
  readonly kind: 'load';
  readonly line: number;
  readonly stepMs: number;
  readonly withCustomBuckets: boolean;
  readonly series: readonly SeriesLine[];
  readonly starts: readonly StartLine[];
};

export type EvalCommand = {
  readonly kind: 'eval';
  readonly line: number;
  readonly query: string;
  readonly isRange: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly expectations: readonly Expectation[];
  readonly expectedString: string | null;
  /** Times of an expected range vector of an instant query. */
  readonly expectedRange: { readonly startMs: number; readonly stepMs: number } | null;
  readonly expected: readonly SeriesLine[];
  /** An expected scalar: a number without labels. */
  readonly expectedScalar: number | null;
};

export type Command = LoadCommand | EvalCommand | { readonly kind: 'clear'; readonly line: number };

/** Reads a script of promqltest's language. Throws ScriptError, which names the line. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = stripComment(lines[at]!);
    if (line === '') {
      at++;
      continue;
    }
    const body: { readonly text: string; readonly line: number }[] = [];
    const head = at++;
    // A command's lines follow it without an empty one between; comments do not count.
    for (; at < lines.length && lines[at]!.trim() !== '' && !COMMAND.test(lines[at]!); at++) {
      const inner = stripComment(lines[at]!);
      if (inner !== '') body.push({ text: inner, line: at + 1 });
    }
    try {
      commands.push(parseCommand(line, head + 1, body));
    } catch (error) {
      throw new ScriptError(`line ${head + 1}`, errorText(error));
    }
  }
  return commands;
}

/** A command begins here; lines of a body are indented or look otherwise. */
const COMMAND =
  /^\s*(?:clear\s*$|load(?:_with_nhcb)?\s+\S+\s*$|eval(?:_\w+)?\s+(?:instant|range)\b)/;

type BodyLine = { readonly text: string; readonly line: number };

function stripComment(line: string): string {
  const trimmed = line.trim();
  return trimmed.startsWith('#') ? '' : trimmed;
}

function parseCommand(head: string, line: number, body: readonly BodyLine[]): Command {
  if (head === 'clear') return { kind: 'clear', line };
  const load = /^load(_with_nhcb)?\s+(\S+)$/i.exec(head);
  if (load !== null) return parseLoad(load, line, body);
  if (/^eval/.test(head)) return parseEval(head, line, body);
  throw new Error(`unknown command: ${head}`);
}

function parseLoad(head: RegExpExecArray, line: number, body: readonly BodyLine[]): LoadCommand {
  const series: SeriesLine[] = [];
  const starts: StartLine[] = [];
  for (const { text, line: at } of body) {
    const { labels, rest, isStart } = splitSeries(text);
    if (isStart) starts.push({ labels, offsetsMs: parseOffsets(rest) });
    else series.push({ labels, points: parseSequence(rest), line: at });
  }
  return {
    kind: 'load',
    line,
    stepMs: parseDuration(head[2]!),
    withCustomBuckets: head[1] !== undefined,
    series,
    starts,
  };
}

function parseEval(head: string, line: number, body: readonly BodyLine[]): EvalCommand {
  const instant = /^eval(?:_(fail|warn|info|ordered))?\s+instant\s+(?:at\s+(\S+)\s+)?(.*)$/s.exec(
    head,
  );
  const range =
    /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)$/s.exec(
      head,
    );
  const match = instant ?? range;
  if (match === null) throw new Error(`bad eval: ${head}`);
  const expectations: Expectation[] = [];
  if (match[1] !== undefined)
    expectations.push({ type: match[1] as Expectation['type'], match: 'any', text: '' });
  const expected = readBody(body, expectations);
  const startMs = parseTime(match[2] ?? '0');
  return {
    kind: 'eval',
    line,
    query: match.at(-1)!.trim(),
    isRange: range !== null,
    startMs,
    endMs: range === null ? startMs : parseTime(range[3]!),
    stepMs: range === null ? 0 : parseTime(range[4]!),
    expectations,
    ...expected,
  };
}

function readBody(
  body: readonly BodyLine[],
  expectations: Expectation[],
): Pick<EvalCommand, 'expected' | 'expectedString' | 'expectedRange' | 'expectedScalar'> {
  const expected: SeriesLine[] = [];
  let expectedString: string | null = null;
  let expectedRange: EvalCommand['expectedRange'] = null;
  let expectedScalar: number | null = null;
  for (const { text, line } of body) {
    const string = /^expect\s+string\s+(.*)$/s.exec(text);
    const range = /^expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+\S+\s+step\s+(\S+)$/.exec(text);
    const expectation =
      /^expect\s+(fail|warn|info|no_warn|no_info|ordered)\b\s*(?:(msg|regex)\s*:\s*(.*))?$/s.exec(
        text,
      );
    const old = /^expected_fail_(message|regexp)\s+(.*)$/s.exec(text);
    if (string !== null) expectedString = unquote(string[1]!);
    else if (range !== null)
      expectedRange = { startMs: parseTime(range[1]!), stepMs: parseTime(range[2]!) };
    else if (expectation !== null) {
      expectations.push({
        type: expectation[1] as Expectation['type'],
        match: (expectation[2] as 'msg' | 'regex' | undefined) ?? 'any',
        text: expectation[3]?.trim() ?? '',
      });
    } else if (old !== null) {
      expectations.push({
        type: 'fail',
        match: old[1] === 'message' ? 'msg' : 'regex',
        text: old[2]!.trim(),
      });
    } else if (/^[+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|Inf|NaN)$/i.test(text)) {
      const point = parseSequence(text)[0];
      expectedScalar = point?.kind === 'float' ? point.value : Number.NaN;
    } else {
      const { labels, rest } = splitSeries(text);
      expected.push({ labels, points: parseSequence(rest), line });
    }
  }
  return { expected, expectedString, expectedRange, expectedScalar };
}

/** A duration from the start of the test data; a bare number is seconds. */
function parseTime(text: string): number {
  if (/^-?[0-9.]+$/.test(text)) return Math.round(Number(text) * 1000);
  return text.startsWith('-') ? -parseDuration(text.slice(1)) : parseDuration(text);
}

function unquote(text: string): string {
  const body = text.slice(1, -1);
  if (text.startsWith('`')) return body;
  return body.replace(/\\(.)/gs, (_, char: string) =>
    char === 'n' ? '\n' : char === 't' ? '\t' : char,
  );
}

/** Cuts `metric{…}` from what follows; blanks and braces inside quotes belong to the labels. */
function splitSeries(text: string): { labels: Labels; rest: string; isStart: boolean } {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(text)?.[0] ?? '';
  let at = name.length;
  const pairs: [string, string][] = name === '' ? [] : [['__name__', name]];
  while (text[at] === ' ' && text.slice(at).trimStart().startsWith('{') && name !== '') {
    if (text.slice(at).trimStart().startsWith('{{')) break;
    at++;
  }
  if (text[at] === '{' && !text.startsWith('{{', at)) {
    const end = closingBrace(text, at);
    readPairs(text.slice(at + 1, end), pairs);
    at = end + 1;
  }
  let rest = text.slice(at);
  const isStart = rest.startsWith('@st');
  if (isStart) rest = rest.slice(3);
  return { labels: Labels.from(pairs), rest, isStart };
}

function closingBrace(text: string, open: number): number {
  let quote = '';
  for (let i = open + 1; i < text.length; i++) {
    const char = text[i]!;
    if (quote !== '') {
      if (char === '\\' && quote !== '`') i++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (char === '}') return i;
  }
  throw new Error(`no closing brace: ${text}`);
}

function readPairs(text: string, pairs: [string, string][]): void {
  const pattern =
    /\s*(?:([a-zA-Z_][a-zA-Z0-9_.]*)|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))\s*(?:=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`))?\s*(?:,|$)/y;
  while (pattern.lastIndex < text.length && text.slice(pattern.lastIndex).trim() !== '') {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new Error(`bad labels: ${text.slice(from)}`);
    const name = match[1] ?? unquote(match[2]!);
    if (match[3] === undefined) pairs.push(['__name__', name]);
    else pairs.push([name, unquote(match[3])]);
  }
}

/** Durations in point notation: `_`, `-30s`, `-1m+10sx3`. */
function parseOffsets(text: string): (number | null)[] {
  const offsets: (number | null)[] = [];
  for (const word of text.match(/\S+/g) ?? []) {
    const blank = /^_(?:x(\d+))?$/.exec(word);
    if (blank !== null) {
      for (let i = 0; i < repeats(blank[1] ?? '1'); i++) offsets.push(null);
      continue;
    }
    const match = /^([+-]?)([0-9a-z]+?)(?:([+-])([0-9a-z]+?))?(?:x([0-9]+))?$/.exec(word);
    if (match === null) throw new Error(`bad start timestamp: ${word}`);
    let offset = parseDuration(match[2]!) * (match[1] === '-' ? -1 : 1);
    const step = match[4] === undefined ? 0 : parseDuration(match[4]) * (match[3] === '-' ? -1 : 1);
    for (let i = 0; i <= repeats(match[5] ?? '0'); i++) {
      offsets.push(offset);
      offset += step;
    }
  }
  return offsets;
}
