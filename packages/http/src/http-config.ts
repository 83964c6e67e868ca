import { type Decoded, type Decoder, nullable, object, optional, refuse } from '@pollux/config';
import { checkClientConfig, clientConfigFields } from './client-config.ts';
import { oauth2 } from './oauth2-config.ts';
import { checkProxy, proxyFields } from './proxy-config.ts';

const { basic_auth, authorization, ...otherClientFields } = clientConfigFields;

const httpConfigFields = {
  basic_auth,
  authorization,
  oauth2: optional(nullable(oauth2), null),
  ...otherClientFields,
  ...proxyFields,
} as const;

/** A whole `http_config:` block of a receiver: the client block that all rooms share, with OAuth2 and proxies. */
export type HttpConfig = Decoded<typeof httpConfigFields>;

export const httpConfig: Decoder<HttpConfig> = (node, path, context) => {
  const config = object(httpConfigFields)(node, path, context);
  checkClientConfig(node, path, config);
  if (config.oauth2 !== null) {
    if (config.bearer_token.reveal() !== '' || config.bearer_token_file !== '') {
      refuse(
        node,
        path,
        'at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured',
      );
    }
    if (config.basic_auth !== null || config.authorization !== null) {
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
