import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpClientRequest } from '../net.ts';
import { NodeNet } from './index.ts';

const testdata = (name: string): string =>
  readFileSync(new URL(`../../testdata/${name}`, import.meta.url), 'utf8');
const CERTIFICATE = testdata('localhost.crt');
const SECRETS = { cert: CERTIFICATE, key: testdata('localhost.key') };
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR } = http2.constants;

let client = new NodeNet();
const open: (() => void)[] = [];
afterEach(async () => {
  await client.close();
  client = new NodeNet();
  for (const close of open.splice(0)) close();
});

type Handler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

/** Speaks both protocols; tells of each connection. */
class Both {
  readonly server = http2.createSecureServer({ ...SECRETS, allowHTTP1: true });
  readonly sessions: http2.ServerHttp2Session[] = [];
  connections = 0;
  port = 0;

  constructor(handler: Handler) {
    this.server.on('request', handler);
    this.server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => {});
    });
    this.server.on('secureConnection', () => this.connections++);
    this.server.on('sessionError', () => {});
  }

  async start(): Promise<this> {
    this.port = await listen(this.server);
    return this;
  }
}

const sockets = new Set<Socket>();
async function listen(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  open.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

function ask(port: number, more: Partial<HttpClientRequest> = {}) {
  return client.request({
    method: 'GET',
    url: `https://localhost:${port}/x?a=b`,
    timeoutMs: 5_000,
    tls: { ca: CERTIFICATE },
    http2: true,
    ...more,
  });
}

const text = ({ body }: { readonly body: Uint8Array }): string => Buffer.from(body).toString();

/** Says what was asked, and by which protocol. */
const echo: Handler = (request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const { httpVersion, method, url, headers } = request;
    const body = Buffer.concat(parts).toString();
    const host = headers[':authority'] ?? headers.host;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ httpVersion, method, url, host, body, x: headers['x-a'] }));
  });
};

describe('a request over TLS', () => {
  it('is sent by HTTP/2 where the server prefers it, all over one connection', async () => {
    const both = await new Both(echo).start();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        ask(both.port, {
          method: 'POST',
          body: `body ${i}`,
          headers: { 'X-A': 'b', Connection: 'close' },
        }),
      ),
    );
    for (const [i, answer] of answers.entries()) {
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(JSON.parse(text(answer))).toEqual({
        httpVersion: '2.0',
        method: 'POST',
        url: '/x?a=b',
        host: `localhost:${both.port}`,
        body: `body ${i}`,
        x: 'b',
      });
    }
    await Promise.all(Array.from({ length: 20 }, () => ask(both.port)));
    expect(both.sessions.filter(({ destroyed }) => !destroyed)).toHaveLength(1);
  });

  it('is sent by HTTP/1.1 when told to, and to servers that know nothing else', async () => {
    const both = await new Both(echo).start();
    for (const http2 of [false, undefined]) {
      const answer = await ask(both.port, http2 === undefined ? { http2: false } : { http2 });
      expect(JSON.parse(text(answer))).toMatchObject({ httpVersion: '1.1' });
    }
    const old = https.createServer(SECRETS, (_, response) => response.end('old'));
    const port = await listen(old);
    let connections = 0;
    old.on('secureConnection', () => connections++);
    for (let i = 0; i < 10; i++) expect(text(await ask(port))).toBe('old');
    expect(connections).toBeLessThan(4);
    const plain = await listen(http.createServer((_, response) => response.end('plain')));
    const url = `http://localhost:${plain}/`;
    expect(text(await ask(plain, { url }))).toBe('plain');
  });

  it('is refused for a certificate that is not the right one, and takes a renewed one', async () => {
    const both = await new Both(echo).start();
    await expect(ask(both.port, { tls: {} })).rejects.toMatchObject({ code: 'BASE.CONNECTION' });
    expect((await ask(both.port)).status).toBe(200);
    // Other settings, such as those of a file that has changed, have a connection of their own.
    await ask(both.port, { tls: { ca: `${CERTIFICATE}\n` } });
    expect(both.sessions).toHaveLength(2);
  });
});

describe('over HTTP/2', () => {
  it('a server that ends the connection in good order ends none that is under way', async () => {
    let count = 0;
    const both = new Both((request, response) => {
      const session = request.stream.session as http2.ServerHttp2Session;
      // As nginx does after keepalive_requests.
      if (++count % 3 === 0) session.close();
      setTimeout(() => echo(request, response), 5);
    });
    await both.start();
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => ask(both.port, { method: 'POST', body: 'once' })),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    }
    expect(count).toBe(50);
    expect(both.sessions.length).toBeGreaterThan(5);
  });

  it('a request that the server did not begin with is sent again, a few times', async () => {
    let refused = 0;
    const both = new Both((request, response) => {
      if (refused < 2 && refused++ < 2) request.stream.close(NGHTTP2_REFUSED_STREAM);
      else echo(request, response);
    });
    await both.start();
    expect((await ask(both.port, { method: 'POST', body: 'x' })).status).toBe(200);
    refused = Number.NEGATIVE_INFINITY;
    await expect(ask(both.port)).rejects.toMatchObject({ code: 'BASE.UNSENT' });
    expect(refused).toBe(Number.NEGATIVE_INFINITY);
  });

  it('a stream that is reset, or ends too early, is an error of that request alone', async () => {
    let count = 0;
    const both = new Both((request, response) => {
      count++;
      if (request.url === '/reset') request.stream.close(NGHTTP2_INTERNAL_ERROR);
      else if (request.url === '/half') {
        response.writeHead(200, { 'content-length': '10' });
        response.write('half');
        setTimeout(() => request.stream.close(), 20);
      } else echo(request, response);
    });
    await both.start();
    const url = (path: string) => ({ url: `https://localhost:${both.port}${path}` });
    for (const path of ['/reset', '/half']) {
      await expect(ask(both.port, url(path))).rejects.toMatchObject({ code: 'BASE.CONNECTION' });
    }
    expect((await ask(both.port)).status).toBe(200);
    expect(count).toBe(3);
    expect(both.sessions).toHaveLength(1);
  });

  it('a connection that dies is an error of what is under way, and the next request makes a new one', async () => {
    const both = new Both((request, response) => {
      if (request.url === '/die') request.stream.session?.destroy();
      else echo(request, response);
    });
    await both.start();
    expect((await ask(both.port)).status).toBe(200);
    const die = { url: `https://localhost:${both.port}/die` };
    await expect(ask(both.port, die)).rejects.toMatchObject({ code: 'BASE.CONNECTION' });
    expect((await ask(both.port)).status).toBe(200);
    expect(both.sessions).toHaveLength(2);
  });

  it('a server that stalls is given up in time, and its connection with it', async () => {
    let stalls = true;
    const both = new Both((request, response) => {
      if (!stalls) echo(request, response);
    });
    await both.start();
    await expect(ask(both.port, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'BASE.TIMEOUT',
    });
    const stop = new AbortController();
    const canceled = ask(both.port, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(canceled).rejects.toMatchObject({ code: 'BASE.CANCELED' });
    stalls = false;
    expect((await ask(both.port)).status).toBe(200);
    expect(both.sessions).toHaveLength(2);
  });

  it('no more than the limit is read of an answer', async () => {
    const both = new Both((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    await both.start();
    await expect(ask(both.port, { maxBodyBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'BASE.ANSWER_TOO_LARGE',
    });
  });

  it('large bodies pass both ways', async () => {
    const both = await new Both((request, response) => request.pipe(response)).start();
    const body = Buffer.alloc(8_000_000, 'x');
    const answer = await ask(both.port, { method: 'POST', body });
    expect(Buffer.compare(answer.body, body)).toBe(0);
  });

  it('an answer to HEAD has no body', async () => {
    const both = new Both((_, response) => {
      response.setHeader('content-length', '5');
      response.end();
    });
    await both.start();
    const answer = await ask(both.port, { method: 'HEAD' });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
  });
});
