import type { HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import { OperatingError } from '@pollux/base';

const MAX_REDIRECTS = 10;
const CREDENTIAL_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/**
 * One exchange, going on to where a GET or HEAD is redirected when `follows`. Credentials never go to another host, nor from
 * TLS into the clear. Other methods are not repeated elsewhere: their answer is given as it is.
 */
export async function requestFollowing(
  net: Net,
  request: HttpClientRequest,
  follows: boolean,
): Promise<HttpClientResponse> {
  let current = request;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await net.request(current);
    const location = response.headers.location;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status);
    const isSafe = current.method === 'GET' || current.method === 'HEAD';
    if (!follows || !isRedirect || !isSafe || location === undefined) return response;
    if (!URL.canParse(location, current.url)) return response;
    const next = new URL(location, current.url);
    const here = new URL(current.url);
    const isSafeFor = next.hostname === here.hostname && next.port === here.port;
    const staysSecure = here.protocol !== 'https:' || next.protocol === 'https:';
    current = {
      ...current,
      url: next.href,
      ...(isSafeFor && staysSecure ? {} : { headers: withoutCredentials(current.headers ?? {}) }),
    };
  }
  throw new OperatingError('HTTP.REDIRECTS', `stopped after ${MAX_REDIRECTS} redirects`);
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !CREDENTIAL_HEADERS.includes(name.toLowerCase())),
  );
}
