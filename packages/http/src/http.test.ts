import { gunzipSync, inflateSync } from 'node:zlib';
import {
  EVERYONE,
  type HttpRequest,
  type HttpResponse,
  InputError,
  LimitError,
} from '@pollux/base';
import { describe, expect, it } from 'vitest';
import {
  type Exchange,
  formatAddress,
  formOf,
  json,
  parseAddress,
  Router,
  type RouterOptions,
  text,
  withCompression,
} from './index.ts';

type Sent = { readonly headers?: Record<string, string>; readonly body?: string };

function request(
  method: string,
  target: string,
  { headers = {}, body = '' }: Sent = {},
): HttpRequest {
  const bytes = Buffer.from(body);
  return {
    method,
    target,
    headers,
    remote: { host: '127.0.0.1', port: 1 },
    signal: new AbortController().signal,
    principal: EVERYONE,
    body: async (limit) => {
      if (bytes.length > limit)
        throw new LimitError('HTTP.BODY_TOO_LARGE', 'body', `over ${limit}`);
      return bytes;
    },
    stream: async function* () {
      yield bytes;
    },
  };
}

function router(options: Partial<RouterOptions> = {}): Router {
  return new Router({ monotonic: () => 0, ...options });
}

const echo = async ({ path, params, query }: Exchange): Promise<HttpResponse> =>
  json(200, { path, params, query: String(query) });

async function body(answer: Promise<HttpResponse>): Promise<unknown> {
  const { body: data } = await answer;
  return JSON.parse(String(data));
}

describe('the router', () => {
  const routes = router({ prefix: '/prom/' })
    .get('/api/v1/label/:name/values', echo)
    .post('/api/v1/write', echo)
    .get('/assets/*', echo)
    .otherwise(async ({ path }) => text(404, path));

  it('gives placeholders decoded, and the path without prefix and query', async () => {
    const target = '/prom/api/v1/label/%E4%BD%A0%2Fa+b/values?match[]=up&x=a%20b';
    expect(await body(routes.handler(request('GET', target)))).toEqual({
      path: '/api/v1/label/%E4%BD%A0%2Fa+b/values',
      params: { name: '你/a+b' },
      query: 'match%5B%5D=up&x=a+b',
    });
    expect(await body(routes.handler(request('GET', '/prom/assets/a/b.js')))).toMatchObject({
      params: { '*': 'a/b.js' },
    });
  });

  it('answers HEAD where it answers GET, 405 with what is allowed, 404 elsewhere', async () => {
    expect((await routes.handler(request('HEAD', '/prom/assets/a'))).status).toBe(200);
    const refused = await routes.handler(request('DELETE', '/prom/assets/a'));
    expect([refused.status, refused.headers?.allow]).toEqual([405, 'GET, HEAD']);
    expect((await routes.handler(request('GET', '/prom/api/v1/write'))).headers?.allow).toBe(
      'POST',
    );
    for (const target of [
      '/prom/none',
      '/api/v1/write',
      '/prom/api/v1/label/%zz/values',
      '*',
      '',
    ]) {
      expect((await routes.handler(request('POST', target))).status).toBe(404);
    }
  });

  it('sends who asks above its prefix there, and only from there', async () => {
    for (const target of ['/', '/prom']) {
      const answer = await routes.handler(request('GET', `${target}?a=b`));
      expect([answer.status, answer.headers]).toEqual([302, { location: '/prom/?a=b' }]);
    }
    expect((await routes.handler(request('GET', '/prom/'))).status).toBe(404);
    expect((await router().handler(request('GET', '/'))).status).toBe(404);
  });

  it('does not take a longer word for its prefix', async () => {
    expect((await routes.handler(request('GET', '/prometheus/x'))).body).toBe('/prometheus/x');
    expect((await routes.handler(request('GET', '/prom/x'))).body).toBe('/x');
  });

  it('turns whatever is thrown into an answer that the observer sees', async () => {
    const seen: [string, number][] = [];
    const failing = router({
      observe: ({ route, response }) => seen.push([route, response.status]),
      onError: (error) => (error instanceof InputError ? text(400, error.message) : null),
    })
      .get('/input', async () => {
        throw new InputError('X.Y', '', 'bad');
      })
      .get('/bug', () => {
        throw new Error('oops');
      })
      .post('/large', async (exchange) => text(200, String(await exchange.request.body(1))));
    expect((await failing.handler(request('GET', '/input'))).status).toBe(400);
    expect(await failing.handler(request('GET', '/bug'))).toMatchObject({
      status: 500,
      body: 'internal error: oops\n',
    });
    expect((await failing.handler(request('POST', '/large', { body: 'abc' }))).status).toBe(413);
    expect((await failing.handler(request('GET', '/none'))).status).toBe(404);
    expect(seen).toEqual([
      ['/input', 400],
      ['/bug', 500],
      ['/large', 413],
      ['', 404],
    ]);
  });
});

describe('a form', () => {
  async function form(method: string, target: string, sent: Sent): Promise<string[][]> {
    let found: string[][] = [];
    const routes = router().on(['GET', 'POST', 'DELETE'], '/q', async (exchange) => {
      found = [...(await formOf(exchange))];
      return text(200, '');
    });
    const answer = await routes.handler(request(method, target, sent));
    return answer.status === 200 ? found : [[String(answer.status)]];
  }
  const headers = { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=utf-8' };

  it('has the body first, then the address', async () => {
    expect(await form('POST', '/q?a=1&b=2', { headers, body: 'a=%E4%BD%A0+x&c=3' })).toEqual([
      ['a', '你 x'],
      ['c', '3'],
      ['a', '1'],
      ['b', '2'],
    ]);
  });

  it('is the address alone where the body is no form or the method has none', async () => {
    expect(
      await form('POST', '/q?a=1', {
        headers: { 'content-type': 'application/json' },
        body: 'b=2',
      }),
    ).toEqual([['a', '1']]);
    expect(await form('GET', '/q?a=1', { headers, body: 'b=2' })).toEqual([['a', '1']]);
    expect(await form('DELETE', '/q?a=1', { headers, body: 'b=2' })).toEqual([['a', '1']]);
  });

  it('is refused over 10 MiB', async () => {
    expect(await form('POST', '/q', { headers, body: 'x'.repeat(10 * 1024 * 1024 + 1) })).toEqual([
      ['413'],
    ]);
  });
});

describe('compression', () => {
  const long = 'text '.repeat(1_000);
  async function answer(accept: string, response: Partial<HttpResponse>): Promise<HttpResponse> {
    const handler = withCompression(async () => ({ ...text(200, long), ...response }));
    return handler(request('GET', '/', { headers: { 'accept-encoding': accept } }));
  }

  it('takes the first of gzip and deflate, and says so', async () => {
    const packed = await answer('br, gzip;q=0.5, deflate', {});
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(String(gunzipSync(packed.body as Uint8Array))).toBe(long);
    expect(String(inflateSync((await answer('deflate', {})).body as Uint8Array))).toBe(long);
    expect((await answer('gzip;q=0, deflate', {})).headers?.['content-encoding']).toBe('deflate');
  });

  it('drops the length of the plain body and keeps what the handler said of variants', async () => {
    const headers = {
      'content-type': 'text/plain',
      'content-length': String(long.length),
      vary: 'Origin',
    };
    const packed = await answer('gzip', { headers });
    expect(packed.headers).toEqual({
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
      vary: 'Origin, Accept-Encoding',
    });
  });

  it.each<[string, string, Partial<HttpResponse>]>([
    ['nothing accepted', 'identity', {}],
    ['a short body', 'gzip', { body: 'short' }],
    ['a picture', 'gzip', { headers: { 'content-type': 'image/png' } }],
    [
      'what is packed already',
      'gzip',
      { headers: { 'content-type': 'text/plain', 'content-encoding': 'br' } },
    ],
  ])('leaves %s alone', async (_, accept, response) => {
    expect(typeof (await answer(accept, response)).body).toBe('string');
  });
});

describe('an address', () => {
  it.each([
    [':9090', '0.0.0.0', 9090],
    ['localhost:0', 'localhost', 0],
    ['[::1]:80', '::1', 80],
    ['[]:80', '0.0.0.0', 80],
  ])('%s is read', (given, host, port) => {
    expect(parseAddress(given)).toEqual({ host, port });
    expect(parseAddress(formatAddress({ host, port }))).toEqual({ host, port });
  });

  it.each([
    '9090',
    'host',
    'host:',
    'host:65536',
    '::1:80',
    'host:-1',
    'host:8o',
    '',
    'http://host:80',
  ])('%j is refused with the remedy', (given) => {
    expect(() => parseAddress(given)).toThrow('write host:port');
  });
});
