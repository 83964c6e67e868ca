import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  object,
  optional,
  plainValue,
  record,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { clientConfigFields } from './client-config.ts';
import { checkProxy, proxyFields } from './proxy-config.ts';

const NO_SECRET = new Secret('');

/** The grant of RFC 7523: a signed assertion in place of a secret that both sides know. */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const SIGNATURE_ALGORITHMS = ['RS256', 'RS384', 'RS512'];

/** What a user wants in the assertion beside its own claims; anything that JSON can hold. */
const claims: Decoder<Readonly<Record<string, unknown>>> = (node, path, context) => {
  const read = Object.entries(
    record((value: ConfigNode) => plainValue(value))(node, path, context),
  );
  read.sort(([a], [b]) => (a < b ? -1 : 1));
  // Without a prototype: a claim may be called __proto__, and empty ones are shown as they are.
  const all = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of read) all[name] = value;
  return all;
};

const NO_CLAIMS = Object.freeze(Object.create(null) as Record<string, unknown>);

const oauth2Fields = {
  client_id: optional(string, ''),
  client_secret: optional(secret, NO_SECRET),
  client_secret_file: optional(string, ''),
  client_certificate_key_id: optional(string, ''),
  client_certificate_key: optional(secret, NO_SECRET),
  client_certificate_key_file: optional(string, ''),
  grant_type: optional(string, ''),
  signature_algorithm: optional(string, ''),
  iss: optional(string, ''),
  audience: optional(string, ''),
  claims: optional(claims, NO_CLAIMS),
  scopes: optional(list(string), []),
  token_url: optional(string, ''),
  endpoint_params: optional(record(string), {}),
  tls_config: clientConfigFields.tls_config,
  ...proxyFields,
} as const;

export type OAuth2Config = Decoded<typeof oauth2Fields>;

/**
 * The `oauth2:` block: tokens by client credentials (RFC 6749, 4.4) or by a signed assertion (RFC 7523, 2.1). As upstream,
 * a grant type that is neither means client credentials.
 */
export const oauth2: Decoder<OAuth2Config> = (node, path, context) => {
  const config = object(oauth2Fields)(node, path, context);
  if (config.client_id === '') refuse(node, path, 'oauth2 client_id must be configured');
  if (config.token_url === '') refuse(node, path, 'oauth2 token_url must be configured');
  if (config.grant_type === JWT_BEARER) checkAssertion(node, path, config);
  else if (config.client_secret.reveal() !== '' && config.client_secret_file !== '') {
    refuse(
      node,
      path,
      'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
    );
  }
  checkProxy(node, path, config);
  return config;
};

function checkAssertion(node: ConfigNode, path: string, config: OAuth2Config): void {
  if (config.client_certificate_key.reveal() !== '' && config.client_certificate_key_file !== '') {
    refuse(
      node,
      path,
      'at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer',
    );
  }
  const algorithm = config.signature_algorithm;
  if (algorithm !== '' && !SIGNATURE_ALGORITHMS.includes(algorithm)) {
    refuse(node, path, 'valid signature algorithms are RS256, RS384 and RS512');
  }
}
