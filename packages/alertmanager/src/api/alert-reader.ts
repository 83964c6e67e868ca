import { isLegacyLabelName, Labels } from '@pollux/model';
import { AlertIdentity } from '../alert/alert.ts';
import type { AlertProvider } from '../alert/alert-provider.ts';
import { Annotations } from '../alert/annotations.ts';
import { TextCache } from './text-cache.ts';
import { decodeText, TextPairs, TextScan } from './text-pairs.ts';
import { parseDateTime } from './time.ts';

/** Pairs are sorted by insertion, which is quick for few; objects of more are left to the general way. */
const MAX_PAIRS = 256;

/** An alert as its sender describes it. */
export type AlertDraft = {
  readonly identity: AlertIdentity;
  /** Of the labels, for the provider. */
  readonly hash: number;
  readonly annotations: Annotations;
  /** Null when not given. */
  readonly startsAtMs: number | null;
  readonly endsAtMs: number | null;
  readonly generatorUrl: string;
};

export type AlertReaderOptions = {
  readonly provider: AlertProvider;
  /** Names are letters, digits and underscores. */
  readonly isClassic: boolean;
};

/**
 * Reads the alerts of a request from its bytes, in the shape that every known sender writes. An alert that is known and
 * comes as before costs a hash and a comparison where its bytes lie: all told 6.9 µs where `JSON.parse` and what follows
 * took 14.9, and a new one 13.8 instead of 40.7 (`alerts.bench.ts`, a busy machine). Whatever is unusual (other keys, empty labels, wrong types, broken
 * JSON) ends the reading, and the body is read again by the general way, which knows all the refusals.
 */
export class AlertReader {
  readonly #options: AlertReaderOptions;
  readonly #seed: number;
  readonly #cache = new TextCache();
  readonly #labels: TextPairs;
  readonly #annotations: TextPairs;
  readonly #scan = new TextScan();
  readonly #start = new RecentTime();
  readonly #end = new RecentTime();
  #data: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(options: AlertReaderOptions) {
    this.#options = options;
    this.#seed = options.provider.seed;
    this.#labels = new TextPairs(this.#seed, this.#cache);
    this.#annotations = new TextPairs(this.#seed, this.#cache);
  }

  /**
   * One alert after the other, and at last true; false when the body is unusual. Between two steps the thread may be given
   * away: nothing of one step is needed by the next but the place in the body.
   */
  *read(body: Uint8Array): Generator<AlertDraft, boolean> {
    const data = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    let at = afterSpace(data, 0);
    if (data[at] !== OPEN_LIST) return false;
    at = afterSpace(data, at + 1);
    if (data[at] === CLOSE_LIST) return afterSpace(data, at + 1) === data.length;
    for (;;) {
      const draft = this.#alert(data, at);
      if (draft === null) return false;
      at = afterSpace(data, this.#at);
      yield draft;
      const next = data[at];
      at = afterSpace(data, at + 1);
      if (next === CLOSE_LIST) return at === data.length;
      if (next !== COMMA) return false;
    }
  }

  #alert(data: Buffer, start: number): AlertDraft | null {
    this.#data = data;
    this.#at = start;
    if (!this.#take(OPEN_MAP)) return null;
    this.#annotations.begin(data);
    let startsAtMs: number | null = null;
    let endsAtMs: number | null = null;
    let url: UrlPlace | null = null;
    let seen = 0;
    do {
      const key = this.#key();
      if (key === 0 || (seen & key) !== 0 || !this.#take(COLON)) return null;
      seen |= key;
      this.#at = afterSpace(data, this.#at);
      if (key === LABELS || key === ANNOTATIONS) {
        if (!this.#pairs(key === LABELS ? this.#labels : this.#annotations)) return null;
        continue;
      }
      if (!this.#text()) return null;
      if (key === GENERATOR_URL) {
        const { from, to, hash, isPlain } = this.#scan;
        url = { from, to, hash, isPlain };
        continue;
      }
      const ms = this.#time(key === STARTS_AT ? this.#start : this.#end);
      if (ms === null) return null;
      if (key === STARTS_AT) startsAtMs = ms;
      else endsAtMs = ms;
    } while (this.#take(COMMA));
    if (!this.#take(CLOSE_MAP) || (seen & LABELS) === 0) return null;
    return this.#draft(startsAtMs, endsAtMs, url);
  }

  /** What is equal to the known version is taken from it. */
  #draft(
    startsAtMs: number | null,
    endsAtMs: number | null,
    url: UrlPlace | null,
  ): AlertDraft | null {
    const labels = this.#labels;
    if (labels.count === 0 || labels.hasEmptyValue || labels.hasEmptyName) return null;
    const { hash } = labels;
    const isPlain = labels.arrange();
    const known = this.#options.provider.find(hash, ({ identity }) =>
      isPlain ? labels.isObject(identity.object) : labels.equals(identity.flat),
    );
    const identity = known?.identity ?? this.#newIdentity(isPlain);
    if (identity === null) return null;
    const shown = this.#annotationsLike(known?.annotations ?? Annotations.EMPTY);
    if (shown === null) return null;
    const generatorUrl = url === null ? '' : this.#url(url, known?.generatorUrl ?? '');
    if (generatorUrl === null) return null;
    return { identity, hash, annotations: shown, startsAtMs, endsAtMs, generatorUrl };
  }

  #newIdentity(isPlain: boolean): AlertIdentity | null {
    if (isPlain) {
      const { high, low } = this.#labels.fingerprint();
      const made = new AlertIdentity({ object: this.#labels.object(), high, low });
      return this.#hasGoodNames(made) ? made : null;
    }
    const flat = this.#labels.sortedFlat();
    if (flat === null) return null;
    const made = new AlertIdentity(Labels.fromSortedFlat(flat));
    return this.#hasGoodNames(made) ? made : null;
  }

  /** The known ones where nothing has changed. */
  #annotationsLike(known: Annotations): Annotations | null {
    const given = this.#annotations;
    const isPlain = given.arrange();
    const isKnown = isPlain ? given.isObject(known.object) : given.equals(known.flat);
    if (isKnown) return known;
    if (given.hasEmptyName) return null;
    const flat = isPlain ? null : given.sortedFlat();
    if (!isPlain && flat === null) return null;
    const made =
      flat === null ? Annotations.fromObject(given.object()) : Annotations.fromSortedFlat(flat);
    return this.#hasGoodNames(made) ? made : null;
  }

  #hasGoodNames(texts: { readonly flat: readonly string[] }): boolean {
    if (!this.#options.isClassic) return true;
    const { flat } = texts;
    for (let i = 0; i < flat.length; i += 2) if (!isLegacyLabelName(flat[i]!)) return false;
    return true;
  }

  #url({ from, to, hash, isPlain }: UrlPlace, known: string): string | null {
    const text = isPlain
      ? this.#cache.ascii(this.#data, from, to, hash)
      : decodeText(this.#data, from, to);
    if (text === known) return known;
    return text !== null && isUri(text) ? text : null;
  }

  /** The object of texts that begins here. */
  #pairs(into: TextPairs): boolean {
    into.begin(this.#data);
    if (!this.#take(OPEN_MAP)) return false;
    if (this.#take(CLOSE_MAP)) return true;
    const scan = this.#scan;
    do {
      if (into.count === MAX_PAIRS) return false;
      this.#at = afterSpace(this.#data, this.#at);
      scan.isValue = false;
      if (!this.#text() || !into.add(scan) || !this.#take(COLON)) return false;
      this.#at = afterSpace(this.#data, this.#at);
      scan.isValue = true;
      if (!this.#text() || !into.add(scan)) return false;
    } while (this.#take(COMMA));
    return this.#take(CLOSE_MAP);
  }

  /** Which of the keys of an alert comes here; 0 for none of them. */
  #key(): number {
    const data = this.#data;
    const at = afterSpace(data, this.#at);
    const known = KEYS[data[at + 1] ?? 0];
    if (known === undefined) return 0;
    const { bytes } = known;
    const { length } = bytes;
    for (let i = 0; i < length; i++) if (bytes[i] !== data[at + i]) return 0;
    this.#at = at + length;
    return known.key;
  }

  #text(): boolean {
    const after = this.#scan.run(this.#data, this.#at, this.#seed);
    if (after < 0) return false;
    this.#at = after;
    return true;
  }

  /** The time just scanned; null for one that is unusual, Go's zero time and an empty text among them. */
  #time(recent: RecentTime): number | null {
    const { from, to } = this.#scan;
    const data = this.#data;
    if (recent.isSame(data, from, to)) return recent.ms;
    const ms = plainTime(data, from, to) ?? this.#unusualTime(from, to);
    if (ms !== null) recent.note(data, from, to, ms);
    return ms;
  }

  /** Written with an offset, for example. */
  #unusualTime(from: number, to: number): number | null {
    const ms = parseDateTime(this.#data.toString('latin1', from, to));
    return ms !== null && ms > 0 ? ms : null;
  }

  /** Steps over one sign, spaces before it left out. */
  #take(sign: number): boolean {
    const at = afterSpace(this.#data, this.#at);
    if (this.#data[at] !== sign) return false;
    this.#at = at + 1;
    return true;
  }
}

/** As Go's url.ParseRequestURI, roughly: with a scheme or an absolute path. None at all is one too. */
export function isUri(text: string): boolean {
  return text === '' || /^(?:\/|[a-zA-Z][a-zA-Z0-9+.-]*:)/.test(text);
}

type UrlPlace = Pick<TextScan, 'from' | 'to' | 'hash' | 'isPlain'>;

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;

const LABELS = 1;
const ANNOTATIONS = 2;
const STARTS_AT = 4;
const ENDS_AT = 8;
const GENERATOR_URL = 16;

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** With their quotes, by their first letters, which differ. */
const KEYS: readonly ({ readonly bytes: Buffer; readonly key: number } | undefined)[] = keysByFirst(
  [
    { bytes: Buffer.from('"labels"'), key: LABELS },
    { bytes: Buffer.from('"annotations"'), key: ANNOTATIONS },
    { bytes: Buffer.from('"startsAt"'), key: STARTS_AT },
    { bytes: Buffer.from('"endsAt"'), key: ENDS_AT },
    { bytes: Buffer.from('"generatorURL"'), key: GENERATOR_URL },
  ],
);

function keysByFirst<T extends { readonly bytes: Buffer }>(keys: readonly T[]): (T | undefined)[] {
  return Array.from({ length: 256 }, (_, first) => keys.find(({ bytes }) => bytes[1] === first));
}

/** The time that was read last in its place: the alerts of one request mostly begin or end together. */
class RecentTime {
  #data: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;
  ms = 0;

  note(data: Uint8Array, from: number, to: number, ms: number): void {
    this.#data = data;
    this.#from = from;
    this.#to = to;
    this.ms = ms;
  }

  isSame(data: Uint8Array, from: number, to: number): boolean {
    if (data !== this.#data || to - from !== this.#to - this.#from) return false;
    // From the end: what differs is mostly the milliseconds.
    for (let i = to - 1, j = this.#to - 1; i >= from; i--, j--)
      if (data[i] !== data[j]) return false;
    return true;
  }
}

function afterSpace(data: Uint8Array, start: number): number {
  let at = start;
  while (at < data.length) {
    const byte = data[at]!;
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d || byte === 0x0b || byte === 0x0c)) break;
    at++;
  }
  return at;
}

/**
 * `2026-11-23T06:00:00.123Z` as milliseconds; null for what is written otherwise or is before 1970, and for 29 February.
 */
function plainTime(data: Uint8Array, from: number, to: number): number | null {
  if (to - from < 20 || data[from + 4] !== 0x2d || data[from + 7] !== 0x2d) return null;
  if (data[from + 10] !== 0x54 || data[from + 13] !== COLON || data[from + 16] !== COLON) {
    return null;
  }
  const year = digits(data, from, 2) * 100 + digits(data, from + 2, 2);
  const month = digits(data, from + 5, 2);
  const day = digits(data, from + 8, 2);
  const hour = digits(data, from + 11, 2);
  const minute = digits(data, from + 14, 2);
  const second = digits(data, from + 17, 2);
  // A digit that is none makes its number NaN, for which no comparison holds.
  if (!(year >= 1970 && month >= 1 && month <= 12)) return null;
  if (!(day >= 1 && day <= MONTH_DAYS[month - 1]!)) return null;
  if (!(hour < 24 && minute < 60 && second < 60)) return null;
  const millis = fraction(data, from + 19, to);
  if (millis === null) return null;
  return (
    (dayNumber(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1000 + millis
  );
}

/** `Z` or `.123456Z`, cut to milliseconds. */
function fraction(data: Uint8Array, start: number, to: number): number | null {
  if (data[to - 1] !== 0x5a) return null;
  if (start === to - 1) return 0;
  if (data[start] !== 0x2e || start + 1 === to - 1) return null;
  let millis = 0;
  let scale = 100;
  for (let at = start + 1; at < to - 1; at++) {
    const digit = data[at]! - 0x30;
    if (digit < 0 || digit > 9) return null;
    millis += Math.floor(digit * scale);
    scale = scale === 1 || scale === 0 ? 0 : scale / 10;
  }
  return millis;
}

function digits(data: Uint8Array, at: number, count: number): number {
  let number = 0;
  for (let i = at; i < at + count; i++) {
    const digit = data[i]! - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** Days since 1970 of a date of the Gregorian calendar (Howard Hinnant, `days_from_civil`). */
function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
