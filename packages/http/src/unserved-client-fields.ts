import { type Decoder, optional, refuse } from '@pollux/config';

/**
 * Keys of Prometheus' HTTP client block that are known but not served, to be spread beside `clientConfigFields`: a user who
 * sets one is told so, instead of that the key is unknown.
 */
export const unservedClientFields = {
  oauth2: optional(unserved('oauth2'), null),
  proxy_url: optional(unserved('proxy_url'), null),
  no_proxy: optional(unserved('no_proxy'), null),
  proxy_from_environment: optional(unserved('proxy_from_environment'), null),
  proxy_connect_header: optional(unserved('proxy_connect_header'), null),
} as const;

function unserved(key: string): Decoder<null> {
  return (node, path) => refuse(node, path, `${key} is not supported yet`);
}
