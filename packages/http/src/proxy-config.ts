import {
  boolean,
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  optional,
  record,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';

/** An address whose password is masked where it is shown. */
export class ProxyAddress extends Secret {
  override toString(): string {
    return this.reveal().replace(/^([a-z][a-z0-9+.-]*:\/\/[^:@/?#]*):[^@/?#]*@/i, '$1:xxxxx@');
  }

  override toJSON(): string {
    return this.toString();
  }
}

const proxyAddress: Decoder<ProxyAddress> = (node, path, context) =>
  new ProxyAddress(string(node, path, context));

/** The keys by which a block says through which proxy its requests go; to be spread into its own. */
export const proxyFields = {
  proxy_url: optional(proxyAddress, new ProxyAddress('')),
  no_proxy: optional(string, ''),
  proxy_from_environment: optional(boolean, false),
  proxy_connect_header: optional(record(list(secret)), {}),
} as const;

export type ProxyConfig = Decoded<typeof proxyFields>;

/** The rules between those keys. */
export function checkProxy(node: ConfigNode, path: string, config: ProxyConfig): void {
  const hasUrl = config.proxy_url.reveal() !== '';
  const fromEnvironment = config.proxy_from_environment;
  const hasHeaders = Object.keys(config.proxy_connect_header).length > 0;
  const broken = [
    [
      hasHeaders && !hasUrl && !fromEnvironment,
      'if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured',
    ],
    [
      fromEnvironment && hasUrl,
      'if proxy_from_environment is configured, proxy_url must not be configured',
    ],
    [
      fromEnvironment && config.no_proxy !== '',
      'if proxy_from_environment is configured, no_proxy must not be configured',
    ],
    [
      config.no_proxy !== '' && !hasUrl,
      'if no_proxy is configured, proxy_url must also be configured',
    ],
  ] as const;
  const message = broken.find(([isBroken]) => isBroken)?.[1];
  if (message !== undefined) refuse(node, path, message);
}
