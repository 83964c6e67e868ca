import { layoutParts, MONTHS, WEEKDAYS } from './layout.ts';
import { offsetText, type Zone, zoneAt } from './zone.ts';

const NANOS_PER_SECOND = 1_000_000_000n;

type Moment = {
  /** Wall clock of the zone as the UTC fields of a Date, whole seconds. */
  readonly wall: Date;
  readonly nanos: number;
  readonly offsetSeconds: number;
  readonly abbreviation: string;
};

/** Formats as Go's time.Format does: the layout shows how Mon Jan 2 15:04:05 MST 2006 would look. */
export function formatTime(
  time: { readonly nanos: bigint; readonly zone: Zone },
  layout: string,
): string {
  const nanos = Number(((time.nanos % NANOS_PER_SECOND) + NANOS_PER_SECOND) % NANOS_PER_SECOND);
  const ms = Number((time.nanos - BigInt(nanos)) / 1_000_000n);
  const zone = zoneAt(ms, time.zone);
  const moment = { wall: new Date(ms + zone.offsetSeconds * 1_000), nanos, ...zone };
  return layoutParts(layout)
    .map((part) => (part.kind === 'text' ? part.text : formatElement(part.element, moment)))
    .join('');
}

function formatElement(element: string, moment: Moment): string {
  if (/^[.,]/.test(element)) return fraction(element, moment.nanos);
  if (element.startsWith('Z') && moment.offsetSeconds === 0) return 'Z';
  if (/^[Z-]07/.test(element)) return zoneNumber(element, moment.offsetSeconds);
  return dayElement(element, moment.wall) ?? clockElement(element, moment);
}

function dayElement(element: string, wall: Date): string | null {
  const month = MONTHS[wall.getUTCMonth()] ?? '';
  const weekday = WEEKDAYS[wall.getUTCDay()] ?? '';
  const year = wall.getUTCFullYear();
  const day = wall.getUTCDate();
  switch (element) {
    case '2006':
      return year < 0 ? `-${padded(-year, 4)}` : padded(year, 4);
    case '06':
      return padded(((year % 100) + 100) % 100, 2);
    case 'January':
      return month;
    case 'Jan':
      return month.slice(0, 3);
    case '1':
      return String(wall.getUTCMonth() + 1);
    case '01':
      return padded(wall.getUTCMonth() + 1, 2);
    case 'Monday':
      return weekday;
    case 'Mon':
      return weekday.slice(0, 3);
    case '2':
      return String(day);
    case '_2':
      return String(day).padStart(2, ' ');
    case '02':
      return padded(day, 2);
    case '__2':
      return String(dayOfYear(wall)).padStart(3, ' ');
    case '002':
      return padded(dayOfYear(wall), 3);
    default:
      return null;
  }
}

function clockElement(element: string, { wall, abbreviation }: Moment): string {
  const hour = wall.getUTCHours();
  const hour12 = hour % 12 === 0 ? 12 : hour % 12;
  switch (element) {
    case '15':
      return padded(hour, 2);
    case '3':
      return String(hour12);
    case '03':
      return padded(hour12, 2);
    case '4':
      return String(wall.getUTCMinutes());
    case '04':
      return padded(wall.getUTCMinutes(), 2);
    case '5':
      return String(wall.getUTCSeconds());
    case '05':
      return padded(wall.getUTCSeconds(), 2);
    case 'PM':
      return hour < 12 ? 'AM' : 'PM';
    case 'pm':
      return hour < 12 ? 'am' : 'pm';
    default:
      return abbreviation;
  }
}

/** `.000` has as many digits as written, `.999` drops zeros at the end and with the last digit its point. */
function fraction(element: string, nanos: number): string {
  const digits = padded(nanos, 9)
    .padEnd(element.length - 1, '0')
    .slice(0, element.length - 1);
  if (element[1] === '0') return `${element[0]}${digits}`;
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? '' : `${element[0]}${kept}`;
}

function zoneNumber(element: string, offsetSeconds: number): string {
  const separator = element.includes(':') ? ':' : '';
  const whole = offsetText(offsetSeconds, separator);
  const pattern = element.slice(1);
  if (pattern === '07') return whole.slice(0, 3);
  if (pattern.length < 6) return whole;
  return `${whole}${separator}${padded(Math.abs(offsetSeconds) % 60, 2)}`;
}

function dayOfYear(wall: Date): number {
  const start = new Date(0);
  start.setUTCFullYear(wall.getUTCFullYear(), 0, 1);
  return Math.floor((wall.getTime() - start.getTime()) / 86_400_000) + 1;
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
