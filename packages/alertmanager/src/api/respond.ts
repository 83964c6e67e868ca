import type { HttpResponse } from '@pollux/base';

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
