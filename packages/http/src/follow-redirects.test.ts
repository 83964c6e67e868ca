import type { HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { requestFollowing } from './index.ts';

/** A network in which each URL redirects as told; what is not told answers 200. */
function net(redirects: Readonly<Record<string, string>>, seen: HttpClientRequest[]): Net {
  return {
    request: async (request: HttpClientRequest): Promise<HttpClientResponse> => {
      seen.push(request);
      const location = redirects[request.url];
      return {
        status: location === undefined ? 200 : 302,
        headers: location === undefined ? {} : { location },
        body: new Uint8Array(0),
      };
    },
  } as Partial<Net> as Net;
}

const request: HttpClientRequest = {
  method: 'GET',
  url: 'http://a/x',
  headers: { Authorization: 'Bearer s', accept: 'text/plain' },
  timeoutMs: 1,
};

describe('following redirects', () => {
  it('goes on on the same host with all headers, to another without credentials', async () => {
    const seen: HttpClientRequest[] = [];
    const redirects = { 'http://a/x': '/y', 'http://a/y': 'http://b/z' };
    const response = await requestFollowing(net(redirects, seen), request, true);
    expect(response.status).toBe(200);
    expect(seen.map(({ url }) => url)).toEqual(['http://a/x', 'http://a/y', 'http://b/z']);
    expect(seen[1]!.headers).toEqual(request.headers);
    expect(seen[2]!.headers).toEqual({ accept: 'text/plain' });
  });

  it('keeps credentials on the way from clear text to TLS of a host, and never sends them back into the clear', async () => {
    const seen: HttpClientRequest[] = [];
    const redirects = { 'http://a/x': 'https://a/y', 'https://a/y': 'http://a/z' };
    await requestFollowing(net(redirects, seen), request, true);
    expect(seen[1]!.headers).toEqual(request.headers);
    expect(seen[2]!.headers).toEqual({ accept: 'text/plain' });
  });

  it('ends a circle with an error, and stays when told to or when the method changes something', async () => {
    const circle = { 'http://a/x': '/x' };
    await expect(requestFollowing(net(circle, []), request, true)).rejects.toThrow('10 redirects');
    expect((await requestFollowing(net(circle, []), request, false)).status).toBe(302);
    const post = { ...request, method: 'POST' };
    expect((await requestFollowing(net(circle, []), post, true)).status).toBe(302);
  });
});
