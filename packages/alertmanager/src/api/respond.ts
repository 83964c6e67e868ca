import { type Clock, type HttpResponse, Slices } from '@pollux/base';
import { goJson, goJsonText } from '../wire/go-json.ts';
import { JsonWriter } from './json-writer.ts';

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-expose-headers': 'Date',
} as const;

const { 'content-type': _type, ...WITHOUT_TYPE } = HEADERS;
const { 'cache-control': _cache, ...PREFLIGHT_HEADERS } = WITHOUT_TYPE;
const EMPTY_HEADERS = { ...WITHOUT_TYPE, 'content-length': '0' } as const;

export function answer(status: number, value: unknown): HttpResponse {
  return { status, headers: HEADERS, body: `${JSON.stringify(value)}\n` };
}

/** The same with what HTML would take for its own escaped, as the original writes alerts, silences and refusals of form. */
export function answerEscaped(status: number, value: unknown): HttpResponse {
  return { status, headers: HEADERS, body: goJson(value) };
}

/** 200 without content, as the API answers to changes. */
export function done(): HttpResponse {
  return { status: 200, headers: EMPTY_HEADERS, body: '' };
}

/** A silence that is not there: the description of the API gives that answer no content. */
export function notFound(): HttpResponse {
  return { status: 404, headers: EMPTY_HEADERS, body: '' };
}

/** What a browser asks before it lets a page of another origin go on. */
export function preflight(): HttpResponse {
  return { status: 204, headers: PREFLIGHT_HEADERS, body: '' };
}

/** A refusal by a handler: the message alone, as a JSON string. */
export function refusal(status: number, message: string): HttpResponse {
  return answer(status, message);
}

/** A refusal before the handler, by the form of the request. */
export function formRefusal(status: number, message: string, code = status): HttpResponse {
  return { status, headers: HEADERS, body: goJsonText({ code, message }) };
}

/** A piece of a long answer. */
const PIECE_BYTES = 64 * 1024;
/** The clock is looked at after so many bytes or items, each of them less than a millisecond's work. */
const LOOK_BYTES = 8 * 1024;
const LOOK_ITEMS = 64;
const OPEN_LIST = 0x5b;
const CLOSE = Buffer.from(']\n');
/** Before each item of a list that is written; the first one becomes the opening bracket. */
export const SEPARATOR = Buffer.from(',');

/**
 * A list that `write` gives item by item, each with a {@link SEPARATOR} before it, yielding after each, also where it left one out. A short one is
 * answered whole; a long one goes out in pieces as the client takes them, and the thread is given away between them.
 */
export async function answerWritten(
  clock: Clock,
  write: (json: JsonWriter) => Iterator<void>,
): Promise<HttpResponse> {
  const json = new JsonWriter();
  const list = { json, items: write(json), slices: new Slices(clock) };
  const isWhole = await fill(list);
  if (json.size === 0) json.raw(SEPARATOR);
  if (isWhole) json.raw(CLOSE);
  const first = json.take();
  first[0] = OPEN_LIST;
  return { status: 200, headers: HEADERS, body: isWhole ? first : pieces(first, list) };
}

type WrittenList = {
  readonly json: JsonWriter;
  readonly items: Iterator<void>;
  readonly slices: Slices;
};

/** True when the list has ended. */
async function fill({ json, items, slices }: WrittenList): Promise<boolean> {
  let lookAt = LOOK_BYTES;
  let left = LOOK_ITEMS;
  while (json.size < PIECE_BYTES) {
    if (items.next().done === true) return true;
    if (--left > 0 && json.size < lookAt) continue;
    lookAt = json.size + LOOK_BYTES;
    left = LOOK_ITEMS;
    if (slices.isOver) await slices.pause();
  }
  return false;
}

async function* pieces(first: Uint8Array, list: WrittenList): AsyncIterableIterator<Uint8Array> {
  yield first;
  for (;;) {
    const isEnd = await fill(list);
    if (isEnd) list.json.raw(CLOSE);
    yield list.json.take();
    if (isEnd) return;
  }
}
