import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as zlib from 'node:zlib';
import { nodeEnv } from '@pollux/base/node';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Scratch } from '../system/running-role.ts';
import { hasNginx, NO_NGINX, startNginx } from './real-nginx.ts';
import { UpstreamDouble } from './upstream-double.ts';

/** What of an answer a client can tell apart; dates, names of servers and of connections aside. */
type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
};

const OWN_HEADERS = ['date', 'server', 'connection', 'keep-alive', 'x-pollux-member'];

/** A body that came at once in chunks may go out with its length: the same to any reader. */
const FRAMING = ['content-length', 'transfer-encoding'];

describe.skipIf(!hasNginx)(`the gateway answers as nginx does${NO_NGINX}`, () => {
  let scratch: Scratch;
  let double: UpstreamDouble;
  let ours = 0;
  let theirs = 0;
  let gateway: Gateway;
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    scratch = new Scratch();
    double = await UpstreamDouble.start('a');
    closers.push(() => double.stop());
    double.answer = answerByPath;
    const hash = spawnSync('openssl', ['passwd', '-apr1', 'secret'], { encoding: 'utf8' });
    const users = scratch.file('users', `ann:${hash.stdout}`);
    const nginx = await startNginx(scratch, 'nginx', (port) => nginxConfig(port, users));
    closers.push(nginx.stop);
    theirs = nginx.port;
    ours = await startGateway(gatewayConfig(users));
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    scratch.remove();
  });

  it.for([
    ['a short body', 'GET', '/plain', {}],
    ['a body in chunks', 'GET', '/chunked', {}],
    ['a body of 3 MB', 'GET', '/large', {}],
    ['a packed body, as it is', 'GET', '/gzip', { 'accept-encoding': 'gzip' }],
    ['HEAD', 'HEAD', '/plain', {}],
    ['no body', 'GET', '/204', {}],
    ['what has not changed', 'GET', '/304', { 'if-none-match': '"x"' }],
    ['a redirect', 'GET', '/moved?x=1', {}],
    ['an error of the member', 'GET', '/500', {}],
    ['several cookies', 'GET', '/cookies', {}],
    ['a path that is to stay as it is', 'GET', '/echo/%2F%20a?b=%26&c=+', {}],
    ['a form', 'POST', '/echo', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['PUT', 'PUT', '/echo', {}],
    ['DELETE', 'DELETE', '/echo', {}],
    ['OPTIONS', 'OPTIONS', '/echo', {}],
    ['no password', 'GET', 'http://private/plain', {}],
    ['a wrong password', 'GET', 'http://private/plain', { authorization: basic('ann', 'x') }],
    ['the password', 'GET', 'http://private/plain', { authorization: basic('ann', 'secret') }],
    ['another name', 'GET', 'http://x.wild.test/plain', {}],
    ['a location within', 'GET', '/api/plain', {}],
  ] as const)('%s', async ([, method, target, headers]) => {
    const body = method === 'POST' || method === 'PUT' ? 'query=up&time=1' : '';
    const [mine, his] = await Promise.all(
      [ours, theirs].map((port) => ask(port, { method, target, headers, body })),
    );
    expect(mine).toEqual(his);
  });

  it('a member is told who asks, and for what', async () => {
    const sent = {
      'x-forwarded-for': '10.1.1.1',
      'user-agent': 'test',
      te: 'trailers',
      'x-y': 'z',
    };
    const seen: Record<string, unknown>[] = [];
    for (const port of [ours, theirs]) {
      double.seen.length = 0;
      await ask(port, { method: 'GET', target: '/plain', headers: sent, body: '' });
      const { connection: _, ...headers } = double.seen[0]!.headers;
      seen.push(headers);
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toMatchObject({ host: 'pair.test', 'x-forwarded-for': '10.1.1.1, 127.0.0.1' });
  });

  it('a body over the limit is refused', async () => {
    const body = 'x'.repeat(70_000);
    for (const port of [ours, theirs]) {
      const { status } = await ask(port, { method: 'POST', target: '/echo', headers: {}, body });
      expect(status).toBe(413);
    }
  });

  it('a burst of requests: as many pass, as many are refused, as many wait', async () => {
    const outcome = async (port: number, host: string): Promise<readonly [number, number]> => {
      const startMs = performance.now();
      const target = `http://${host}/plain`;
      const request = { method: 'GET', target, headers: {}, body: '' };
      const all = await Promise.all(Array.from({ length: 12 }, () => ask(port, request)));
      const passed = all.filter(({ status }) => status === 200).length;
      return [passed, Math.floor((performance.now() - startMs) / 1_000)];
    };
    expect(await outcome(ours, 'limited')).toEqual(await outcome(theirs, 'limited'));
    expect(await outcome(ours, 'nodelay')).toEqual(await outcome(theirs, 'nodelay'));
  });

  it('another protocol passes both ways', async () => {
    const talk = (port: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1');
        let seen = '';
        socket.on('data', (data) => {
          seen += data.toString('latin1');
          if (seen.endsWith('\r\n\r\n')) socket.write('hello');
          if (seen.endsWith('hello')) socket.end();
        });
        socket.on('close', () => resolve(seen));
        socket.on('error', reject);
        socket.write(
          'GET /socket HTTP/1.1\r\nHost: pair.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
        );
      });
    const [mine, his] = await Promise.all([talk(ours), talk(theirs)]);
    expect(mine).toMatch(/^HTTP\/1.1 101 [\s\S]*\r\n\r\nhello$/);
    expect(his).toMatch(/^HTTP\/1.1 101 [\s\S]*\r\n\r\nhello$/);
  });

  it('events reach a client as they come', async () => {
    for (const port of [ours, theirs]) {
      const times: number[] = [];
      await new Promise<void>((resolve) => {
        http.get(
          { port, host: '127.0.0.1', path: '/events', headers: { host: 'pair.test' } },
          (r) => {
            r.on('data', () => times.push(performance.now()));
            r.on('end', resolve);
          },
        );
      });
      expect(times.length).toBe(3);
      expect(times[2]! - times[0]!).toBeGreaterThan(350);
    }
  });

  it('a client that goes away stops the work of the member', async () => {
    for (const port of [ours, theirs]) {
      double.seen.length = 0;
      const request = http.get({
        port,
        host: '127.0.0.1',
        path: '/never',
        headers: { host: 'pair.test' },
      });
      request.on('error', () => {});
      await eventually('request', 5_000, async () => (double.seen.length > 0 ? true : null));
      request.destroy();
      const { socket } = double.seen[0]!;
      await eventually('cut connection', 5_000, async () => (socket.destroyed ? true : null));
    }
  });

  it('writes the same access log', async () => {
    const headers = { 'user-agent': 'a "quoted" \\ agent \xe9', referer: 'http://x/' };
    for (const port of [ours, theirs]) {
      await ask(port, { method: 'GET', target: 'http://logged/plain?a=b', headers, body: '' });
      await ask(port, { method: 'HEAD', target: 'http://logged/plain', headers: {}, body: '' });
      await ask(port, { method: 'GET', target: 'http://logged/large', headers: {}, body: '' });
    }
    const [mine, his] = await Promise.all([logLines('ours.log', 3), logLines('theirs.log', 3)]);
    expect(mine).toEqual(his);
  });

  it('goes on in a new file when the log was moved away', async () => {
    const { renameSync } = await import('node:fs');
    const get = (): Promise<Answer> =>
      ask(ours, { method: 'GET', target: 'http://logged/204', headers: {}, body: '' });
    await get();
    renameSync(scratch.at('ours.log'), scratch.at('ours.log.1'));
    gateway.reopenLogs();
    await get();
    expect(await logLines('ours.log', 1)).toHaveLength(1);
    expect((await logLines('ours.log.1', 4)).at(-1)).toContain('/204');
  });

  async function logLines(name: string, count: number): Promise<string[]> {
    return eventually(`${count} lines in ${name}`, 5_000, async () => {
      const lines = readFileSync(scratch.at(name), 'utf8').split('\n').slice(0, -1);
      if (lines.length < count) return null;
      return lines.map((line) => line.replace(/\[.*?\]/, '[time]'));
    });
  }

  async function startGateway(text: string): Promise<number> {
    const env = nodeEnv();
    const config = parseGatewayConfig(text, 'gateway.yml');
    gateway = new Gateway({ env, log: Log.silent(), registry: new Registry(), config });
    const at = { host: '127.0.0.1', port: 0 };
    const listener = await env.net.serveHttp(
      { at, maxConnections: 100, readTimeoutMs: 10_000, takesUpgrades: true },
      gateway.handlerOver(async () => ({ status: 404 })),
    );
    gateway.start();
    closers.push(async () => {
      await listener.close(0);
      await gateway.close();
    });
    return listener.address.port;
  }

  function nginxConfig(port: number, users: string): string {
    const location = `
      proxy_pass http://group;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgrade;
      proxy_set_header TE "";
      proxy_redirect off;
      proxy_buffering off;`;
    const server = (name: string, more = ''): string =>
      `server { listen 127.0.0.1:${port}; server_name ${name}; ${more}
         client_max_body_size 64k; location / { ${location} } }`;
    return `
      map $http_upgrade $upgrade { default upgrade; "" ""; }
      limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s;
      limit_req_zone $binary_remote_addr zone=two:1m rate=1r/s;
      upstream group { server 127.0.0.1:${double.port}; keepalive 16; }
      ${server('pair.test')}
      ${server('private', `auth_basic "Pollux"; auth_basic_user_file ${users};`)}
      ${server('*.wild.test')}
      ${server('limited', 'limit_req zone=one burst=2 delay=1;')}
      ${server('nodelay', 'limit_req zone=two burst=4 nodelay;')}
      ${server('logged', `access_log ${scratch.at('theirs.log')} combined;`)}`;
  }

  function gatewayConfig(users: string): string {
    return `
groups:
  - name: group
    kind: http
    max_body_size: 64KB
    members: [{name: a, url: 'http://127.0.0.1:${double.port}'}]
hosts:
  - server_names: [pair.test]
    locations: [{path: /, group: group}, {path: /api/, group: group}]
  - server_names: [private]
    auth: {realm: Pollux, users_file: ${users}}
    locations: [{path: /, group: group}]
  - server_names: ['*.wild.test']
    locations: [{path: /, group: group}]
  - server_names: [limited]
    rate_limits: [{rate: 1r/s, burst: 2, delay: 1}]
    locations: [{path: /, group: group}]
  - server_names: [nodelay]
    rate_limits: [{rate: 1r/s, burst: 4, nodelay: true}]
    locations: [{path: /, group: group}]
  - server_names: [logged]
    access_log: {file: ${scratch.at('ours.log')}}
    locations: [{path: /, group: group}]
`;
  }
});

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

type Asked = {
  readonly method: string;
  /** A path, or an address whose host goes into the header alone. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

function ask(port: number, { method, target, headers, body }: Asked): Promise<Answer> {
  const [, host = 'pair.test', path = target] = /^http:\/\/([^/]+)(.*)$/.exec(target) ?? [];
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, headers: { host, ...headers } };
    const request = http.request({ ...options, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const shown = Object.entries(response.headers).filter(
          ([name]) => !OWN_HEADERS.includes(name) && (method === 'HEAD' || !FRAMING.includes(name)),
        );
        const { statusCode: status = 0 } = response;
        // What a refusal says is each one's own; that it is one is not.
        const isRefusal = status === 401;
        resolve({
          status,
          headers: isRefusal
            ? { 'www-authenticate': response.headers['www-authenticate'] }
            : Object.fromEntries(shown),
          body: isRefusal ? '' : Buffer.concat(parts).toString('latin1'),
        });
      });
    });
    request.on('error', reject);
    request.end(body === '' ? undefined : body);
  });
}

function answerByPath(request: http.IncomingMessage, response: http.ServerResponse): void {
  const { url = '', method = '' } = request;
  const type = { 'content-type': 'text/plain' };
  switch (url.split('?')[0]) {
    case '/plain':
    case '/api/plain':
      response.writeHead(200, { ...type, etag: '"x"', 'content-length': 5 }).end('plain');
      return;
    case '/chunked':
      response.writeHead(200, type);
      response.write('one ');
      setTimeout(() => response.end('two'), 30);
      return;
    case '/large':
      response.writeHead(200, { 'content-length': 3_000_000 }).end('y'.repeat(3_000_000));
      return;
    case '/gzip':
      response.writeHead(200, { ...type, 'content-encoding': 'gzip' });
      response.end(zlib.gzipSync('packed'));
      return;
    case '/204':
      response.writeHead(204).end();
      return;
    case '/304':
      response.writeHead(304, { etag: '"x"' }).end();
      return;
    case '/moved':
      response.writeHead(302, { location: '/elsewhere' }).end();
      return;
    case '/500':
      response.writeHead(500, type).end('broken');
      return;
    case '/cookies':
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end('cookies');
      return;
    case '/events': {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let count = 0;
      const timer = setInterval(() => {
        response.write(`data: ${count++}\n\n`);
        if (count < 3) return;
        clearInterval(timer);
        response.end();
      }, 200);
      return;
    }
    case '/never':
      return;
    default: {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => response.end(`${method} ${url} ${body}`));
    }
  }
}
