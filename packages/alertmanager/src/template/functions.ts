import type { Clock } from '@pollux/base';
import {
  FunctionError,
  type Functions,
  GoList,
  GoMap,
  GoScalar,
  GoStruct,
  type GoType,
  stringList,
  type Value,
} from '@pollux/gotemplate';
import { compileRe2, expandTemplate } from '@pollux/model';
import {
  durationMs,
  formatTime,
  GoTime,
  goDuration,
  isGoDuration,
  rfc3339Nano,
} from './go-time.ts';

const HTML_TYPE: GoType = { name: 'template.HTML' };
const URL_TYPE: GoType = { name: 'template.URL' };
const TIME_PARAM = { name: 'time.Time', accepts: (value: Value) => value instanceof GoTime };

/** The functions of notification templates beside Go's own. `now` and `since` read the given clock. */
export function templateFunctions(clock: Clock): Functions {
  return {
    toUpper: { params: ['string'], call: ([text]) => String(text).toUpperCase() },
    toLower: { params: ['string'], call: ([text]) => String(text).toLowerCase() },
    title: { params: ['string'], call: ([text]) => titleCase(String(text)) },
    trimSpace: { params: ['string'], call: ([text]) => String(text).trim() },
    join: {
      params: ['string', '[]string'],
      call: ([separator, list]) => itemsOf(list).map(String).join(String(separator)),
    },
    match: {
      params: ['string', 'string'],
      call: ([pattern, text]) => compileRe2(String(pattern)).matcher(String(text)).find(),
    },
    reReplaceAll: {
      params: ['string', 'string', 'string'],
      call: ([pattern, replacement, text]) =>
        replaceAll(String(pattern), String(replacement), String(text)),
    },
    safeHtml: { params: ['string'], call: ([text]) => new GoScalar(HTML_TYPE, String(text)) },
    safeUrl: { params: ['string'], call: ([text]) => new GoScalar(URL_TYPE, String(text)) },
    urlUnescape: { params: ['string'], call: ([text]) => urlUnescape(String(text)) },
    stringSlice: { params: [], variadic: 'string', call: (items) => stringList(items.map(String)) },
    date: {
      params: ['string', TIME_PARAM],
      call: ([layout, time]) => formatTime(time as GoTime, String(layout)),
    },
    tz: {
      params: ['string', TIME_PARAM],
      call: ([zone, time]) => inZone(String(zone), time as GoTime),
    },
    now: { params: [], call: () => new GoTime(clock.now()) },
    since: {
      params: [TIME_PARAM],
      call: ([time]) => goDuration(clock.now() - (time as GoTime).ms),
    },
    humanizeDuration: {
      params: ['any'],
      call: ([value]) => humanizeDuration(secondsOf(value ?? null)),
    },
    toJson: { params: ['any'], call: ([value]) => JSON.stringify(plain(value ?? null)) },
    base64encode: {
      params: ['string'],
      call: ([text]) =>
        Buffer.from(String(text)).toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
    },
    base64decode: { params: ['string'], call: ([text]) => base64decode(String(text)) },
    list: { params: [], variadic: 'any', call: (items) => items },
    append: {
      params: ['any'],
      variadic: 'any',
      call: ([list, ...items]) => [...itemsOf(list), ...items],
    },
    dict: { params: [], variadic: 'any', call: dict },
  };
}

function itemsOf(value: Value | undefined): readonly Value[] {
  if (value instanceof GoList) return value.items;
  if (Array.isArray(value)) return value as readonly Value[];
  if (value === null || value === undefined) return [];
  throw new FunctionError('not a list');
}

function titleCase(text: string): string {
  return text.replace(/[\p{L}\p{M}\p{N}'’]+/gu, (word) => {
    const [first = '', ...rest] = word;
    return first.toUpperCase() + rest.join('').toLowerCase();
  });
}

function replaceAll(pattern: string, replacement: string, text: string): string {
  const program = compileRe2(pattern);
  const matcher = program.matcher(text);
  const names = program.namedGroups();
  const group = (name: string): string => {
    if (/^\d+$/.test(name)) {
      return Number(name) <= matcher.groupCount() ? (matcher.group(Number(name)) ?? '') : '';
    }
    return names[name] === undefined ? '' : (matcher.group(name) ?? '');
  };
  let out = '';
  let from = 0;
  while (matcher.find()) {
    out += text.slice(from, matcher.start()) + expandTemplate(replacement, group);
    from = matcher.end();
  }
  return out + text.slice(from);
}

function urlUnescape(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new FunctionError('invalid URL escape');
  }
}

function inZone(zone: string, time: GoTime): GoTime {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
  } catch {
    throw new FunctionError(`unknown time zone ${zone}`);
  }
  return new GoTime(time.ms, zone);
}

function secondsOf(value: Value): number {
  if (isGoDuration(value)) return durationMs(value) / 1000;
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (Number.isNaN(seconds)) throw new FunctionError(`can't convert ${String(value)} to float`);
  return seconds;
}

const SMALL_UNITS = ['', 'm', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];

/** `1d 2h 3m 4s`; below a minute four significant digits, below a second with a unit's prefix. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return String(seconds).replace('Infinity', 'Inf');
  if (seconds === 0) return '0s';
  const sign = seconds < 0 ? '-' : '';
  let size = Math.abs(seconds);
  if (size < 1) {
    let unit = 0;
    while (size < 1 && unit < SMALL_UNITS.length - 1) {
      size *= 1000;
      unit++;
    }
    return `${sign}${fourDigits(size)}${SMALL_UNITS[unit]}s`;
  }
  const whole = Math.floor(size);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3_600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  const rest = `${minutes}m ${whole % 60}s`;
  if (days > 0) return `${sign}${days}d ${hours}h ${rest}`;
  if (hours > 0) return `${sign}${hours}h ${rest}`;
  return minutes > 0 ? sign + rest : `${sign}${fourDigits(size)}s`;
}

function fourDigits(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function base64decode(text: string): string {
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(text)) throw new FunctionError('illegal base64 data');
  return Buffer.from(text, 'base64url').toString();
}

function dict(items: readonly Value[]): Value {
  if (items.length % 2 !== 0) throw new FunctionError('dict takes an even number of arguments');
  const map = new Map<string, Value>();
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key !== 'string') throw new FunctionError('the keys of dict must be strings');
    map.set(key, items[i + 1] ?? null);
  }
  return map;
}

const JSON_NAMES: Readonly<Record<string, string>> = {
  ExternalURL: 'externalURL',
  GeneratorURL: 'generatorURL',
  NotificationReason: 'notification_reason',
};

/** The value as Go's encoding/json would write it, with the field names of the webhook message. */
function plain(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof GoTime) return rfc3339Nano(value.ms);
  if (value instanceof GoScalar) return plain(value.value);
  if (value instanceof GoList) return value.items.map(plain);
  if (Array.isArray(value)) return (value as readonly Value[]).map(plain);
  if (value instanceof GoStruct) {
    const pairs = Object.entries(value.fields).map(([name, field]) => {
      const lower = name.slice(0, 1).toLowerCase() + name.slice(1);
      // Pairs have no JSON names of their own upstream.
      const key = value.type.name === 'template.Pair' ? name : (JSON_NAMES[name] ?? lower);
      return [key, plain(field)];
    });
    return Object.fromEntries(pairs);
  }
  const entries = value instanceof GoMap ? value.entries : value;
  if (entries instanceof Map) {
    return Object.fromEntries(
      [...entries].map(([key, item]) => [String(key), plain(item as Value)]),
    );
  }
  return value as string | number | boolean | null;
}
