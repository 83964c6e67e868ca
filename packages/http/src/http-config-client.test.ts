import { type HttpClientRequest, type Net, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { httpConfig } from './http-config.ts';
import { HttpConfigClient } from './http-config-client.ts';
import { isWithoutProxy } from './no-proxy.ts';

type Reply = { status: number; headers?: Record<string, string>; body?: string };

function world(yaml: string, reply: (request: HttpClientRequest) => Reply) {
  const requests: HttpClientRequest[] = [];
  const clock = new VirtualClock(0);
  const net = {
    request: async (request: HttpClientRequest) => {
      requests.push(request);
      const { status, headers = {}, body = '' } = reply(request);
      return { status, headers, body: new TextEncoder().encode(body) };
    },
  } as unknown as Net;
  const client = new HttpConfigClient({
    net,
    files: new NodeFiles(),
    clock,
    config: httpConfig(parseYaml(yaml, 'h.yml'), 'http_config', strictContext()),
    resolvePath: (name) => name,
  });
  const post = (url: string) =>
    client.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'text/plain' },
      body: 'b',
      timeoutMs: 1000,
      signal: new AbortController().signal,
      maxBodyBytes: 1000,
    });
  return { post, requests, clock };
}

const OK: Reply = { status: 200 };

describe('requests by an http_config', () => {
  it('get an OAuth2 token once, again shortly before it ends, and send it', async () => {
    let count = 0;
    const { post, requests, clock } = world(
      'oauth2: {client_id: id, client_secret: s3cret, token_url: "http://auth/token", scopes: [a, b], endpoint_params: {k: v}}',
      ({ url }) =>
        url === 'http://auth/token'
          ? { status: 200, body: `{"access_token":"t${++count}","expires_in":60}` }
          : OK,
    );
    await post('http://x/1');
    await post('http://x/2');
    await clock.advance(51_000);
    await post('http://x/3');
    expect(requests.map(({ url, headers }) => [url, headers?.authorization])).toEqual([
      ['http://auth/token', `Basic ${Buffer.from('id:s3cret').toString('base64')}`],
      ['http://x/1', 'Bearer t1'],
      ['http://x/2', 'Bearer t1'],
      ['http://auth/token', `Basic ${Buffer.from('id:s3cret').toString('base64')}`],
      ['http://x/3', 'Bearer t2'],
    ]);
    expect(requests[0]?.body).toBe('grant_type=client_credentials&scope=a+b&k=v');
  });

  it('offer the credentials in the form to a token endpoint that refuses the header', async () => {
    const { post, requests } = world(
      'oauth2: {client_id: id, client_secret: s, token_url: "http://auth/token"}',
      ({ url, headers }) => {
        if (url !== 'http://auth/token') return OK;
        return headers?.authorization === undefined
          ? { status: 200, body: '{"access_token":"t"}' }
          : { status: 401 };
      },
    );
    await post('http://x/');
    expect(requests[1]?.body).toBe('grant_type=client_credentials&client_id=id&client_secret=s');
    expect(requests[2]?.headers?.authorization).toBe('Bearer t');
  });

  it('go through the proxy, except where no_proxy says not', async () => {
    const { post, requests } = world(
      'proxy_url: "http://u:p@proxy:3128"\nno_proxy: "inner.example, 10.0.0.0/8"',
      () => OK,
    );
    for (const host of ['x', 'a.inner.example', '10.9.8.7', '11.9.8.7'])
      await post(`http://${host}/`);
    expect(requests.map(({ proxy }) => proxy?.url)).toEqual([
      'http://u:p@proxy:3128',
      undefined,
      undefined,
      'http://u:p@proxy:3128',
    ]);
  });

  it('follow redirects as Go does, and leave credentials with their host', async () => {
    const { post, requests } = world('authorization: {credentials: t}', ({ url }) => {
      if (url === 'http://a/1') return { status: 307, headers: { location: '/2' } };
      if (url === 'http://a/2') return { status: 302, headers: { location: 'http://b/3' } };
      return OK;
    });
    await post('http://a/1');
    expect(
      requests.map(({ method, url, body, headers }) => [method, url, body, headers?.authorization]),
    ).toEqual([
      ['POST', 'http://a/1', 'b', 'Bearer t'],
      ['POST', 'http://a/2', 'b', 'Bearer t'],
      ['GET', 'http://b/3', undefined, undefined],
    ]);
  });

  it('end a circle of redirects, and follow none when told so', async () => {
    const circle = () => ({ status: 307, headers: { location: '/' } });
    await expect(world('{}', circle).post('http://a/')).rejects.toThrow('after 10 redirects');
    const { post, requests } = world('follow_redirects: false', circle);
    expect((await post('http://a/')).status).toBe(307);
    expect(requests).toHaveLength(1);
  });

  it('show no password of a proxy', () => {
    const yaml = parseYaml('proxy_url: "http://u:geheim@proxy:1"', 'h.yml');
    const config = httpConfig(yaml, '', strictContext());
    expect(JSON.stringify(config)).not.toContain('geheim');
    expect(JSON.stringify(config)).toContain('http://u:xxxxx@proxy:1');
  });
});

describe('an http_config is refused', () => {
  it.each([
    ['oauth2: {token_url: x}', 'oauth2 client_id must be configured'],
    ['oauth2: {client_id: x}', 'oauth2 token_url must be configured'],
    [
      'oauth2: {client_id: x, token_url: y}\nbasic_auth: {username: u}',
      'at most one of basic_auth, oauth2 & authorization must be configured',
    ],
    [
      'oauth2: {client_id: x, token_url: y, grant_type: other}',
      'oauth2 grant_type "other" is not supported',
    ],
    ['no_proxy: x', 'if no_proxy is configured, proxy_url must also be configured'],
    ['proxy_connect_header: {a: [b]}', 'if proxy_connect_header is configured, proxy_url'],
    ['proxy_from_environment: true', 'proxy_from_environment is not supported yet'],
  ])('%j', (yaml, message) => {
    expect(() => httpConfig(parseYaml(yaml, 'h.yml'), '', strictContext())).toThrow(message);
  });
});

describe('no_proxy', () => {
  it.each([
    ['http://example.com/', 'example.com', true],
    ['http://sub.example.com/', 'example.com', true],
    ['http://example.com/', '.example.com', false],
    ['http://notexample.com/', 'example.com', false],
    ['http://example.com:81/', 'example.com:80', false],
    ['https://example.com/', 'example.com:443', true],
    ['http://any/', '*', true],
    ['http://localhost/', 'x', true],
    ['http://192.168.1.5/', '192.168.1.0/24', true],
    ['http://192.168.2.5/', '192.168.1.0/24', false],
  ])('%s by %j: %s', (url, rules, expected) => {
    expect(isWithoutProxy(new URL(url), rules)).toBe(expected);
  });
});
