import type { Clock, HttpResponse } from '@pollux/base';
import { Pacer } from './pacer.ts';

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-expose-headers': 'Date',
} as const;

export function answer(status: number, value: unknown): HttpResponse {
  return { status, headers: HEADERS, body: `${JSON.stringify(value)}\n` };
}

/** 200 without content, as the API answers to changes. */
export function done(): HttpResponse {
  return { status: 200, headers: { ...HEADERS, 'content-length': '0' }, body: '' };
}

/** A refusal by a handler: the message alone, as a JSON string. */
export function refusal(status: number, message: string): HttpResponse {
  return answer(status, message);
}

/** A refusal before the handler, by the form of the request. */
export function formRefusal(status: number, message: string, code = status): HttpResponse {
  return answer(status, { code, message });
}

const ITEMS_PER_CHUNK = 500;

/** A list whose items are made and written in turns, so that a long one does not hold the process. */
export function answerList<T>(
  clock: Clock,
  items: readonly T[],
  view: (item: T) => unknown,
): HttpResponse {
  if (items.length <= ITEMS_PER_CHUNK) return answer(200, items.map(view));
  return { status: 200, headers: HEADERS, body: chunks(new Pacer(clock), items, view) };
}

async function* chunks<T>(
  pacer: Pacer,
  items: readonly T[],
  view: (item: T) => unknown,
): AsyncIterableIterator<Uint8Array> {
  const encoder = new TextEncoder();
  for (let at = 0; at < items.length; at += ITEMS_PER_CHUNK) {
    const parts: string[] = [];
    for (const item of items.slice(at, at + ITEMS_PER_CHUNK)) {
      parts.push(JSON.stringify(view(item)));
      const pause = pacer.step();
      if (pause !== null) await pause;
    }
    yield encoder.encode((at === 0 ? '[' : ',') + parts.join(','));
  }
  yield encoder.encode(']\n');
}
