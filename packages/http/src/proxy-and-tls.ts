import { type HttpProxy, OperatingError } from '@pollux/base';
import type { ClientSettings } from './client-config.ts';
import type { OAuth2Config } from './http-config.ts';
import { isWithoutProxy } from './no-proxy.ts';

/** The parts of a request that say how to get there. */
export function proxyAndTls(
  config: Pick<OAuth2Config, 'proxy_url' | 'no_proxy' | 'proxy_connect_header'>,
  { tls }: Pick<ClientSettings, 'tls'>,
  url: string,
): { readonly proxy?: HttpProxy; readonly tls?: NonNullable<ClientSettings['tls']> } {
  const proxy = config.proxy_url.reveal();
  const isDirect =
    proxy === '' || !URL.canParse(url) || isWithoutProxy(new URL(url), config.no_proxy);
  if (!isDirect && !URL.canParse(proxy)) {
    throw new OperatingError('HTTP.BAD_PROXY', 'proxy_url is no absolute address');
  }
  const connectHeaders = Object.fromEntries(
    Object.entries(config.proxy_connect_header).map(([name, values]) => [
      name.toLowerCase(),
      values.map((value) => value.reveal()).join(', '),
    ]),
  );
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(isDirect ? {} : { proxy: { url: proxy, connectHeaders } }),
  };
}
