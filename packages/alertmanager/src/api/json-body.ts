import { errorText, InputError, LimitError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { valuesIn } from './json-items.ts';

/** A body that is no JSON, or not of the form the operation takes. */
export class BodyError extends InputError {
  readonly status: number;
  /** As the original's generated code counts faults of form: 601 a type, 602 missing, 612 too few. */
  readonly formCode: number;

  constructor(place: string, message: string, status: number, formCode?: number) {
    super('ALERTMANAGER.BAD_BODY', place, message);
    this.status = status;
    this.formCode = formCode ?? (status === 422 ? 602 : status);
  }
}

/** Larger bodies are refused with 413. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** More in one body than any operation but the posting of alerts takes: each costs time to build, all at once. */
const MAX_VALUES = 100_000;
/** Values of fewer bytes than this are not worth the counting. */
const UNCOUNTED_BYTES = 2 * MAX_VALUES;

export async function readJson(exchange: Exchange, name: string): Promise<unknown> {
  return boundedJson(await readBody(exchange), name);
}

/** Refuses more values than could be of use. */
export function boundedJson(body: Uint8Array, name: string): unknown {
  if (body.length > UNCOUNTED_BYTES && valuesIn(body) > MAX_VALUES) {
    throw new BodyError(name, `must not have more than ${MAX_VALUES} values`, 400);
  }
  return parseJson(body, name);
}

export async function readBody(exchange: Exchange): Promise<Uint8Array> {
  try {
    return await exchange.request.body(MAX_BODY_BYTES);
  } catch (error) {
    if (LimitError.is(error)) throw error;
    throw new BodyError('', `reading the body failed: ${errorText(error)}`, 400);
  }
}

export function parseJson(body: Uint8Array, name: string): unknown {
  if (body.length === 0) throw new BodyError('', `${name} in body is required`, 422);
  const text = new TextDecoder('utf-8', { ignoreBOM: true });
  try {
    return JSON.parse(text.decode(body)) as unknown;
  } catch (error) {
    throw new BodyError(
      '',
      `parsing ${name} body from "" failed, because ${errorText(error)}`,
      400,
    );
  }
}

export type JsonMap = Readonly<Record<string, unknown>>;

/** As Go reads it, null is a map without members. */
export function mapOrEmpty(value: unknown, place: string): JsonMap {
  return value === null ? {} : mapAt(value, place);
}

export function mapAt(value: unknown, place: string): JsonMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BodyError(place, 'must be an object', 400);
  }
  return value as JsonMap;
}

export function listAt(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new BodyError(place, 'must be a list', 400);
  return value as readonly unknown[];
}

/** Null when missing. */
export function textAt(map: JsonMap, key: string, place: string): string | null {
  const value = Object.hasOwn(map, key) ? map[key] : null;
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') throw new BodyError(`${place}.${key}`, 'must be a string', 400);
  return wellFormed(value);
}

export function booleanAt(map: JsonMap, key: string, place: string, fallback: boolean): boolean {
  const value = Object.hasOwn(map, key) ? map[key] : null;
  if (value === null || value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new BodyError(`${place}.${key}`, 'must be a boolean', 400);
  return value;
}

/** A map of texts; empty when missing. */
export function textsAt(
  map: JsonMap,
  key: string,
  place: string,
): readonly (readonly [string, string])[] {
  const value = Object.hasOwn(map, key) ? map[key] : null;
  if (value === null || value === undefined) return [];
  const inner = mapAt(value, `${place}.${key}`);
  return Object.entries(inner).map(([name, text]) => {
    if (typeof text !== 'string') {
      throw new BodyError(`${place}.${key}.${name}`, 'must be a string', 400);
    }
    return [wellFormed(name), wellFormed(text)] as const;
  });
}

/** Halves of surrogate pairs, which JSON can spell and UTF-8 cannot, become U+FFFD, as Go's decoder makes them. */
export function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text;
}
