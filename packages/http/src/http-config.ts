import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  record,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { checkClientConfig, clientConfigFields } from './client-config.ts';
import { unservedClientFields } from './unserved-client-fields.ts';

const NO_SECRET = new Secret('');

/** An address whose password is masked where it is shown. */
export class ProxyAddress extends Secret {
  override toString(): string {
    const text = this.reveal();
    if (!URL.canParse(text)) return text;
    const url = new URL(text);
    if (url.password === '') return text;
    url.password = 'xxxxx';
    return url.toString();
  }

  override toJSON(): string {
    return this.toString();
  }
}

const proxyAddress: Decoder<ProxyAddress> = (node, path, context) =>
  new ProxyAddress(string(node, path, context));

const proxyFields = {
  proxy_url: optional(proxyAddress, new ProxyAddress('')),
  no_proxy: optional(string, ''),
  proxy_connect_header: optional(record(list(secret)), {}),
  proxy_from_environment: unservedClientFields.proxy_from_environment,
} as const;

const oauth2Fields = {
  client_id: optional(string, ''),
  client_secret: optional(secret, NO_SECRET),
  client_secret_file: optional(string, ''),
  scopes: optional(list(string), []),
  token_url: optional(string, ''),
  endpoint_params: optional(record(string), {}),
  grant_type: optional(string, ''),
  tls_config: clientConfigFields.tls_config,
  ...proxyFields,
} as const;

export type OAuth2Config = Decoded<typeof oauth2Fields>;

const oauth2: Decoder<OAuth2Config> = (node, path, context) => {
  const config = object(oauth2Fields)(node, path, context);
  if (!['', 'client_credentials'].includes(config.grant_type)) {
    refuse(node, path, `oauth2 grant_type "${config.grant_type}" is not supported`);
  }
  if (config.client_id === '') refuse(node, path, 'oauth2 client_id must be configured');
  if (config.token_url === '') refuse(node, path, 'oauth2 token_url must be configured');
  if (config.client_secret.reveal() !== '' && config.client_secret_file !== '') {
    refuse(
      node,
      path,
      'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
    );
  }
  checkProxy(node, path, config);
  return config;
};

const httpConfigFields = {
  ...clientConfigFields,
  oauth2: optional(nullable(oauth2), null),
  ...proxyFields,
} as const;

/**
 * A whole `http_config:` block of a receiver: the client block that all rooms share, with OAuth2 (client credentials) and
 * proxies. `proxy_from_environment` is refused: rooms do not see the environment.
 */
export type HttpConfig = Decoded<typeof httpConfigFields>;

export const httpConfig: Decoder<HttpConfig> = (node, path, context) => {
  const config = object(httpConfigFields)(node, path, context);
  checkClientConfig(node, path, config);
  if (config.oauth2 !== null) {
    const bearer = config.bearer_token.reveal() !== '' || config.bearer_token_file !== '';
    if (config.basic_auth !== null || config.authorization !== null || bearer) {
      refuse(node, path, 'at most one of basic_auth, oauth2 & authorization must be configured');
    }
  }
  checkProxy(node, path, config);
  return config;
};

/** What a receiver without any `http_config` uses. */
export const DEFAULT_HTTP_CONFIG: HttpConfig = httpConfig(
  { kind: 'null', place: { file: '', line: 0, column: 0 } },
  '',
  { unknownKeys: 'error', warnings: [] },
);

function checkProxy(node: ConfigNode, path: string, config: Decoded<typeof proxyFields>): void {
  const hasUrl = config.proxy_url.reveal() !== '';
  if (Object.keys(config.proxy_connect_header).length > 0 && !hasUrl) {
    refuse(
      node,
      path,
      'if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured',
    );
  }
  if (config.no_proxy !== '' && !hasUrl) {
    refuse(node, path, 'if no_proxy is configured, proxy_url must also be configured');
  }
}
