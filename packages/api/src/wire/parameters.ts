import { type Matcher, parseDuration, parseFloatText } from '@pollux/model';
import { ParseError, parseSeriesSelector } from '@pollux/promql/parser';
import type { TimeRange } from '@pollux/storage';
import { badData, invalidParameter } from './errors.ts';

/** Bounds of "all time" in ms; the peer's own are beyond what a double holds exactly. */
export const ALL_TIME: TimeRange = {
  minMs: Number.MIN_SAFE_INTEGER,
  maxMs: Number.MAX_SAFE_INTEGER,
};

/** How the peer writes its own bounds; clients send them back. */
const MIN_TIME_TEXT = '-292273086-05-16T16:47:06Z';
const MAX_TIME_TEXT = '292277025-08-18T07:12:54.999999999Z';

/** Durations are int64 nanoseconds at the peer. */
const MAX_DURATION_SECONDS = 9_223_372_036;

/** What the peer makes of NaN and infinite times (on amd64): the least int64 of nanoseconds. */
const NO_NUMBER_MS = -9_223_372_036_854;
/** And of a duration of NaN. */
const NO_NUMBER_DURATION_MS = -9_223_372_036_854.775;

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/** A time in whole ms from seconds with fractions or RFC 3339; throws the API's error for this parameter. */
export function timeParameter(form: URLSearchParams, name: string, fallback?: number): number {
  const text = form.get(name) ?? '';
  if (text === '' && fallback !== undefined) return fallback;
  const parsed = parseTime(text);
  if (parsed === null) {
    throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  }
  return parsed;
}

/** Null when the text is no time. */
export function parseTime(text: string): number | null {
  const seconds = parseFloatText(text);
  if (seconds !== null && !Number.isFinite(seconds)) return NO_NUMBER_MS;
  if (seconds !== null) {
    const whole = Math.trunc(seconds);
    return clampTime(whole * 1000 + Math.round((seconds - whole) * 1000));
  }
  if (text === MIN_TIME_TEXT) return ALL_TIME.minMs;
  if (text === MAX_TIME_TEXT) return ALL_TIME.maxMs;
  return parseRfc3339(text);
}

function clampTime(timeMs: number): number {
  return Math.min(ALL_TIME.maxMs, Math.max(ALL_TIME.minMs, timeMs));
}

function parseRfc3339(text: string): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', , sign, zoneHour, zoneMinute] =
    match;
  const timeMs = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const date = new Date(timeMs);
  // Date.UTC rolls over what is no date and moves years below 100; both are refused.
  const isReal =
    date.getUTCFullYear() === Number(year) &&
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    date.getUTCHours() === Number(hour) &&
    date.getUTCMinutes() === Number(minute) &&
    date.getUTCSeconds() === Number(second);
  if (!isReal || Number(zoneHour ?? 0) > 23 || Number(zoneMinute ?? 0) > 59) return null;
  const offsetMs = (Number(zoneHour ?? 0) * 60 + Number(zoneMinute ?? 0)) * 60_000;
  const fractionMs = Math.trunc(Number(`0.${fraction || '0'}`) * 1000);
  return timeMs + fractionMs - (sign === '-' ? -offsetMs : offsetMs);
}

/** A duration in ms with fractions, from seconds or with units; null when it is neither. Throws on overflow. */
export function parseApiDuration(text: string): number | null {
  const seconds = parseFloatText(text);
  if (seconds !== null && Number.isNaN(seconds)) return NO_NUMBER_DURATION_MS;
  if (seconds !== null) {
    if (Math.abs(seconds) > MAX_DURATION_SECONDS) {
      throw badData(`cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
    }
    return seconds * 1000;
  }
  try {
    return parseDuration(text);
  } catch {
    return null;
  }
}

export function durationParameter(form: URLSearchParams, name: string): number {
  const text = form.get(name) ?? '';
  let parsed: number | null;
  try {
    parsed = parseApiDuration(text);
  } catch (error) {
    throw invalidParameter(name, error instanceof Error ? error.message : String(error));
  }
  if (parsed === null) {
    throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
  return parsed;
}

/** A whole number as Go's strconv.Atoi reads it, or null. */
export function parseInteger(text: string): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

/** `limit`; 0 means none. */
export function limitParameter(form: URLSearchParams): number {
  const text = form.get('limit') ?? '';
  if (text === '') return 0;
  const value = parseInteger(text);
  if (value === null) {
    throw invalidParameter(
      'limit',
      `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  if (value < 0) throw invalidParameter('limit', 'limit must be non-negative');
  return value;
}

/** One more than the limit, so that the caller can tell that there was more; 0 for all. */
export function limitHint(limit: number): number {
  return limit === 0 ? 0 : limit + 1;
}

/** Go's strconv.ParseBool; null when it is none. */
export function parseBool(text: string): boolean | null {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : null;
}

/** The values of `match[]`; each needs a condition that a series without labels fails. */
export function matchersParameter(form: URLSearchParams): Matcher[][] {
  return form.getAll('match[]').map((text) => {
    const matchers = selector(text);
    if (matchers.every((matcher) => matcher.matchesEmpty)) {
      throw badData('match[] must contain at least one non-empty matcher');
    }
    return matchers;
  });
}

/** A selector's conditions; the parse error is the API's bad_data. */
export function selector(text: string): Matcher[] {
  try {
    return [...parseSeriesSelector(text)];
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    // The grammar's own check of this rule has other words.
    if (error.reason.includes('at least one non-empty matcher')) return [];
    throw badData(error.message);
  }
}
