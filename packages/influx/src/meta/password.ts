import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';
import type { Random } from '@pollux/base';

/** scrypt's cost: some 30 ms and 16 MiB a check. */
const COST = 2 ** 14;
const KEY_BYTES = 32;

/** `scrypt$<salt>$<key>`, base64. */
export function hashPassword(password: string, random: Random): string {
  const salt = new Uint8Array(16);
  random.fill(salt);
  const key = scryptSync(password, salt, KEY_BYTES, { N: COST });
  return `scrypt$${Buffer.from(salt).toString('base64')}$${key.toString('base64')}`;
}

export function verifyPassword(password: string, hash: string): boolean {
  const [scheme, salt = '', key = ''] = hash.split('$');
  if (scheme !== 'scrypt') return false;
  const expected = Buffer.from(key, 'base64');
  if (expected.length !== KEY_BYTES) return false;
  const given = scryptSync(password, Buffer.from(salt, 'base64'), KEY_BYTES, { N: COST });
  return timingSafeEqual(given, expected);
}

/** Binds a password to the slow hash it was checked against; kept in memory only. */
export function quickHash(passwordHash: string, password: string): string {
  return createHash('sha256').update(`${passwordHash}\0${password}`).digest('base64');
}
