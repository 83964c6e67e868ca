import { InputError } from '@pollux/base';
import { quoteText } from './labels/labels.ts';

export class DurationError extends InputError {
  constructor(text: string, reason = `not a valid duration string: ${quoteText(text)}`) {
    super('MODEL.BAD_DURATION', '', reason, { remedy: 'write for example 30s, 5m or 1h30m' });
  }
}

const UNIT_MS = {
  y: 31_536_000_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
} as const;
const GRAMMAR = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const UNITS = ['y', 'w', 'd', 'h', 'm', 's', 'ms'] as const;
/** Go keeps durations as int64 nanoseconds. */
const MAX_MS = 9_223_372_036_854;

/**
 * Prometheus' duration: units y w d h m s ms, each at most once, descending, whole numbers; `0` alone is allowed.
 * Returns milliseconds. Throws {@link DurationError} with Prometheus' own wording.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (text === '') throw new DurationError(text, 'empty duration string');
  const match = GRAMMAR.exec(text);
  if (match === null) throw new DurationError(text, unknownUnitOf(text));
  let totalMs = 0;
  for (const [index, unit] of UNITS.entries())
    totalMs += Number(match[index + 1] ?? 0) * UNIT_MS[unit];
  if (totalMs > MAX_MS) throw new DurationError(text, 'duration out of range');
  return totalMs;
}

/** What is wrong if the first thing wrong is a unit; undefined if it is something else, as their order. */
function unknownUnitOf(text: string): string | undefined {
  let last = -1;
  for (const [, unit = ''] of text.matchAll(/\d+(\D+)/gy)) {
    const position = (UNITS as readonly string[]).indexOf(unit);
    if (position === -1) return `unknown unit ${quoteText(unit)} in duration ${quoteText(text)}`;
    if (position <= last) return undefined;
    last = position;
  }
  return undefined;
}

/**
 * The form of Prometheus that {@link parseDuration} reads back (without the sign); y and w only when the rest is a multiple.
 * Fractions of a millisecond fall away.
 */
export function formatDuration(durationMs: number): string {
  let rest = Math.trunc(Math.abs(durationMs));
  if (rest === 0) return '0s';
  let text = durationMs < 0 ? '-' : '';
  for (const unit of UNITS) {
    const size = UNIT_MS[unit];
    // A rounded week or year would hide days.
    if ((unit === 'y' || unit === 'w') && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
