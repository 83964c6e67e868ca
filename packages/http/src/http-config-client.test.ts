import { createVerify, generateKeyPairSync } from 'node:crypto';
import { type HttpClientRequest, type Net, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { httpConfig } from './http-config.ts';
import { HttpConfigClient } from './http-config-client.ts';
import { isThisMachine, isWithoutProxy } from './no-proxy.ts';

type Reply = { status: number; headers?: Record<string, string>; body?: string };

function world(
  yaml: string,
  reply: (request: HttpClientRequest) => Reply,
  variables: Readonly<Record<string, string>> = {},
) {
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
    random: new SeededRandom(1),
    variables,
    config: httpConfig(parseYaml(yaml, 'h.yml'), 'http_config', strictContext()),
    resolvePath: (name) => name,
  });
  const post = (url: string, headers: Readonly<Record<string, string>> = {}) =>
    client.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'text/plain', ...headers },
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
    await post('http://x/');
    expect(requests).toHaveLength(4);
  });

  it.each([
    ['', 'RSA-SHA256', {}],
    ['RS384', 'RSA-SHA384', { iss: 'issuer', aud: 'them' }],
    ['RS512', 'RSA-SHA512', { sub: 'user@example', flags: { admin: true } }],
  ])(
    'get an OAuth2 token by an assertion that its endpoint verifies: %s',
    async (algorithm, digest, claims) => {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
      const { iss, aud, ...rest } = claims as Record<string, unknown>;
      const block = {
        client_id: 'id',
        client_certificate_key: pem,
        client_certificate_key_id: 'key-7',
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        signature_algorithm: algorithm,
        token_url: 'http://auth/token',
        scopes: ['a', 'b'],
        endpoint_params: { resource: 'r' },
        ...(iss === undefined ? {} : { iss }),
        ...(aud === undefined ? {} : { audience: aud }),
        claims: rest,
      };
      const { post, requests, clock } = world(JSON.stringify({ oauth2: block }), ({ url }) =>
        url === 'http://auth/token'
          ? { status: 200, body: '{"access_token":"t","expires_in":60,"token_type":"bearer"}' }
          : OK,
      );
      await clock.advance(5_500);
      await post('http://x/', { 'user-agent': 'me' });
      const [asked, sent] = requests;
      expect(sent?.headers?.authorization).toBe('Bearer t');
      expect(asked?.headers).toEqual({
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'me',
      });
      const form = new URLSearchParams(asked?.body as string);
      expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
      expect([form.get('scope'), form.get('resource')]).toEqual(['a b', 'r']);
      const [head = '', content = '', signature = ''] = (form.get('assertion') ?? '').split('.');
      const read = (part: string): unknown =>
        JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown;
      expect(read(head)).toEqual({ alg: algorithm || 'RS256', kid: 'key-7', typ: 'JWT' });
      expect(read(content)).toEqual({
        iss: 'id',
        sub: 'id',
        aud: 'http://auth/token',
        iat: 5,
        exp: 605,
        jti: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as unknown,
        scope: 'a b',
        ...claims,
      });
      const verifier = createVerify(digest).update(`${head}.${content}`);
      expect(verifier.verify(publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
    },
  );

  it('tell of an OAuth2 endpoint that refuses no more than the word for it', async () => {
    const { post } = world(
      'oauth2: {client_id: id, client_secret: geheim, token_url: "http://auth/token"}',
      ({ body }) => ({
        status: 400,
        body: JSON.stringify({ error: 'invalid_client', error_description: body }),
      }),
    );
    await expect(post('http://x/')).rejects.toThrow(
      /^oauth2: the token endpoint refused the credentials \(status 400, invalid_client\)$/,
    );
    const key = 'oauth2: {client_id: id, client_certificate_key: geheim, token_url: "http://a/", ';
    const assertion = 'grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer"}';
    await expect(world(key + assertion, () => OK).post('http://x/')).rejects.toThrow(
      /^oauth2: client_certificate_key is no private key in PEM without a passphrase$/,
    );
  });

  it('keep an Authorization of the receiver beside that of the configuration, not beside a token', async () => {
    const given = { authorization: 'GenieKey k' };
    const basic = world('basic_auth: {username: u}', () => OK);
    await basic.post('http://x/', given);
    expect(basic.requests[0]?.headers?.authorization).toBe('GenieKey k');
    const token = world('oauth2: {client_id: id, token_url: "http://auth/"}', ({ url }) =>
      url === 'http://auth/' ? { status: 200, body: '{"access_token":"t"}' } : OK,
    );
    await token.post('http://x/', given);
    expect(token.requests.at(-1)?.headers?.authorization).toBe('Bearer t');
  });

  it('go through the proxy of the environment by scheme, never to this machine', async () => {
    const { post, requests } = world('proxy_from_environment: true', () => OK, {
      http_proxy: 'u:p@small:3128',
      HTTPS_PROXY: 'http://secure:3128',
      NO_PROXY: 'inner.example,fd00::/8',
    });
    const to = ['http://x/', 'https://x/', 'http://a.inner.example/', 'https://[fd00::1]/'];
    for (const url of [...to, 'http://localhost/', 'http://127.0.0.9/', 'http://[::1]/']) {
      await post(url);
    }
    expect(requests.map(({ proxy }) => proxy?.url)).toEqual([
      'http://u:p@small:3128',
      'http://secure:3128',
      ...new Array<undefined>(5).fill(undefined),
    ]);
    const none = world('proxy_from_environment: true', () => OK);
    await none.post('http://x/');
    expect(none.requests[0]?.proxy).toBeUndefined();
  });

  it('ask for a token through the proxy of its own block, with its headers for CONNECT', async () => {
    const { post, requests } = world(
      'oauth2: {client_id: i, token_url: "https://auth/", proxy_from_environment: true, proxy_connect_header: {X-A: [b, c]}}',
      ({ url }) => (url === 'https://auth/' ? { status: 200, body: '{"access_token":"t"}' } : OK),
      { HTTPS_PROXY: 'http://p:1' },
    );
    await post('https://x/');
    expect(requests.map(({ proxy }) => proxy)).toEqual([
      { url: 'http://p:1', connectHeaders: { 'x-a': 'b, c' } },
      undefined,
    ]);
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
      if (url === 'http://b/3') return { status: 302, headers: { location: 'http://a/4' } };
      return OK;
    });
    await post('http://a/1');
    expect(
      requests.map(({ method, url, body, headers }) => [method, url, body, headers?.authorization]),
    ).toEqual([
      ['POST', 'http://a/1', 'b', 'Bearer t'],
      ['POST', 'http://a/2', 'b', 'Bearer t'],
      ['GET', 'http://b/3', undefined, undefined],
      ['GET', 'http://a/4', undefined, undefined],
    ]);
  });

  it('take credentials along to subdomains and other ports of their host, not out of TLS', async () => {
    const moves: Readonly<Record<string, string>> = {
      'https://example.org/': 'https://sub.example.org:444/',
      'https://sub.example.org:444/': 'http://example.org/',
    };
    const { post, requests } = world('authorization: {credentials: t}', ({ url }) =>
      moves[url] === undefined ? OK : { status: 302, headers: { location: moves[url] } },
    );
    await post('https://example.org/');
    expect(requests.map(({ headers }) => headers?.authorization)).toEqual([
      'Bearer t',
      'Bearer t',
      undefined,
    ]);
  });

  it('end a circle of redirects, and follow none when told so', async () => {
    const circle = () => ({ status: 307, headers: { location: '/' } });
    await expect(world('{}', circle).post('http://a/')).rejects.toThrow('after 10 redirects');
    const { post, requests } = world('follow_redirects: false', circle);
    expect((await post('http://a/')).status).toBe(307);
    expect(requests).toHaveLength(1);
  });

  it('may use HTTP/2 unless told otherwise', async () => {
    for (const [yaml, http2] of [
      ['{}', true],
      ['enable_http2: false', false],
    ] as const) {
      const { post, requests } = world(yaml, () => ({ status: 200 }));
      await post('https://a/');
      expect(requests).toMatchObject([{ http2 }]);
    }
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
      'oauth2: {client_id: x, token_url: y}\nbearer_token: t',
      'at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured',
    ],
    [
      'oauth2: {client_id: x, token_url: y, client_secret: a, client_secret_file: b}',
      'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
    ],
    [
      'oauth2: {client_id: x, token_url: y, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", client_certificate_key: a, client_certificate_key_file: b}',
      'at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer',
    ],
    [
      'oauth2: {client_id: x, token_url: y, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", signature_algorithm: ES256}',
      'valid signature algorithms are RS256, RS384 and RS512',
    ],
    ['no_proxy: x', 'if no_proxy is configured, proxy_url must also be configured'],
    ['proxy_connect_header: {a: [b]}', 'if proxy_connect_header is configured, proxy_url'],
    [
      'proxy_from_environment: true\nproxy_url: "http://x"',
      'if proxy_from_environment is configured, proxy_url must not be configured',
    ],
    [
      'proxy_from_environment: true\nno_proxy: x',
      'if proxy_from_environment is configured, no_proxy must not be configured',
    ],
    [
      'oauth2: {client_id: x, token_url: y, no_proxy: z}',
      'if no_proxy is configured, proxy_url must also be configured',
    ],
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
    ['http://sub.example.com/', '*.example.com', true],
    ['http://example.com/', '*.example.com', false],
    ['http://xn--mnchen-3ya.example/', 'münchen.example', true],
    ['http://10.0.0.1/', '10.0.0.1:80', true],
    ['http://10.0.0.1/', '0.0.1', false],
    ['http://[fd00::5]/', 'fd00::/8', true],
    ['http://[fe00::5]/', 'fd00::/8', false],
    ['http://[fd00:0::5]:81/', '[fd00::5]:81', true],
    ['http://[fd00::5]:81/', '[fd00::5]:82', false],
    ['http://example.com/', ':80', false],
    ['http://192.168.1.5/', '192.168.1.0/24', true],
    ['http://192.168.2.5/', '192.168.1.0/24', false],
  ])('%s by %j: %s', (url, rules, expected) => {
    expect(isWithoutProxy(new URL(url), rules)).toBe(expected);
  });
});

it.each([
  ['http://localhost/', true],
  ['http://127.8.9.10/', true],
  ['http://[::1]/', true],
  ['http://128.0.0.1/', false],
  ['http://[::2]/', false],
  ['http://localhost.example/', false],
])('%s is this machine: %s', (url, expected) => {
  expect(isThisMachine(new URL(url))).toBe(expected);
});
