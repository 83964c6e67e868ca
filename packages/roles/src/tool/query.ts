import { OperatingError } from '@pollux/base';
import type { CommandContext } from '../command/command.ts';
import {
  type Call,
  type CommandFlags,
  type Subcommand,
  UsageError,
} from '../command/command-line.ts';
import { goDurationMs } from '../command/go-duration.ts';
import { floatF, goJson } from '../command/go-text.ts';
import { type ApiAnswer, askServer } from './prometheus-api.ts';
import { labelSetText, resultJson, resultText } from './query-text.ts';

const FORMAT: CommandFlags = {
  format: {
    kind: 'choice',
    short: 'o',
    choices: ['promql', 'json'],
    fallback: 'promql',
    help: 'Output format of the query: promql or json.',
  },
  header: { kind: 'list', help: 'Extra header to send to the server, as Name=value.' },
};
const TIMES: CommandFlags = {
  start: { kind: 'text', help: 'Start time (RFC3339 or Unix timestamp).' },
  end: { kind: 'text', help: 'End time (RFC3339 or Unix timestamp).' },
};
const DEFAULT_RANGE_MS = 5 * 60_000;
const DEFAULT_POINT_COUNT = 250;

const instant: Subcommand<CommandContext> = {
  words: ['query', 'instant'],
  help: 'Run instant query.',
  flags: {
    ...FORMAT,
    time: { kind: 'text', help: 'Query evaluation time (RFC3339 or Unix timestamp).' },
  },
  args: ['server', 'expr'],
  run: (call, context) =>
    reported(context, async () => {
      const now = context.env.clock.now();
      const time = timeOf(call, 'time', 'evaluation', now);
      return queryOutput(call, context, '/api/v1/query', {
        query: [call.args[1]!],
        time: [seconds(time)],
      });
    }),
};

const range: Subcommand<CommandContext> = {
  words: ['query', 'range'],
  help: 'Run range query.',
  flags: {
    ...FORMAT,
    ...TIMES,
    step: { kind: 'text', help: 'Query step size (duration).' },
  },
  args: ['server', 'expr'],
  run: (call, context) => {
    // A step that cannot be read is a wrong argument, unlike a wrong time, as in promtool.
    const step = call.has('step') ? goDurationMs(call.text('step')) : null;
    return reported(context, async () => {
      const end = timeOf(call, 'end', 'end', context.env.clock.now());
      const start = timeOf(call, 'start', 'start', end - DEFAULT_RANGE_MS);
      if (end <= start) throw refused('start time is not before end time');
      const points = Math.floor((end - start) / 1_000 / DEFAULT_POINT_COUNT);
      return queryOutput(call, context, '/api/v1/query_range', {
        query: [call.args[1]!],
        start: [seconds(start)],
        end: [seconds(end)],
        step: [floatF((step ?? Math.max(points, 1) * 1_000) / 1_000)],
      });
    });
  },
};

const series: Subcommand<CommandContext> = {
  words: ['query', 'series'],
  help: 'Run series query.',
  flags: {
    ...FORMAT,
    ...TIMES,
    match: { kind: 'list', isRequired: true, help: 'Series selector; may be given several times.' },
  },
  args: ['server'],
  run: (call, context) =>
    reported(context, async () => {
      const path = '/api/v1/series';
      const parameters = { 'match[]': call.list('match'), ...givenTimes(call) };
      const { data } = await ask(call, context, path, parameters);
      const found = data as readonly Readonly<Record<string, string>>[];
      if (isJson(call)) return `${goJson(found.map(sortedMetric))}\n`;
      return found.map((metric) => `${labelSetText(metric)}\n`).join('');
    }),
};

const labels: Subcommand<CommandContext> = {
  words: ['query', 'labels'],
  help: 'Run labels query.',
  flags: {
    ...FORMAT,
    ...TIMES,
    match: { kind: 'list', help: 'Series selector; may be given several times.' },
  },
  args: ['server', 'name'],
  run: (call, context) =>
    reported(context, async () => {
      const path = `/api/v1/label/${encodeURIComponent(call.args[1]!)}/values`;
      const parameters = { 'match[]': call.list('match'), ...givenTimes(call) };
      const { data } = await ask(call, context, path, parameters, 'GET');
      const values = data as readonly string[];
      if (isJson(call)) return `${goJson(values)}\n`;
      return values.map((value) => `${value}\n`).join('');
    }),
};

export const QUERIES: readonly Subcommand<CommandContext>[] = [instant, range, series, labels];

/** Runs a query and writes what it gives; a refusal of the server or of the times is one line on stderr. */
async function reported(context: CommandContext, run: () => Promise<string>): Promise<number> {
  try {
    context.stdout.write(await run());
    await context.stdout.drained();
    return 0;
  } catch (error) {
    if (!OperatingError.is(error) || error instanceof UsageError) throw error;
    context.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function queryOutput(
  call: Call,
  context: CommandContext,
  path: string,
  parameters: Readonly<Record<string, readonly string[]>>,
): Promise<string> {
  const { data } = await ask(call, context, path, parameters);
  const { resultType, result } = data as { resultType: string; result: unknown };
  return isJson(call)
    ? `${goJson(resultJson(resultType, result))}\n`
    : `${resultText(resultType, result)}\n`;
}

async function ask(
  call: Call,
  context: CommandContext,
  path: string,
  parameters: Readonly<Record<string, readonly string[]>>,
  method: 'GET' | 'POST' = 'POST',
): Promise<ApiAnswer> {
  const answer = await askServer(context.env.net, {
    server: call.args[0]!,
    path,
    parameters,
    method,
    headers: headersOf(call),
  });
  for (const warning of answer.warnings) context.stderr.write(`query warning: ${warning}\n`);
  return answer;
}

export function headersOf(call: Call): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const given of call.list('header')) {
    const at = given.indexOf('=');
    if (at < 1) throw new UsageError(`expected KEY=VALUE got '${given}'`);
    headers[given.slice(0, at).toLowerCase()] = given.slice(at + 1);
  }
  return headers;
}

function isJson(call: Call): boolean {
  return call.text('format') === 'json';
}

function givenTimes(call: Call): Record<string, readonly string[]> {
  const times: Record<string, readonly string[]> = {};
  for (const name of ['start', 'end']) {
    if (call.has(name)) times[name] = [seconds(timeOf(call, name, name, 0))];
  }
  return times;
}

/** Milliseconds since 1970 of a flag in seconds or RFC 3339. */
export function timeOf(call: Call, flag: string, what: string, fallbackMs: number): number {
  const text = call.text(flag);
  if (text === '') return fallbackMs;
  const number = Number(text);
  if (/^[-+\d.eE]+$/.test(text) && Number.isFinite(number)) return number * 1_000;
  const parsed = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed))
    throw refused(
      `error parsing ${what} time: cannot parse ${JSON.stringify(text)} to a valid timestamp`,
    );
  return parsed;
}

function seconds(timeMs: number): string {
  return floatF(timeMs / 1_000);
}

function sortedMetric(metric: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function refused(message: string): OperatingError {
  return new OperatingError('ROLES.REFUSED', message);
}
