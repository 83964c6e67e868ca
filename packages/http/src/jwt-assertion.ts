import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { OperatingError } from '@pollux/base';
import type { OAuth2Config } from './oauth2-config.ts';

const LIFE_SECONDS = 600;
const DIGESTS: Readonly<Record<string, string>> = {
  RS256: 'sha256',
  RS384: 'sha384',
  RS512: 'sha512',
};

/**
 * A signed JWT (RFC 7519, RFC 7515) by which a client names itself to a token endpoint, RFC 7523. Claims of the
 * configuration win over those that are made here.
 */
export function jwtAssertion(
  config: OAuth2Config,
  key: string,
  { nowMs, id }: { readonly nowMs: number; readonly id: string },
): string {
  const algorithm = config.signature_algorithm || 'RS256';
  const seconds = Math.floor(nowMs / 1000);
  const header = {
    alg: algorithm,
    ...(config.client_certificate_key_id === '' ? {} : { kid: config.client_certificate_key_id }),
    typ: 'JWT',
  };
  const claims = {
    iss: config.iss || config.client_id,
    sub: config.client_id,
    aud: config.audience || config.token_url,
    iat: seconds,
    exp: seconds + LIFE_SECONDS,
    jti: id,
    ...(config.scopes.length === 0 ? {} : { scope: config.scopes.join(' ') }),
    ...config.claims,
  };
  const content = `${encoded(header)}.${encoded(claims)}`;
  const signature = sign(DIGESTS[algorithm], Buffer.from(content), privateKey(key));
  return `${content}.${signature.toString('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The cause is left out: OpenSSL's text may quote what it was given. */
function privateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new OperatingError(
      'HTTP.OAUTH2',
      'oauth2: client_certificate_key is no private key in PEM without a passphrase',
    );
  }
  if (key.asymmetricKeyType === 'rsa') return key;
  throw new OperatingError('HTTP.OAUTH2', 'oauth2: client_certificate_key is no RSA key');
}
