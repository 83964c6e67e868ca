import type { Clock } from '@pollux/base';
import {
  type CustomParam,
  FunctionError,
  type Functions,
  GoList,
  GoScalar,
  GoTime,
  goDuration,
  HTML_TYPE,
  humanizeDuration,
  isPlace,
  parseTime,
  stringList,
  TIME_PARAM,
  titleWords,
  toFloat,
  toJson,
  toLower,
  toUpper,
  trimSpace,
  URL_TYPE,
  type Value,
  ZERO_TIME_NANOS,
} from '@pollux/gotemplate';
import { compileRe2, replaceAllRe2 } from '@pollux/model';

const NANOS_PER_MS = 1_000_000n;

/** A list of anything, which typed lists such as `[]string` are not. */
const ANY_LIST: CustomParam = {
  name: '[]interface {}',
  nilable: true,
  accepts: (value) => Array.isArray(value),
};

/** The functions of notification templates beside Go's own. `now` and `since` read the given clock. */
export function templateFunctions(clock: Clock): Functions {
  return {
    ...TEXT_FUNCTIONS,
    ...TIME_FUNCTIONS,
    ...VALUE_FUNCTIONS,
    now: { params: [], call: () => GoTime.fromMs(clock.now()) },
    since: {
      params: [TIME_PARAM],
      call: ([time]) =>
        goDuration(BigInt(Math.round(clock.now())) * NANOS_PER_MS - (time as GoTime).nanos),
    },
    // Replaced by the labels of the notification while a text of the configuration is rendered.
    routeLabels: { params: ['string'], call: () => '' },
  };
}

const TEXT_FUNCTIONS: Functions = {
  toUpper: { params: ['string'], call: ([text]) => toUpper(String(text)) },
  toLower: { params: ['string'], call: ([text]) => toLower(String(text)) },
  title: { params: ['string'], call: ([text]) => titleWords(String(text)) },
  trimSpace: { params: ['string'], call: ([text]) => trimSpace(String(text)) },
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
  base64encode: { params: ['string'], call: ([text]) => base64encode(String(text)) },
  base64decode: { params: ['string'], call: ([text]) => base64decode(String(text)) },
};

const TIME_FUNCTIONS: Functions = {
  date: {
    params: ['string', TIME_PARAM],
    call: ([layout, time]) => (time as GoTime).format(String(layout)),
  },
  tz: {
    params: ['string', TIME_PARAM],
    call: ([zone, time]) => inZone(String(zone), time as GoTime),
  },
  toDate: {
    params: ['string', 'string'],
    call: ([layout, text]) => {
      try {
        return parseTime(String(layout), String(text));
      } catch (error) {
        if (error instanceof FunctionError) return new GoTime(ZERO_TIME_NANOS);
        throw error;
      }
    },
  },
  mustToDate: {
    params: ['string', 'string'],
    call: ([layout, text]) => parseTime(String(layout), String(text)),
  },
  humanizeDuration: {
    params: ['any'],
    call: ([value]) => humanizeDuration(toFloat(value ?? null)),
  },
};

const VALUE_FUNCTIONS: Functions = {
  toJson: { params: ['any'], call: ([value]) => toJson(value ?? null) },
  list: { params: [], variadic: 'any', call: (items) => items },
  append: {
    params: [ANY_LIST],
    variadic: 'any',
    call: ([list, ...items]) => [...itemsOf(list), ...items],
  },
  dict: { params: [], variadic: 'any', call: dict },
};

function itemsOf(value: Value | undefined): readonly Value[] {
  if (value instanceof GoList) return value.items;
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

function replaceAll(pattern: string, replacement: string, text: string): string {
  let program: ReturnType<typeof compileRe2>;
  try {
    program = compileRe2(pattern);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Upstream compiles in a way that panics, which shows in its words.
    throw new FunctionError(`regexp: Compile(\`${pattern}\`): ${error.message}`, { cause: error });
  }
  return replaceAllRe2(program, text, replacement);
}

function urlUnescape(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2})/.exec(text);
  if (bad !== null) {
    throw new FunctionError(`invalid URL escape ${JSON.stringify(text.substr(bad.index, 3))}`);
  }
  const bytes: Buffer[] = [];
  for (const part of text.replaceAll('+', ' ').split(/(%[0-9a-fA-F]{2})/)) {
    const isEscape = /^%[0-9a-fA-F]{2}$/.test(part);
    bytes.push(isEscape ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part));
  }
  return Buffer.concat(bytes).toString();
}

function inZone(name: string, time: GoTime): GoTime {
  if (name === '' || name === 'UTC') return new GoTime(time.nanos);
  if (!isPlace(name)) throw new FunctionError(`unknown time zone ${name}`);
  return new GoTime(time.nanos, { zone: { kind: 'place', name } });
}

function base64encode(text: string): string {
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** Padded base64 of the URL alphabet; line ends are skipped, anything else is named by its place. */
function base64decode(text: string): string {
  const bytes = Buffer.from(text);
  let digits = 0;
  let padding = 0;
  let rest = -1;
  for (const [at, byte] of bytes.entries()) {
    const character = String.fromCharCode(byte);
    if (character === '\n' || character === '\r') continue;
    if (rest >= 0) throw illegalBase64(at);
    if (padding > 0) {
      if (character !== '=') throw illegalBase64(at);
      padding++;
    } else if (character === '=') {
      if (digits % 4 < 2) throw illegalBase64(at);
      padding = 1;
    } else if (/[A-Za-z0-9_-]/.test(character)) digits++;
    else throw illegalBase64(at);
    if (padding > 0 && (digits + padding) % 4 === 0) rest = at;
  }
  const missing = (digits + padding) % 4;
  if (missing !== 0) throw illegalBase64(padding > 0 ? bytes.length : bytes.length - missing);
  return Buffer.from(text, 'base64url').toString();
}

function illegalBase64(at: number): FunctionError {
  return new FunctionError(`illegal base64 data at input byte ${at}`);
}

function dict(items: readonly Value[]): Value {
  if (items.length % 2 !== 0) {
    throw new FunctionError('dict requires an even number of arguments');
  }
  const map = new Map<string, Value>();
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key !== 'string') throw new FunctionError('dict keys must be strings');
    map.set(key, items[i + 1] ?? null);
  }
  return map;
}
