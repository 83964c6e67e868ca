import { CanceledError, OperatingError } from '@pollux/base';
import { Matcher, METRIC_NAME } from '@pollux/model';
import { ParseError, parseSeriesSelector } from '@pollux/promql';
import { Log } from '@pollux/telemetry';
import { ReadOnlyTsdb } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import { type Call, UsageError } from '../../command/command-line.ts';

export const DEFAULT_PATH = 'data/';
export const EVERY_SERIES: readonly Matcher[] = [new Matcher(METRIC_NAME, '=~', '(?s:.*)')];

/** The directory argument, without slashes at its end. */
export function directoryOf(call: Call, index: number): string {
  return (call.args[index] ?? DEFAULT_PATH).replace(/(?<=.)\/+$/, '');
}

export function matchersOf(selector: string): readonly Matcher[] {
  try {
    return parseSeriesSelector(selector, { mayMatchAll: true });
  } catch (error) {
    if (error instanceof ParseError) throw new OperatingError('ROLES.SELECTOR', error.message);
    throw error;
  }
}

/** As shells count a program that ctrl-c ended. */
const INTERRUPTED_STATUS = 130;

/** Exit status of `run`; operating errors become a line on stderr and status 1, as promtool has it. */
export async function reported(
  { stderr }: CommandContext,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!OperatingError.is(error) || error instanceof UsageError) throw error;
    if (error instanceof CanceledError) {
      stderr.write('interrupted\n');
      return INTERRUPTED_STATUS;
    }
    stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Throws when the directory is not there, in promtool's words. */
export function checkDirectory({ env }: CommandContext, directory: string): void {
  if (!env.files.exists(directory)) {
    throw new OperatingError(
      'ROLES.NO_DIRECTORY',
      `opening the db dir: stat ${directory}: no such file or directory`,
    );
  }
}

export async function withDatabase(
  context: CommandContext,
  directory: string,
  readsLog: boolean,
  use: (database: ReadOnlyTsdb) => Promise<number>,
): Promise<number> {
  const { env } = context;
  checkDirectory(context, directory);
  const database = await ReadOnlyTsdb.open({ directory, env, log: logOf(context), readsLog });
  try {
    return await use(database);
  } finally {
    database.close();
  }
}

export function logOf({ env, stderr }: CommandContext): Log {
  return new Log({
    level: 'warn',
    format: 'logfmt',
    now: () => env.clock.now(),
    write: (line) => stderr.write(`${line}\n`),
  });
}

/** Whole number of a flag, `fallback` when it is not given. */
export function integerFlag(call: Call, name: string, fallback: number): number {
  const text = call.text(name);
  if (text === '') return fallback;
  if (!/^[+-]?\d+$/.test(text))
    throw new UsageError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Number(text)));
}
