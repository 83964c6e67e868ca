import { InputError } from '@pollux/base';
import {
  byteSize,
  checked,
  type Decoder,
  list,
  nonEmptyString,
  number,
  object,
  optional,
  parsed,
  required,
} from '@pollux/config';
import { formatDuration, parseDuration } from '@pollux/model';
import { parseSeriesSelector } from '@pollux/promql/parser';
import { MAX_RETENTION_RULES, type RetentionRule, type RetentionSettings } from '@pollux/tsdb';
import type { FlagValues } from '../flags/flags.ts';
import type { SERVER_FLAGS } from './flags.ts';

/** Without any setting. */
const DEFAULT_MS = 15 * 24 * 60 * 60 * 1000;
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** `storage.tsdb.retention`: where it is given it stands for all of Prometheus' flags, and what it leaves out is off. */
export const retentionSection: Decoder<RetentionSection> = object({
  time: optional(parsed(parseDuration), 0),
  size: optional(byteSize, 0),
  percentage: optional(
    checked(number, (percentage) => {
      if (percentage >= 0 && percentage <= 100) return percentage;
      throw new InputError('ROLES.BAD_CONFIG', '', 'must be in the range [0, 100]');
    }),
    0,
  ),
});

export type RetentionSection = {
  readonly time: number;
  readonly size: number;
  readonly percentage: number;
};

const rule = object({
  match: required(checked(nonEmptyString, (text) => parseSeriesSelector(text))),
  keep: required(
    checked(parsed(parseDuration), (keepMs) => {
      if (keepMs > 0) return keepMs;
      throw new InputError('ROLES.BAD_CONFIG', '', 'must be longer than 0s');
    }),
  ),
});

/**
 * `storage.tsdb.retention_rules`, beyond Prometheus: how long the series of a selector are kept, whatever the retention time
 * says of the others. The first rule that matches decides: `{match: '{job="billing"}', keep: 5y}` keeps for long,
 * `{match: '{__name__=~"debug_.+"}', keep: 1d}` drops early.
 */
export const retentionRules = checked(list(rule), (rules): readonly RetentionRule[] => {
  if (rules.length > MAX_RETENTION_RULES) {
    const what = `has ${rules.length} rules; at most ${MAX_RETENTION_RULES}`;
    throw new InputError('ROLES.BAD_CONFIG', '', what);
  }
  return rules.map(({ match, keep }) => ({ matchers: match, keepMs: keep }));
});

/** What holds with these flags and this configuration. Throws InputError at a flag that is no size. */
export function retentionSettings(
  flags: Pick<
    FlagValues<typeof SERVER_FLAGS>,
    'storage.tsdb.retention.time' | 'storage.tsdb.retention.size'
  >,
  config: {
    readonly retention: RetentionSection | null;
    readonly retentionRules: readonly RetentionRule[];
  },
): RetentionSettings {
  const { retention, retentionRules: rules } = config;
  if (retention !== null) {
    const { time, size, percentage } = retention;
    return { timeMs: time, bytes: size, percentage, rules };
  }
  const timeMs = flags['storage.tsdb.retention.time'];
  const bytes = sizeFlag(flags['storage.tsdb.retention.size']);
  const isUnset = timeMs === 0 && bytes === 0;
  return { timeMs: isUnset ? DEFAULT_MS : timeMs, bytes, percentage: 0, rules };
}

/** As Prometheus' status page says it: `15d or 50GiB`. */
export function retentionText({ timeMs, bytes, percentage }: RetentionSettings): string {
  const limits: string[] = [];
  if (timeMs > 0) limits.push(formatDuration(timeMs));
  if (percentage > 0) limits.push(`${percentage}%`);
  else if (bytes > 0) limits.push(sizeText(bytes));
  return limits.join(' or ');
}

function sizeText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(2))}${unit === 0 ? 'B' : UNITS[unit]!.replace('B', 'iB')}`;
}

function sizeFlag(text: string): number {
  const match = /^(\d+)(B|KB|MB|GB|TB|PB|EB)$/.exec(text);
  if (match === null) {
    throw new InputError(
      'ROLES.BAD_FLAG',
      '--storage.tsdb.retention.size',
      `"${text}" is no size; write for example 50GB`,
    );
  }
  return Number(match[1]) * 1024 ** UNITS.indexOf(match[2] ?? 'B');
}
