import type { FloatHistogram, Labels } from '@pollux/model';
import type { Annotation, Queryable } from '@pollux/storage';
import type { InstantVector, QueryAnswer, QueryResult, RangeMatrix } from '../result.ts';
import { compareMatrix, compareScalar, compareVector } from './compare.ts';
import { applyLoad } from './load.ts';
import { MemorySeries } from './memory-series.ts';
import { type EvalCommand, type Expectation, parseScript } from './script.ts';
import type { ScriptStorage } from './script-storage.ts';

/** The engine under test. */
export type ScriptEngine = {
  instant(query: string, timeMs: number, queryable: Queryable): Promise<QueryAnswer>;
  range(
    query: string,
    times: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    queryable: Queryable,
  ): Promise<QueryAnswer>;
  /** The query with `@ timeMs` on each selector that has none; null where that changes its meaning. */
  pinned(query: string, timeMs: number): string | null;
  /** False for queries over start(), end(), step() or range(): those differ between instant and range. */
  isRepeatable(query: string): boolean;
};

export type ScriptFailure = { readonly line: number; readonly message: string };

export type ScriptReport = {
  readonly passed: number;
  readonly failed: readonly ScriptFailure[];
};

/**
 * Runs a script of promqltest's language. Each instant evaluation is repeated with its selectors pinned by @ at other
 * times and as the middle of a range query, as upstream's harness does; an evaluation passes when all of these agree. Throws ScriptError when the text is no script.
 */
export async function runScript(
  text: string,
  engineFactory: () => ScriptEngine,
  storage: ScriptStorage = new MemorySeries(),
): Promise<ScriptReport> {
  const engine = engineFactory();
  const failed: ScriptFailure[] = [];
  let passed = 0;
  for (const command of parseScript(text)) {
    switch (command.kind) {
      case 'clear':
        storage.clear();
        break;
      case 'load':
        applyLoad(command, storage);
        break;
      case 'eval': {
        const message = await evaluate(command, engine, storage);
        if (message === null) passed++;
        else failed.push({ line: command.line, message: `${command.query}: ${message}` });
      }
    }
  }
  return { passed, failed };
}

/** Null when all is as expected. */
async function evaluate(
  command: EvalCommand,
  engine: ScriptEngine,
  storage: Queryable,
): Promise<string | null> {
  if (command.isRange) {
    return check(command, () => engine.range(command.query, command, storage));
  }
  const first = await check(command, () => engine.instant(command.query, command.startMs, storage));
  if (first !== null || isFailing(command) || !engine.isRepeatable(command.query)) return first;
  const pinned = engine.pinned(command.query, command.startMs);
  if (pinned !== null) {
    for (const timeMs of [command.startMs - 100_000, command.startMs + 21_600_000]) {
      const message = await check(command, () => engine.instant(pinned, timeMs, storage));
      if (message !== null) return `pinned at ${timeMs} as ${pinned}: ${message}`;
    }
  }
  return inRange(command, engine, storage);
}

function isFailing(command: EvalCommand): boolean {
  return command.expectations.some(({ type }) => type === 'fail');
}

/** The same value must come out at the middle of a range of three steps. */
async function inRange(
  command: EvalCommand,
  engine: ScriptEngine,
  storage: Queryable,
): Promise<string | null> {
  const isOrdered = command.expectations.some(({ type }) => type === 'ordered');
  if (isOrdered || command.expectedString !== null || command.expectedRange !== null) return null;
  const instant = await engine.instant(command.query, command.startMs, storage);
  if (instant.result.kind === 'matrix' || instant.result.kind === 'string') return null;
  const times = {
    startMs: command.startMs - 60_000,
    endMs: command.startMs + 60_000,
    stepMs: 60_000,
  };
  try {
    const answer = await engine.range(command.query, times, storage);
    if (answer.result.kind !== 'matrix') return 'a range query gave no matrix';
    const message = compareAtTime(command, answer.result);
    return message === null ? null : `as a range query: ${message}`;
  } catch (error) {
    return `as a range query: ${errorText(error)}`;
  }
}

function compareAtTime(command: EvalCommand, matrix: RangeMatrix): string | null {
  const labels: Labels[] = [];
  const values: number[] = [];
  const histograms: (FloatHistogram | null)[] = [];
  for (const series of matrix.series) {
    const at = series.timestampsMs.subarray(0, series.count).indexOf(command.startMs);
    if (at < 0) continue;
    labels.push(series.labels);
    values.push(series.values[at]!);
    histograms.push(series.histograms?.[at] ?? null);
  }
  if (command.expectedScalar !== null) {
    return compareScalar(command.expectedScalar, values[0] ?? Number.NaN);
  }
  const vector: InstantVector = {
    kind: 'vector',
    timestampMs: command.startMs,
    labels,
    values: Float64Array.from(values),
    histograms,
  };
  return compareVector(command, vector, false);
}

async function check(
  command: EvalCommand,
  run: () => Promise<QueryAnswer>,
): Promise<string | null> {
  let answer: QueryAnswer;
  try {
    answer = await run();
  } catch (error) {
    return checkFailure(command, error);
  }
  if (isFailing(command)) return 'expected to fail, but gave a result';
  return checkAnnotations(command, answer.annotations) ?? checkResult(command, answer.result);
}

function checkFailure(command: EvalCommand, error: unknown): string | null {
  const text = errorText(error);
  const expected = command.expectations.filter(({ type }) => type === 'fail');
  if (expected.length === 0) return `failed: ${text}`;
  const isExpected = expected.every(
    (expectation) => expectation.match === 'any' || matches(expectation, text),
  );
  return isExpected ? null : `failed with another error: ${text}`;
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What is no error of a query is a fault of the program; its place helps.
  return 'kind' in error ? error.message : (error.stack ?? error.message);
}

function matches(expectation: Expectation, text: string): boolean {
  if (expectation.match === 'any') return true;
  if (expectation.match === 'msg') return text === expectation.text;
  return new RegExp(expectation.text, 's').test(text);
}

function checkAnnotations(command: EvalCommand, annotations: readonly Annotation[]): string | null {
  for (const [type, kind, none] of [
    ['warn', 'warning', 'no_warn'],
    ['info', 'info', 'no_info'],
  ] as const) {
    const texts = annotations.filter((item) => item.kind === kind).map(({ text }) => text);
    const wanted = command.expectations.filter((item) => item.type === type);
    if (command.expectations.some((item) => item.type === none) && texts.length > 0)
      return `unexpected ${kind}: ${texts.join('; ')}`;
    for (const expectation of wanted) {
      if (!texts.some((text) => matches(expectation, text))) {
        return `expected ${type} ${expectation.text}, got: ${texts.join('; ')}`;
      }
    }
    if (wanted.length === 0) continue;
    const stray = texts.find((text) => !wanted.some((expectation) => matches(expectation, text)));
    if (stray !== undefined) return `unexpected ${kind}: ${stray}`;
  }
  return null;
}

function checkResult(command: EvalCommand, result: QueryResult): string | null {
  switch (result.kind) {
    case 'string':
      return result.value === command.expectedString ? null : `got string ${result.value}`;
    case 'scalar':
      if (command.expectedScalar === null) return `got scalar ${result.value}`;
      return compareScalar(command.expectedScalar, result.value);
    case 'vector':
      return compareVector(
        command,
        result,
        command.expectations.some(({ type }) => type === 'ordered'),
      );
    case 'matrix':
      return compareMatrix(command, result);
  }
}
