import { createHash, timingSafeEqual } from 'node:crypto';
import { InputError } from '@pollux/base';
import bcrypt from 'bcryptjs';

/** Forms of a stored password that htpasswd writes and nginx takes. */
export const BCRYPT = /^\$2[aby]\$\d{2}\$[./A-Za-z0-9]{53}$/;
const APR1 = /^\$apr1\$([^$]{1,8})\$([./0-9A-Za-z]{22})$/;
const SHA1 = /^\{SHA\}[A-Za-z0-9+/]{27}=$/;
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Refuses what is no hash of a password, above all a password itself. */
export function checkPasswordHash(hash: string): string {
  if (BCRYPT.test(hash) || APR1.test(hash) || SHA1.test(hash)) return hash;
  throw new InputError(
    'HTTP.BAD_PASSWORD_HASH',
    '',
    'no hash of a password; make one with "htpasswd -nB NAME" (bcrypt), "htpasswd -nm NAME" or "htpasswd -ns NAME"',
  );
}

/** Takes as long as the hash asks for: bcrypt by its cost, the others under a few milliseconds. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  if (BCRYPT.test(hash)) return bcrypt.compare(password, hash);
  const salt = APR1.exec(hash)?.[1];
  if (salt !== undefined) return isSame(apr1(password, salt), hash);
  return isSame(`{SHA}${createHash('sha1').update(password).digest('base64')}`, hash);
}

/** In a time that does not tell where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Apache's variant of the MD5 crypt: a thousand rounds that mix password and salt by the round's number. */
function apr1(password: string, salt: string): string {
  const key = Buffer.from(password);
  const md5 = (...parts: readonly (Buffer | string)[]): Buffer => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const mixed = md5(key, salt, key);
  const first: (Buffer | string)[] = [key, '$apr1$', salt];
  for (let left = key.length; left > 0; left -= 16)
    first.push(mixed.subarray(0, Math.min(16, left)));
  for (let bits = key.length; bits > 0; bits >>= 1) {
    first.push((bits & 1) === 1 ? Buffer.alloc(1) : key.subarray(0, 1));
  }
  let digest = md5(...first);
  for (let round = 0; round < 1_000; round++) {
    const isOdd = (round & 1) === 1;
    const parts: (Buffer | string)[] = [isOdd ? key : digest];
    if (round % 3 !== 0) parts.push(salt);
    if (round % 7 !== 0) parts.push(key);
    parts.push(isOdd ? digest : key);
    digest = md5(...parts);
  }
  return `$apr1$${salt}$${encoded(digest)}`;
}

/** Six bits a letter, lowest first, of bytes in the order that the format has. */
function encoded(digest: Buffer): string {
  let text = '';
  const letters = (value: number, count: number): void => {
    for (let i = 0, rest = value; i < count; i++, rest >>= 6) text += ALPHABET[rest & 63];
  };
  for (let i = 0; i < 5; i++) {
    const last = i === 4 ? 5 : i + 12;
    letters((digest[i]! << 16) | (digest[i + 6]! << 8) | digest[last]!, 4);
  }
  letters(digest[11]!, 2);
  return text;
}
