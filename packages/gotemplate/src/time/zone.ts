import { ZONE_ABBREVIATIONS } from './zone-abbreviations.ts';

/** A place of the zone database, or an offset with the name that a parsed text gave it. */
export type Zone =
  | { readonly kind: 'place'; readonly name: string }
  | { readonly kind: 'fixed'; readonly name: string; readonly offsetSeconds: number };

export const UTC: Zone = { kind: 'place', name: 'UTC' };

export type ZoneMoment = { readonly offsetSeconds: number; readonly abbreviation: string };

/** Whether the zone database knows the name. */
export function isPlace(name: string): boolean {
  // Intl knows offsets such as `+08:00` too, Go does not.
  if (/^[+-]|^$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Seconds east of Greenwich and the abbreviation in force at `ms`. */
export function zoneAt(ms: number, zone: Zone): ZoneMoment {
  if (zone.kind === 'fixed') {
    const abbreviation = zone.name === '' ? offsetText(zone.offsetSeconds, '') : zone.name;
    return { offsetSeconds: zone.offsetSeconds, abbreviation };
  }
  if (zone.name === 'UTC' || zone.name === '') return { offsetSeconds: 0, abbreviation: 'UTC' };
  const offsetSeconds = zoneOffsetSeconds(ms, zone.name);
  return { offsetSeconds, abbreviation: abbreviationOf(ms, zone.name, offsetSeconds) };
}

export function zoneOffsetSeconds(ms: number, place: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: place, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? '';
  const match = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(name);
  if (match === null) return 0;
  const size = Number(match[2]) * 3_600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === '-' ? -size : size;
}

function abbreviationOf(ms: number, place: string, offsetSeconds: number): string {
  for (const [names, places] of Object.entries(ZONE_ABBREVIATIONS)) {
    if (!` ${places} `.includes(` ${place} `)) continue;
    const [smaller = '', larger] = names.split(' ');
    if (larger === undefined) return smaller;
    const year = new Date(ms).getUTCFullYear();
    const others = [0, 6].map((month) => zoneOffsetSeconds(Date.UTC(year, month, 15), place));
    return offsetSeconds > Math.min(...others) ? larger : smaller;
  }
  return offsetText(offsetSeconds, '').replace(/00$/, '');
}

/** `+0800`, or with a separator `+08:00`. */
export function offsetText(offsetSeconds: number, separator: string): string {
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  const sign = offsetSeconds < 0 ? '-' : '+';
  return `${sign}${two(Math.floor(minutes / 60))}${separator}${two(minutes % 60)}`;
}
