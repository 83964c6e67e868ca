import type { HttpResponse } from '@pollux/base';
import { errorJson } from './json-answer.ts';

const MAX_HEADER_BYTES = 1_024;
const CONTROLS = /\p{Cc}/gu;
const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** influxd's error envelope; the wrapper adds the header that repeats the text. */
export function failure(status: number, message: string): HttpResponse {
  return {
    status,
    headers: { ...JSON_TYPE, 'x-influxdb-error': headerText(message) },
    body: `${errorJson(message)}\n`,
  };
}

/** The text as the bytes of its UTF-8, as influxd sends it; control characters, which no header may hold, are spaces. */
function headerText(message: string): string {
  const printable = message.replace(CONTROLS, ' ');
  return Buffer.from(printable).subarray(0, MAX_HEADER_BYTES).toString('latin1');
}

export function noContent(): HttpResponse {
  return { status: 204, headers: JSON_TYPE };
}

export function jsonText(status: number, body: string): HttpResponse {
  return { status, headers: JSON_TYPE, body };
}
