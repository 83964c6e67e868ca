import { createHmac, timingSafeEqual } from 'node:crypto';

/** The signature of a robot secured by a secret: HMAC-SHA256 of `timestamp \n secret`, base64. `timestampMs` is sent beside it. */
export function dingtalkSignature(secret: string, timestampMs: number): string {
  return createHmac('sha256', secret).update(`${timestampMs}\n${secret}`).digest('base64');
}

/** The robot's address with timestamp and signature; without a secret as it is. */
export function signedUrl(url: string, secret: string, timestampMs: number): string {
  if (secret === '') return url;
  const signed = new URL(url);
  signed.searchParams.set('timestamp', String(timestampMs));
  signed.searchParams.set('sign', dingtalkSignature(secret, timestampMs));
  return signed.toString();
}

/** Compares in time that does not depend on the content. */
export function isSignature(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
