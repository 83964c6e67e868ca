import type { Exchange } from '@pollux/http';
import { Matcher, type MatchOperator, PatternError, parseDuration } from '@pollux/model';
import {
  boundedJson,
  type JsonMap,
  mapAt,
  readBody,
  readJson,
  wellFormed,
} from '../api/json-body.ts';
import { parseDateTime } from '../api/time.ts';
import { MatcherError } from '../errors.ts';
import { type MatcherMode, parseMatchers } from '../matcher/parse.ts';
import { RequestError } from './errors.ts';

const MAX_TEXT = 10_000;
const MAX_ITEMS = 1_000;

/** The object in a request's body, read field by field; every refusal names the field, every size has a bound. */
export class Fields {
  readonly #map: JsonMap;
  readonly #place: string;
  readonly #asked = new Set<string>();

  constructor(map: JsonMap, place = '') {
    this.#map = map;
    this.#place = place;
  }

  static async of(exchange: Exchange): Promise<Fields> {
    return new Fields(mapAt(await readJson(exchange, 'request'), 'request'));
  }

  /** Of an operation that needs nothing: no body is one without fields. */
  static async ofOptional(exchange: Exchange): Promise<Fields> {
    const body = await readBody(exchange);
    return new Fields(body.length === 0 ? {} : mapAt(boundedJson(body, 'request'), 'request'));
  }

  at(key: string): string {
    return this.#place === '' ? key : `${this.#place}.${key}`;
  }

  has(key: string): boolean {
    return this.#value(key) !== null;
  }

  /** Empty when missing. */
  text(key: string, maxLength = MAX_TEXT): string {
    const value = this.#value(key);
    if (value === null) return '';
    if (typeof value !== 'string') throw new RequestError(this.at(key), 'must be a string');
    if (value.length > maxLength) {
      throw new RequestError(this.at(key), `must not be longer than ${maxLength} characters`);
    }
    return wellFormed(value);
  }

  requiredText(key: string, maxLength = MAX_TEXT): string {
    const text = this.text(key, maxLength);
    if (text === '') throw new RequestError(this.at(key), 'is required');
    return text;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#value(key);
    if (value === null) return fallback;
    if (typeof value !== 'boolean') throw new RequestError(this.at(key), 'must be a boolean');
    return value;
  }

  integer(
    key: string,
    fallback: number,
    range: { readonly min: number; readonly max: number },
  ): number {
    const value = this.#value(key);
    return value === null ? fallback : integerWithin(this.at(key), value, range);
  }

  /** Null when missing. */
  time(key: string): number | null {
    const value = this.text(key, 100);
    return value === '' ? null : timeAt(this.at(key), value);
  }

  /** `2h30m` as milliseconds; null when missing. */
  duration(key: string): number | null {
    const value = this.text(key, 100);
    return value === '' ? null : durationAt(this.at(key), value);
  }

  list(key: string, maxItems = MAX_ITEMS): readonly unknown[] {
    const value = this.#value(key);
    if (value === null) return [];
    if (!Array.isArray(value)) throw new RequestError(this.at(key), 'must be a list');
    if (value.length > maxItems) {
      throw new RequestError(this.at(key), `must not have more than ${maxItems} items`);
    }
    return value as readonly unknown[];
  }

  maps(key: string, maxItems = MAX_ITEMS): readonly Fields[] {
    return this.list(key, maxItems).map((item, index) => {
      const place = `${this.at(key)}[${index}]`;
      if (!isMap(item)) throw new RequestError(place, 'must be an object');
      return new Fields(item, place);
    });
  }

  texts(key: string, maxItems = MAX_ITEMS): readonly string[] {
    return this.list(key, maxItems).map((item, index) => {
      const place = `${this.at(key)}[${index}]`;
      if (typeof item !== 'string') throw new RequestError(place, 'must be a string');
      if (item.length > MAX_TEXT) throw new RequestError(place, 'is too long');
      return wellFormed(item);
    });
  }

  /** A map of texts; empty when missing. */
  pairs(key: string, maxItems = MAX_ITEMS): readonly (readonly [string, string])[] {
    const value = this.#value(key);
    if (value === null) return [];
    if (!isMap(value)) throw new RequestError(this.at(key), 'must be an object');
    const entries = Object.entries(value);
    if (entries.length > maxItems) {
      throw new RequestError(this.at(key), `must not have more than ${maxItems} fields`);
    }
    return entries.map(([name, text]) => {
      if (typeof text !== 'string' || text.length > MAX_TEXT) {
        throw new RequestError(
          `${this.at(key)}.${name}`,
          `must be a string of at most ${MAX_TEXT}`,
        );
      }
      return [wellFormed(name), wellFormed(text)] as const;
    });
  }

  /** Matchers as texts (`severity="page"`) or as v2 spells them ({name, value, isRegex, isEqual}). */
  matchers(key: string, mode: MatcherMode): readonly Matcher[] {
    return this.list(key, 100).flatMap((item, index) => {
      const place = `${this.at(key)}[${index}]`;
      if (typeof item === 'string') return matchersAt(place, item, mode);
      if (!isMap(item)) throw new RequestError(place, 'must be a matcher');
      const fields = new Fields(item, place);
      const isEqual = fields.flag('isEqual', true);
      const operator: MatchOperator = fields.flag('isRegex', false)
        ? isEqual
          ? '=~'
          : '!~'
        : isEqual
          ? '='
          : '!=';
      return [matcherAt(place, fields.requiredText('name'), operator, fields.text('value'))];
    });
  }

  /** Refuses what nobody asked for, so that a misspelt field is no silent default. */
  end(): void {
    for (const key of Object.keys(this.#map)) {
      if (!this.#asked.has(key)) throw new RequestError(this.at(key), 'is not known here');
    }
  }

  #value(key: string): unknown {
    this.#asked.add(key);
    return Object.hasOwn(this.#map, key) ? (this.#map[key] ?? null) : null;
  }
}

function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function integerWithin(
  field: string,
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    throw new RequestError(field, `must be a whole number from ${min} to ${max}`);
  }
  return number;
}

/** RFC 3339, or seconds since 1970 with a fraction, as Prometheus' API takes both. */
export function timeAt(field: string, text: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : parseDateTime(text);
  if (ms === null || ms > MAX_TIME_MS) {
    throw new RequestError(field, `"${text}" is no date and time (RFC 3339 or seconds)`);
  }
  return ms;
}

/** The year 9999: later ones are not printed by RFC 3339. */
const MAX_TIME_MS = 253_402_300_799_999;

export function durationAt(field: string, text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new RequestError(field, `"${text}" is no duration (2h30m)`);
  }
}

export function matchersAt(field: string, text: string, mode: MatcherMode): readonly Matcher[] {
  try {
    return parseMatchers(text, mode).matchers;
  } catch (error) {
    if (error instanceof MatcherError || error instanceof PatternError) {
      throw new RequestError(field, error.message);
    }
    throw error;
  }
}

function matcherAt(field: string, name: string, operator: MatchOperator, value: string): Matcher {
  try {
    return new Matcher(name, operator, value);
  } catch (error) {
    if (error instanceof PatternError) throw new RequestError(field, error.message);
    throw error;
  }
}
