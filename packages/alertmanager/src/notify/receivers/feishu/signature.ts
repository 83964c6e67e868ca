import { createHmac } from 'node:crypto';

/** The signature of a robot secured by a secret: HMAC-SHA256 of nothing, with `timestamp \n secret` as its key, base64. */
export function feishuSignature(secret: string, timestampSeconds: number): string {
  return createHmac('sha256', `${timestampSeconds}\n${secret}`).update('').digest('base64');
}

/** The body with time and signature; without a secret as it is. */
export function signedBody(body: string, secret: string, nowMs: number): string {
  if (secret === '') return body;
  const timestamp = Math.floor(nowMs / 1000);
  const sign = feishuSignature(secret, timestamp);
  const head = JSON.stringify({ timestamp: String(timestamp), sign });
  return `${head.slice(0, -1)},${body.slice(1)}`;
}
