import { isThisMachine, isWithoutProxy } from './no-proxy.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for an address, as Go's `ProxyFromEnvironment`: `HTTP_PROXY` or `HTTPS_PROXY` by the
 * address' scheme, none for what `NO_PROXY` lists and for this machine; each name also in small letters. A proxy without a
 * scheme is one of http. Null for none.
 */
export function environmentProxy(variables: Variables, url: URL): string | null {
  const find = (name: string): string => variables[name] || variables[name.toLowerCase()] || '';
  const written = url.protocol === 'https:' ? find('HTTPS_PROXY') : find('HTTP_PROXY');
  if (written === '' || isThisMachine(url) || isWithoutProxy(url, find('NO_PROXY'))) return null;
  const isWhole = /^[a-z][a-z0-9+.-]*:\/\//i.test(written);
  return isWhole ? written : `http://${written}`;
}
