import { FunctionError } from '../errors.ts';
import { quote } from '../format/quote.ts';
import { layoutParts, MONTHS, WEEKDAYS } from './layout.ts';
import { GoTime } from './time.ts';
import { UTC, type Zone } from './zone.ts';

const NANOS_PER_SECOND = 1_000_000_000n;

/** Parses as Go's time.Parse does, in UTC where the text names no offset. Throws a FunctionError with Go's text. */
export function parseTime(layout: string, text: string): GoTime {
  return new TimeParser(layout, text).run();
}

class TimeParser {
  readonly #layout: string;
  readonly #text: string;
  #rest: string;
  #year = 0;
  #month = 0;
  #day = 0;
  #dayOfYear = 0;
  #hour = 0;
  #minute = 0;
  #second = 0;
  #nanos = 0;
  #half: 'am' | 'pm' | null = null;
  #zone: Zone = UTC;

  constructor(layout: string, text: string) {
    this.#layout = layout;
    this.#text = text;
    this.#rest = text;
  }

  run(): GoTime {
    const parts = layoutParts(this.#layout);
    for (const [index, part] of parts.entries()) {
      if (part.kind === 'text') {
        this.#literal(part.text);
        continue;
      }
      const held = this.#rest;
      if (!this.#element(part.element)) this.#bad(held, part.element);
      const next = parts[index + 1];
      const takesFraction = next?.kind === 'element' && /^[.,]/.test(next.element);
      if (/^0?5$/.test(part.element) && !takesFraction) this.#looseFraction();
    }
    if (this.#rest !== '') this.#message(`: extra text: ${quote(this.#rest)}`);
    return this.#result();
  }

  /** Blanks of the layout stand for any number of blanks. */
  #literal(text: string): void {
    let expected = text;
    while (expected !== '') {
      if (expected.startsWith(' ')) {
        if (this.#rest !== '' && !this.#rest.startsWith(' ')) this.#bad(this.#rest, expected);
        expected = expected.replace(/^ +/, '');
        this.#rest = this.#rest.replace(/^ +/, '');
        continue;
      }
      if (this.#rest === '' || this.#rest[0] !== expected[0]) this.#bad(this.#rest, expected);
      expected = expected.slice(1);
      this.#rest = this.#rest.slice(1);
    }
  }

  #element(element: string): boolean {
    if (/^[.,]/.test(element)) return this.#fraction(element);
    if (/^[Z-]07/.test(element)) return this.#offset(element);
    switch (element) {
      case '2006':
        return this.#take(/^\d{4}/, (digits) => (this.#year = Number(digits)));
      case '06':
        return this.#take(/^\d{2}/, (digits) => {
          this.#year = Number(digits) + (Number(digits) >= 69 ? 1900 : 2000);
        });
      case 'January':
        return this.#name(MONTHS, (index) => (this.#month = index + 1));
      case 'Jan':
        return this.#name(shortened(MONTHS), (index) => (this.#month = index + 1));
      case 'Monday':
        return this.#name(WEEKDAYS, () => {});
      case 'Mon':
        return this.#name(shortened(WEEKDAYS), () => {});
      case 'MST':
        return this.#abbreviation();
      case 'PM':
        return this.#take(/^[AP]M/, (half) => (this.#half = half === 'PM' ? 'pm' : 'am'));
      case 'pm':
        return this.#take(/^[ap]m/, (half) => (this.#half = half === 'pm' ? 'pm' : 'am'));
      default:
        return this.#number(element);
    }
  }

  #number(element: string): boolean {
    if (element.startsWith('_')) this.#rest = this.#rest.replace(/^ {1,2}/, '');
    const isDayOfYear = element === '__2' || element === '002';
    const isFixed = /^0[1-6]$/.test(element);
    const pattern = isDayOfYear ? /^\d{3}/ : isFixed ? /^\d{2}/ : /^\d{1,2}/;
    const shape = element === '__2' ? /^\d{1,3}/ : pattern;
    return this.#take(shape, (digits) => {
      const value = Number(digits);
      switch (element.replace(/^[0_]+/, '')) {
        case '1':
          this.#month = this.#inRange(value, 1, 12, 'month');
          break;
        case '2':
          if (isDayOfYear) this.#dayOfYear = value;
          else this.#day = value;
          break;
        case '15':
          this.#hour = this.#inRange(value, 0, 23, 'hour');
          break;
        case '3':
          this.#hour = this.#inRange(value, 0, 12, 'hour');
          break;
        case '4':
          this.#minute = this.#inRange(value, 0, 59, 'minute');
          break;
        default:
          this.#second = this.#inRange(value, 0, 59, 'second');
      }
    });
  }

  #take(pattern: RegExp, use: (text: string) => unknown): boolean {
    const match = pattern.exec(this.#rest)?.[0];
    if (match === undefined) return false;
    this.#rest = this.#rest.slice(match.length);
    use(match);
    return true;
  }

  #name(names: readonly string[], use: (index: number) => unknown): boolean {
    const lower = this.#rest.toLowerCase();
    const index = names.findIndex((name) => lower.startsWith(name.toLowerCase()));
    if (index < 0) return false;
    this.#rest = this.#rest.slice(names[index]!.length);
    use(index);
    return true;
  }

  #fraction(element: string): boolean {
    if (element[1] === '9') {
      this.#looseFraction();
      return true;
    }
    return this.#take(new RegExp(`^[.,]\\d{${element.length - 1}}`), (text) => {
      this.#nanos = fractionNanos(text);
    });
  }

  /** A fraction may follow the seconds also where the layout has none. */
  #looseFraction(): void {
    this.#take(/^[.,]\d+/, (text) => {
      this.#nanos = fractionNanos(text);
    });
  }

  #offset(element: string): boolean {
    if (element.startsWith('Z') && this.#rest.startsWith('Z')) {
      this.#rest = this.#rest.slice(1);
      return true;
    }
    const separator = element.includes(':') ? ':' : '';
    const groups = element.replaceAll(':', '').length / 2 - 0.5;
    const more = `${separator}(\\d{2})`.repeat(groups - 1);
    const match = new RegExp(`^([+-])(\\d{2})${more}`).exec(this.#rest);
    if (match === null) return false;
    this.#rest = this.#rest.slice(match[0].length);
    const [hours = 0, minutes = 0, seconds = 0] = match.slice(2).map(Number);
    this.#inRange(hours, 0, 24, 'time zone offset hour');
    this.#inRange(minutes, 0, 60, 'time zone offset minute');
    this.#inRange(seconds, 0, 60, 'time zone offset second');
    const size = hours * 3_600 + minutes * 60 + seconds;
    const offsetSeconds = match[1] === '-' ? -size : size;
    this.#zone = offsetSeconds === 0 ? UTC : { kind: 'fixed', name: '', offsetSeconds };
    return true;
  }

  /** A name says nothing about the offset, except after GMT; Go then keeps the name beside UTC's offset. */
  #abbreviation(): boolean {
    return this.#take(
      /^(?:UTC|GMT[+-]\d{1,2}|[A-Z]{3,4}|[A-Z]{4}T|[+-]\d{2}(?:\d{2})?)/,
      (name) => {
        const hours = /^GMT([+-]\d+)$/.exec(name)?.[1];
        if (name === 'UTC') this.#zone = UTC;
        else this.#zone = { kind: 'fixed', name, offsetSeconds: Number(hours ?? 0) * 3_600 };
      },
    );
  }

  #result(): GoTime {
    if (this.#half === 'pm' && this.#hour < 12) this.#hour += 12;
    if (this.#half === 'am' && this.#hour === 12) this.#hour = 0;
    const month = this.#month === 0 ? 1 : this.#month;
    let day = this.#day === 0 ? 1 : this.#day;
    if (this.#dayOfYear > 0) {
      day = this.#dayOfYear;
      const most = 337 + daysIn(this.#year, 2);
      if (day > most) this.#message(': day-of-year out of range');
    } else if (day > daysIn(this.#year, month)) this.#message(': day out of range');
    const wall = new Date(0);
    wall.setUTCFullYear(this.#year, this.#dayOfYear > 0 ? 0 : month - 1, day);
    wall.setUTCHours(this.#hour, this.#minute, this.#second);
    // An offset that came as a name (GMT+3) is for showing: Go takes the digits for UTC.
    const zone = this.#zone;
    const offset = zone.kind === 'fixed' && zone.name === '' ? zone.offsetSeconds : 0;
    const seconds = BigInt(wall.getTime() / 1_000 - offset);
    return new GoTime(seconds * NANOS_PER_SECOND + BigInt(this.#nanos), { zone: this.#zone });
  }

  #inRange(value: number, least: number, most: number, what: string): number {
    if (value < least || value > most) this.#message(`: ${what} out of range`);
    return value;
  }

  #bad(found: string, expected: string): never {
    throw new FunctionError(
      `parsing time ${quote(this.#text)} as ${quote(this.#layout)}: cannot parse ${quote(found)} as ${quote(expected)}`,
    );
  }

  #message(message: string): never {
    throw new FunctionError(`parsing time ${quote(this.#text)}${message}`);
  }
}

function shortened(names: readonly string[]): string[] {
  return names.map((name) => name.slice(0, 3));
}

function fractionNanos(text: string): number {
  return Number(text.slice(1, 10).padEnd(9, '0'));
}

function daysIn(year: number, month: number): number {
  const end = new Date(0);
  end.setUTCFullYear(year, month, 0);
  return end.getUTCDate();
}
