import type { HttpRequest } from '@pollux/base';
import { clientAddress } from '../balance/forwarded-headers.ts';

/** One request as its log line tells it. */
export type AccessRecord = {
  readonly request: HttpRequest;
  readonly user: string;
  readonly status: number;
  readonly bodyBytes: number;
  /** Wall clock at the end of the answer. */
  readonly endMs: number;
  readonly durationMs: number;
  /** The member that answered; empty when none did. */
  readonly member: string;
};

export type AccessFormat = (record: AccessRecord) => string;

/** Makes the lines of one log. */
export function accessFormat(name: 'combined' | 'json'): AccessFormat {
  return name === 'json' ? jsonFormat : combined();
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** nginx's `combined`, to the byte; times are in UTC. */
function combined(): AccessFormat {
  // Many lines are of one second.
  let second = -1;
  let time = '';
  return (record) => {
    const { endMs } = record;
    const now = Math.floor(endMs / 1_000);
    if (now !== second) {
      second = now;
      time = localTime(endMs);
    }
    return combinedLine(record, time);
  };
}

function combinedLine({ request, user, status, bodyBytes }: AccessRecord, time: string): string {
  const { headers } = request;
  const line = `${request.method} ${request.target} ${request.protocol ?? 'HTTP/1.1'}`;
  return `${clientAddress(request.remote.host)} - ${shown(user)} [${time}] "${escaped(line)}" ${status} ${bodyBytes} "${shown(headers.referer)}" "${shown(headers['user-agent'])}"`;
}

/** One object a line. */
const jsonFormat: AccessFormat = (record) => {
  const { request, user, status, bodyBytes, endMs, durationMs, member } = record;
  const { headers } = request;
  return JSON.stringify({
    time: new Date(endMs).toISOString(),
    remote_addr: clientAddress(request.remote.host),
    remote_user: user,
    method: request.method,
    uri: request.target,
    protocol: request.protocol ?? 'HTTP/1.1',
    host: headers.host ?? '',
    status,
    body_bytes_sent: bodyBytes,
    request_time: Number((durationMs / 1_000).toFixed(3)),
    upstream: member,
    http_referer: headers.referer ?? '',
    http_user_agent: headers['user-agent'] ?? '',
  });
};

function shown(value: string | undefined): string {
  return value === undefined || value === '' ? '-' : escaped(value);
}

/** Quotes, backslashes and all that is not printable ASCII as \xHH, so that no client can forge a line. */
function escaped(text: string): string {
  if (!/[^\x20-\x7e]|["\\]/.test(text)) return text;
  let out = '';
  // Header values arrive one byte a character.
  for (const byte of Buffer.from(text, 'latin1')) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    out += isPlain
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** 23/Nov/2026:08:30:00 +0000 */
function localTime(timeMs: number): string {
  const at = new Date(timeMs);
  const day = two(at.getUTCDate());
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
  return `${day}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0000`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
