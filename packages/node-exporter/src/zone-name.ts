import type { Host } from './host.ts';

/**
 * The abbreviation of the zone that is `offsetSeconds` east of Greenwich, from the rule at the end of /etc/localtime
 * (TZif version 2, RFC 9636: `CET-1CEST,M3.5.0,M10.5.0/3`); else the offset itself, as `+0530`. `Intl` would know it too,
 * at the price of 9 MB of locale data in memory.
 */
export function zoneName(host: Host, offsetSeconds: number): string {
  const rule = host.rootIfThere('/etc/localtime')?.trimEnd().split('\n').at(-1) ?? 'UTC0';
  const name = '(<[^>]+>|[A-Za-z]+)';
  const offset = '([+-]?\\d+(?::\\d+){0,2})';
  const match = new RegExp(`^${name}${offset}(?:${name}${offset}?)?(?:,|$)`).exec(rule);
  if (match !== null) {
    const [, standard = '', standardOffset = '', summer = '', summerOffset] = match;
    const standardSeconds = secondsEast(standardOffset);
    if (offsetSeconds === standardSeconds) return bare(standard);
    const summerSeconds =
      summerOffset === undefined ? standardSeconds + 3_600 : secondsEast(summerOffset);
    if (summer !== '' && offsetSeconds === summerSeconds) return bare(summer);
  }
  return numeric(offsetSeconds);
}

/** POSIX counts west of Greenwich. */
function secondsEast(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  const west = hours * 3_600 + minutes * 60 + seconds;
  return text.startsWith('-') ? west : 0 - west;
}

function bare(name: string): string {
  return name.replace(/^<|>$/g, '');
}

function numeric(offsetSeconds: number): string {
  if (offsetSeconds === 0) return 'UTC';
  const minutes = Math.abs(offsetSeconds) / 60;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${offsetSeconds < 0 ? '-' : '+'}${two(minutes / 60)}${two(minutes % 60)}`;
}
