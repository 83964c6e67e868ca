import type { HttpResponse } from '@pollux/base';
import { errorJson } from './json-answer.ts';

const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** influxd's error envelope; the wrapper adds the header that repeats the text. */
export function failure(status: number, message: string): HttpResponse {
  return {
    status,
    headers: { ...JSON_TYPE, 'x-influxdb-error': message.slice(0, 1024).replaceAll('\n', ' ') },
    body: `${errorJson(message)}\n`,
  };
}

export function noContent(): HttpResponse {
  return { status: 204, headers: JSON_TYPE };
}

export function jsonText(status: number, body: string): HttpResponse {
  return { status, headers: JSON_TYPE, body };
}
