import { type HttpProxy, OperatingError } from '@pollux/base';
import type { ClientSettings } from './client-config.ts';
import { environmentProxy, type Variables } from './environment-proxy.ts';
import { isThisMachine, isWithoutProxy } from './no-proxy.ts';
import type { ProxyConfig } from './proxy-config.ts';

/** The parts of a request that say how to get there. */
export function proxyAndTls(
  config: ProxyConfig,
  { tls }: Pick<ClientSettings, 'tls'>,
  url: string,
  variables: Variables,
): { readonly proxy?: HttpProxy; readonly tls?: NonNullable<ClientSettings['tls']> } {
  const proxy =
    hasProxy(config) && URL.canParse(url) ? proxyOf(config, new URL(url), variables) : null;
  if (proxy === null) return tls === undefined ? {} : { tls };
  if (!URL.canParse(proxy)) {
    throw new OperatingError('HTTP.BAD_PROXY', 'the address of the proxy is no absolute address');
  }
  const connectHeaders = Object.fromEntries(
    Object.entries(config.proxy_connect_header).map(([name, values]) => [
      name.toLowerCase(),
      values.map((value) => value.reveal()).join(', '),
    ]),
  );
  return {
    ...(tls === undefined ? {} : { tls }),
    proxy: { url: proxy, connectHeaders },
  };
}

/** Most have none, and then the address need not be read. */
function hasProxy(config: ProxyConfig): boolean {
  return config.proxy_from_environment || config.proxy_url.reveal() !== '';
}

function proxyOf(config: ProxyConfig, url: URL, variables: Variables): string | null {
  if (config.proxy_from_environment) return environmentProxy(variables, url);
  const proxy = config.proxy_url.reveal();
  if (config.no_proxy === '') return proxy;
  return isThisMachine(url) || isWithoutProxy(url, config.no_proxy) ? null : proxy;
}
