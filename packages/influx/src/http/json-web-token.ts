import { createHmac, timingSafeEqual } from 'node:crypto';

const HASHES: Readonly<Record<string, string>> = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
};

export type TokenCheck =
  | { readonly username: string; readonly refusal: null }
  | { readonly username: null; readonly refusal: string };

/** The user that a JSON web token names, when it is signed by the shared secret and has not run out; else influxd's refusal. */
export function checkToken(token: string, secret: string, nowMs: number): TokenCheck {
  const parts = token.split('.');
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3) return refused('token contains an invalid number of segments');
  const header = readPart(head);
  const claims = readPart(body);
  if (header === null || claims === null) return refused('token is malformed');
  const hash = typeof header.alg === 'string' ? HASHES[header.alg] : undefined;
  // A token that names another way to sign, as `none`, must not choose how it is checked.
  if (hash === undefined) return refused(`unexpected signing method: ${String(header.alg)}`);
  const expected = createHmac(hash, secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return refused('signature is invalid');
  const { exp, nbf, username } = claims;
  if (typeof exp === 'number' && nowMs >= exp * 1_000) return refused('Token is expired');
  if (typeof nbf === 'number' && nowMs < nbf * 1_000) return refused('Token is not valid yet');
  if (typeof exp !== 'number') return refused('token expiration required');
  if (typeof username !== 'string') return refused('username in token must be a string');
  if (username === '') return refused('token must contain a username');
  return { username, refusal: null };
}

function refused(refusal: string): TokenCheck {
  return { username: null, refusal };
}

function readPart(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // No JSON: the caller says that the token is malformed.
    return null;
  }
}
