import type { Fault } from '../balance/fault.ts';
import { clientAddress } from '../balance/forwarded-headers.ts';

/**
 * A fault in the form of nginx's error log:
 * `2026/11/23 08:30:00 [error] 7#7: connect() failed (111: Connection refused) while connecting to upstream, client: …`. Times are in UTC.
 */
export function errorLine(fault: Fault, nowMs: number, pid: number): string {
  const { level, text, request, upstream } = fault;
  const { method, target, headers, remote, protocol = 'HTTP/1.1' } = request;
  const time = new Date(nowMs).toISOString();
  const at = `${time.slice(0, 10).replaceAll('-', '/')} ${time.slice(11, 19)}`;
  const asked = upstream === '' ? '' : `, upstream: "${upstream}${oneLine(target)}"`;
  const host = headers.host === undefined ? '' : `, host: "${oneLine(headers.host)}"`;
  return `${at} [${level}] ${pid}#${pid}: ${oneLine(text)}, client: ${clientAddress(remote.host)}, request: "${method} ${oneLine(target)} ${protocol}"${asked}${host}`;
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
