import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  nullable,
  object,
  optional,
  refuse,
} from '@pollux/config';
import { checkClientConfig, clientConfigFields } from './client-config.ts';
import { oauth2 } from './oauth2-config.ts';
import { checkProxy, proxyFields } from './proxy-config.ts';

const { basic_auth, authorization, ...otherClientFields } = clientConfigFields;

/**
 * The HTTP client block of Prometheus' programs, with OAuth2 and proxies, to be spread into the fields of what has it beside its own;
 * {@link checkHttpConfig} knows the rules between them.
 */
export const httpConfigFields = {
  basic_auth,
  authorization,
  oauth2: optional(nullable(oauth2), null),
  ...otherClientFields,
  ...proxyFields,
} as const;

export type HttpConfig = Decoded<typeof httpConfigFields>;

/** A whole `http_config:` block. */
export const httpConfig: Decoder<HttpConfig> = (node, path, context) => {
  const config = object(httpConfigFields)(node, path, context);
  checkHttpConfig(node, path, config);
  return config;
};

/** The rules between the fields: one method of authentication, one source for each secret, one way to a proxy. */
export function checkHttpConfig(node: ConfigNode, path: string, config: HttpConfig): void {
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
}

/** Where there is none. */
export const DEFAULT_HTTP_CONFIG: HttpConfig = httpConfig(
  { kind: 'null', place: { file: '', line: 0, column: 0 } },
  '',
  { unknownKeys: 'error', warnings: [] },
);
