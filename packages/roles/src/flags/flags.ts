import { parseArgs } from 'node:util';
import { InputError } from '@pollux/base';
import { parseDuration } from '@pollux/model/duration';

/** One flag as the peer names it. `list` flags may be given several times. */
export type Flag =
  | { readonly kind: 'string'; readonly fallback: string; readonly help: string }
  | { readonly kind: 'boolean'; readonly fallback: boolean; readonly help: string }
  | { readonly kind: 'integer'; readonly fallback: number; readonly help: string }
  /** Prometheus' duration, or Go's with fractions (`1.5s`); the value is in ms. */
  | { readonly kind: 'duration'; readonly fallback: string; readonly help: string }
  | {
      readonly kind: 'choice';
      readonly choices: readonly string[];
      readonly fallback: string;
      readonly help: string;
    }
  | { readonly kind: 'list'; readonly fallback: readonly string[]; readonly help: string };

export type FlagTable = Readonly<Record<string, Flag>>;

export type FlagValues<T extends FlagTable> = {
  readonly [K in keyof T]: T[K]['kind'] extends 'boolean'
    ? boolean
    : T[K]['kind'] extends 'integer' | 'duration'
      ? number
      : T[K]['kind'] extends 'list'
        ? readonly string[]
        : string;
};

export class FlagError extends InputError {
  constructor(flag: string, message: string) {
    super('ROLES.BAD_FLAG', flag, message);
  }
}

export const LOG_FLAGS = {
  'log.level': {
    kind: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    fallback: 'info',
    help: 'Only log messages with the given severity or above. One of: debug, info, warn, error',
  },
  'log.format': {
    kind: 'choice',
    choices: ['logfmt', 'json'],
    fallback: 'logfmt',
    help: 'Output format of log messages. One of: logfmt, json',
  },
} as const satisfies FlagTable;

/**
 * Reads `--name=value`, `--name value`, `--switch`, `--no-switch`; `-config x` (influxd's single dash) as well. Throws
 * FlagError naming the flag. Arguments that are no flags come back in `rest`.
 */
export function parseFlags<const T extends FlagTable>(
  table: T,
  args: readonly string[],
): {
  readonly values: FlagValues<T>;
  readonly rest: readonly string[];
  readonly given: ReadonlySet<string>;
} {
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> = {};
  for (const [name, flag] of Object.entries(table)) {
    options[name] =
      flag.kind === 'boolean' ? { type: 'boolean' } : { type: 'string', multiple: true };
  }
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: args.map(doubleDash),
      options,
      allowPositionals: true,
      allowNegative: true,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new FlagError('', `${message.split('. To specify')[0]}; see --help`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table))
    values[name] = flagValue(name, flag, parsed.values[name]);
  return {
    values: values as FlagValues<T>,
    rest: parsed.positionals,
    given: new Set(Object.keys(parsed.values)),
  };
}

/** What a flag prints as in `/api/v1/status/flags` and `--help`. */
export function flagText(flag: Flag): string {
  return Array.isArray(flag.fallback) ? flag.fallback.join(',') : String(flag.fallback);
}

export function helpText(usage: string, table: FlagTable): string {
  const lines = [`usage: ${usage}`, '', 'Flags:'];
  for (const [name, flag] of Object.entries(table)) {
    const shown = flagText(flag);
    const sample =
      flag.kind === 'boolean' ? `--[no-]${name}` : `--${name}=${shown === '' ? '…' : shown}`;
    lines.push(`  ${sample}${flag.kind === 'list' ? ' …' : ''}`, `        ${flag.help}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Milliseconds of `15s`, `1h30m` (Prometheus) or `1.5s`, `250ms` (Go). */
export function durationFlag(text: string): number {
  const fraction = /^(\d+\.\d+)(ms|s|m|h)$/.exec(text);
  if (fraction === null) return parseDuration(text);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[fraction[2] as 'ms' | 's' | 'm' | 'h'];
  return Math.round(Number(fraction[1]) * unit);
}

function doubleDash(argument: string): string {
  return /^-[a-zA-Z][a-zA-Z.-]+/.test(argument) ? `-${argument}` : argument;
}

function flagValue(name: string, flag: Flag, given: unknown): unknown {
  if (flag.kind === 'boolean') return given ?? flag.fallback;
  const texts = given as string[] | undefined;
  if (flag.kind === 'list') return texts ?? flag.fallback;
  const text = texts?.at(-1);
  switch (flag.kind) {
    case 'string':
      return text ?? flag.fallback;
    case 'choice':
      if (text !== undefined && !flag.choices.includes(text)) {
        throw new FlagError(
          `--${name}`,
          `"${text}" is not allowed; use one of ${flag.choices.join(', ')}`,
        );
      }
      return text ?? flag.fallback;
    case 'integer': {
      if (text === undefined) return flag.fallback;
      if (!/^-?\d+$/.test(text)) throw new FlagError(`--${name}`, `"${text}" is no whole number`);
      return Number(text);
    }
    case 'duration':
      try {
        return durationFlag(text ?? flag.fallback);
      } catch {
        throw new FlagError(
          `--${name}`,
          `"${text}" is no duration; write for example 30s, 5m or 1h30m`,
        );
      }
  }
}
