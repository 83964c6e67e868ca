import * as http from 'node:http';
import * as net from 'node:net';
import * as zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpHandler, HttpRequest, HttpResponse, Listener } from '../index.ts';
import { NodeNet } from './index.ts';

let client: NodeNet;
const listeners: Listener[] = [];
beforeEach(() => {
  client = new NodeNet();
});
afterEach(async () => {
  await client.close();
  await Promise.all(listeners.splice(0).map((listener) => listener.close(0)));
});

async function serve(handler: HttpHandler, readTimeoutMs = 5_000): Promise<number> {
  const options = { at: { host: '127.0.0.1', port: 0 }, maxConnections: 50, readTimeoutMs };
  const listener = await client.serveHttp(options, handler);
  listeners.push(listener);
  return listener.address.port;
}

/** Sends the text over one connection and gives all that came back until the server closed it or fell silent. */
function talk(port: number, ...parts: string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let seen = '';
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('data', (data) => {
      seen += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(seen));
    for (const part of parts) socket.write(part);
  });
}

const text = (body: string): HttpResponse => ({
  status: 200,
  headers: { 'content-type': 'text/plain' },
  body,
});

describe('the HTTP server', () => {
  it('keeps a connection for the next request', async () => {
    const port = await serve(async (request) => text(request.target));
    const get = (path: string, more = ''): string =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const seen = await talk(port, get('/a'), get('/b', 'Connection: close\r\n'));
    expect(seen.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
    expect(seen.match(/connection: close/gi)).toHaveLength(1);
  });

  it('answers HEAD with the length and without the body, 204 with neither', async () => {
    let isReturned = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      isReturned = true;
      yield Buffer.from('streamed');
    }
    const port = await serve(async ({ target }) => {
      if (target === '/none') return { status: 204 };
      return target === '/stream' ? { status: 200, body: body() } : text('four');
    });
    const head = await talk(port, 'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(head).toMatch(/content-length: 4\r\n/i);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
    const none = await talk(port, 'GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(none).toMatch(/^HTTP\/1.1 204/);
    expect(none.toLowerCase()).not.toContain('content-length');
    expect(
      await talk(port, 'HEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    ).not.toContain('streamed');
    expect(isReturned).toBe(false);
  });

  it.each(['sync', 'async'])(
    'turns a handler that throws (%s) into a 500 and goes on',
    async (kind) => {
      const port = await serve(((request: HttpRequest) => {
        if (request.target === '/ok') return Promise.resolve(text('fine'));
        if (kind === 'sync') throw new Error('oops');
        return Promise.reject(new Error('oops'));
      }) as HttpHandler);
      const url = `http://127.0.0.1:${port}`;
      const failed = await client.request({ method: 'GET', url: `${url}/x`, timeoutMs: 2_000 });
      expect([failed.status, Buffer.from(failed.body).toString()]).toEqual([
        500,
        'internal error: oops\n',
      ]);
      expect(
        (await client.request({ method: 'GET', url: `${url}/ok`, timeoutMs: 2_000 })).status,
      ).toBe(200);
    },
  );

  it('never lets a header value break the answer into two', async () => {
    const port = await serve(async () => ({
      status: 200,
      headers: {
        'content-length': '3',
        'content-encoding': 'gzip',
        'x-name': 'a\r\nset-cookie: b=c',
      },
      body: 'abc',
    }));
    const seen = await talk(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(seen).toMatch(/^HTTP\/1.1 500/);
    expect(seen).not.toContain('set-cookie');
    expect(seen.toLowerCase()).not.toContain('content-encoding');
    expect(
      Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? seen.split('\r\n\r\n')[1]?.length),
    ).toBeGreaterThan(3);
  });

  it.each(['declared', 'chunked'])(
    'answers 413 to a body over the limit (%s) instead of cutting the line',
    async (kind) => {
      const port = await serve(async (request) => {
        try {
          await request.body(1_000);
          return text('read');
        } catch (error) {
          return { status: 413, body: (error as Error).message };
        }
      });
      const size = 200_000;
      const lines = ['POST / HTTP/1.1', 'Host: x'];
      if (kind === 'declared') lines.push(`Content-Length: ${size}`);
      else lines.push('Transfer-Encoding: chunked');
      const body = 'x'.repeat(size);
      const sent = kind === 'declared' ? body : `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      const seen = await talk(port, `${lines.join('\r\n')}\r\n\r\n`, sent);
      expect(seen).toMatch(/^HTTP\/1.1 413/);
      expect(seen).toContain('request body over the limit of 1000 bytes');
    },
  );

  it('gives its refusal also to a client that reads only after all is sent', async () => {
    const port = await serve(async () => ({ status: 413, body: 'too much' }));
    const socket = net.connect(port, '127.0.0.1');
    socket.pause();
    const errors: string[] = [];
    socket.on('error', (error) => errors.push(error.message));
    const part = Buffer.alloc(256 * 1024);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${20 * part.length}\r\n\r\n`);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => socket.write(part, resolve));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    let seen = '';
    await new Promise((resolve) => {
      socket.on('data', (data) => {
        seen += data.toString('latin1');
      });
      socket.once('close', resolve);
      socket.resume();
    });
    expect(errors).toEqual([]);
    expect(seen).toMatch(/^HTTP\/1.1 413 [\s\S]*too much$/);
  });

  it('refuses to read a body twice rather than to find it empty', async () => {
    const port = await serve(async (request) => {
      await request.body(100);
      return text(Buffer.from(await request.body(100)).toString());
    });
    const url = `http://127.0.0.1:${port}/`;
    const answer = await client.request({ method: 'POST', url, body: 'once', timeoutMs: 2_000 });
    expect(answer.status).toBe(500);
  });

  it('rejects the body of a client that left before or while it was read', async () => {
    for (const waitMs of [0, 200]) {
      let ended: (error: unknown) => void = () => {};
      const outcome = new Promise((resolve) => {
        ended = resolve;
      });
      const port = await serve(async (request) => {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        await request.body(1_000_000).then(() => ended('read'), ended);
        return text('');
      });
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nhalf');
      setTimeout(() => socket.destroy(), 50);
      expect(await outcome).toBeInstanceOf(Error);
    }
  });

  it('tells the handler of a client that left, also in the middle of a body', async () => {
    let gone: (why: string) => void = () => {};
    const left = new Promise<string>((resolve) => {
      gone = resolve;
    });
    const port = await serve((request) => {
      request.signal.addEventListener('abort', () => gone(String(request.signal.reason)));
      return request.target === '/body'
        ? request.body(1_000_000).then(() => text(''))
        : new Promise(() => {});
    });
    for (const head of [
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      'POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nabc',
    ]) {
      const socket = net.connect(port, '127.0.0.1');
      socket.write(head);
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.resetAndDestroy();
      expect(await left).toContain('the client closed the connection');
    }
  });

  it('cuts off a client that takes nothing of a streamed answer', async () => {
    let isEnded = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(1 << 20);
      } finally {
        isEnded = true;
      }
    }
    const port = await serve(async () => ({ status: 200, body: endless() }), 200);
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    socket.pause();
    await expect.poll(() => isEnded, { timeout: 3_000 }).toBe(true);
    socket.destroy();
  });

  it('answers garbage with 400', async () => {
    const port = await serve(async () => text(''));
    expect(await talk(port, 'no http at all\r\n\r\n')).toMatch(/^HTTP\/1.1 400 Bad Request/);
  });

  it('reports a port that is taken, and a certificate that is none, as rejections', async () => {
    const port = await serve(async () => text(''));
    const options = { maxConnections: 1, readTimeoutMs: 1_000 };
    const at = { host: '127.0.0.1', port };
    await expect(client.serveHttp({ ...options, at }, async () => text(''))).rejects.toThrow(
      'EADDRINUSE',
    );
    const tls = { certificate: 'no', key: 'no' };
    await expect(client.serveHttp({ ...options, at, tls }, async () => text(''))).rejects.toThrow();
  });
});

/** A peer that answers as told, byte for byte. */
async function peer(
  answer: (request: http.IncomingMessage, response: http.ServerResponse) => void,
): Promise<string> {
  const server = http.createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  listeners.push({
    address: { host: '127.0.0.1', port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  return `127.0.0.1:${port}`;
}

describe('the HTTP client', () => {
  it('unpacks what is compressed, and takes the empty answer to a HEAD', async () => {
    const at = await peer((request, response) => {
      const kind = request.headers['x-kind'] as string;
      const data = kind === 'deflate' ? zlib.deflateSync('hello') : zlib.gzipSync('hello');
      response.writeHead(200, { 'content-encoding': kind });
      response.end(data);
    });
    for (const kind of ['gzip', 'GZIP', 'x-gzip', 'deflate']) {
      const request = { url: `http://${at}/`, headers: { 'x-kind': kind }, timeoutMs: 2_000 };
      const got = await client.request({ ...request, method: 'GET' });
      expect(Buffer.from(got.body).toString()).toBe('hello');
      expect((await client.request({ ...request, method: 'HEAD' })).body).toHaveLength(0);
    }
  });

  it('refuses answers over the limit, packed or not, and rubbish', async () => {
    const at = await peer((request, response) => {
      if (request.url === '/bomb') {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(zlib.gzipSync(Buffer.alloc(1 << 20)));
      } else if (request.url === '/rubbish') {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end('no gzip');
      } else response.end(Buffer.alloc(1 << 20));
    });
    const get = (path: string): Promise<unknown> =>
      client.request({
        method: 'GET',
        url: `http://${at}${path}`,
        timeoutMs: 2_000,
        maxBodyBytes: 1_000,
      });
    await expect(get('/')).rejects.toMatchObject({ code: 'BASE.ANSWER_TOO_LARGE' });
    await expect(get('/bomb')).rejects.toMatchObject({ code: 'BASE.ANSWER_TOO_LARGE' });
    await expect(get('/rubbish')).rejects.toMatchObject({ code: 'BASE.CONNECTION' });
  });

  it('bounds the whole exchange, also by fractions of a millisecond, and keeps nothing of it', async () => {
    const at = await peer((request, response) => {
      if (request.url === '/half') response.write('half');
    });
    for (const path of ['/', '/half']) {
      const request = { method: 'GET', url: `http://${at}${path}?p=hunter2`, timeoutMs: 60.5 };
      const refused = client.request(request);
      await expect(refused).rejects.toMatchObject({ code: 'BASE.TIMEOUT' });
      await expect(refused).rejects.not.toThrow('hunter2');
    }
    const abort = new AbortController();
    const running = client.request({
      method: 'GET',
      url: `http://${at}/`,
      timeoutMs: 2 ** 40,
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 20);
    await expect(running).rejects.toMatchObject({ code: 'BASE.CANCELED' });
  });

  it('bounds it also while no connection comes about', async () => {
    const sockets: net.Socket[] = [];
    // Until its handshake is answered, a connection is one that is still being made.
    const silent = net.createServer((socket) => sockets.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as net.AddressInfo;
    const url = `https://127.0.0.1:${port}/`;
    const began = performance.now();
    const request = { method: 'GET', url, timeoutMs: 80 };
    await expect(client.request(request)).rejects.toMatchObject({ code: 'BASE.TIMEOUT' });
    const abort = new AbortController();
    const running = client.request({ ...request, timeoutMs: 60_000, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(running).rejects.toMatchObject({ code: 'BASE.CANCELED' });
    const gone = client.request({ ...request, timeoutMs: 60_000, signal: abort.signal });
    await expect(gone).rejects.toMatchObject({ code: 'BASE.CANCELED' });
    // undici gives a connection up after ten seconds.
    expect(performance.now() - began).toBeLessThan(5_000);
    await client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('sends user and password of the address as Basic authentication, unless the request has its own', async () => {
    const at = await peer((request, response) =>
      response.end(request.headers.authorization ?? 'none'),
    );
    const get = async (url: string, headers = {}): Promise<string> =>
      Buffer.from(
        (await client.request({ method: 'GET', url, headers, timeoutMs: 2_000 })).body,
      ).toString();
    expect(await get(`http://u%40x:p:1@${at}/`)).toBe(
      `Basic ${Buffer.from('u@x:p:1').toString('base64')}`,
    );
    expect(await get(`http://u:p@${at}/`, { Authorization: 'Bearer t' })).toBe('Bearer t');
    expect(await get(`http://${at}/`)).toBe('none');
  });

  it('never sends a header that would be two, nor says its value', async () => {
    const at = await peer((_, response) => response.end());
    const request = {
      method: 'GET',
      url: `http://${at}/`,
      headers: { authorization: 'Bearer hunter2\r\nx: y' },
      timeoutMs: 2_000,
    };
    const error = await client.request(request).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'BASE.CONNECTION' });
    expect(String((error as Error).cause)).not.toContain('hunter2');
  });

  it('turns a refused connection and an address that is none into errors of operation', async () => {
    for (const url of ['http://127.0.0.1:1/secret', 'no address']) {
      const refused = client.request({ method: 'GET', url, timeoutMs: 2_000 });
      await expect(refused).rejects.toMatchObject({ code: 'BASE.CONNECTION' });
      await expect(refused).rejects.not.toThrow('secret');
    }
  });
});

describe('requests for another protocol', () => {
  const offer = (path: string, protocol: string, more = ''): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AA\r\n${more}\r\n`;

  async function serveUpgrades(handler: HttpHandler): Promise<Listener> {
    const at = { host: '127.0.0.1', port: 0 };
    const options = { at, maxConnections: 50, readTimeoutMs: 5_000, takesUpgrades: true };
    const listener = await client.serveHttp(options, handler);
    listeners.push(listener);
    return listener;
  }

  it('get the connection when the answer takes it, and it ends with the server', async () => {
    const listener = await serveUpgrades(async () => ({
      status: 101,
      takeOver: (connection) => {
        void connection.write(Buffer.from('hello\n')).then(async () => {
          const heard = await connection.read(2_000);
          await connection.write(Buffer.concat([Buffer.from('heard '), heard ?? Buffer.alloc(0)]));
        });
      },
    }));
    const socket = net.connect(listener.address.port, '127.0.0.1');
    let seen = '';
    socket.on('data', (data) => {
      seen += data.toString();
      if (seen === 'hello\n') socket.write('you');
    });
    socket.write(offer('/', 'echo'));
    await expect.poll(() => seen).toBe('hello\nheard you');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    await listener.close(50);
    await ended;
  });

  it('are answered plainly when nobody takes them', async () => {
    const { address } = await serveUpgrades(async () => ({ status: 404, body: 'no' }));
    const seen = await talk(address.port, offer('/', 'echo'));
    expect(seen).toMatch(/^HTTP\/1.1 404 Not Found\r\n[\s\S]*\r\n\r\nno$/);
  });

  it('are told of a handler that throws, and their resets end nothing', async () => {
    const { address } = await serveUpgrades(async () => {
      throw new Error('no such protocol');
    });
    const seen = await talk(address.port, offer('/', 'echo'));
    expect(seen).toMatch(/^HTTP\/1.1 500 [\s\S]*\r\n\r\ninternal error: no such protocol\n$/);
    const socket = net.connect(address.port, '127.0.0.1');
    socket.write(offer('/', 'echo'), () => socket.resetAndDestroy());
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await talk(address.port, offer('/', 'echo'))).toContain('no such protocol');
  });

  it('are read as they are, body and all, when they only offer HTTP/2', async () => {
    const { address } = await serveUpgrades(async (request) =>
      text(`${request.method} ${Buffer.from(await request.body(100)).toString()}`),
    );
    const seen = await talk(
      address.port,
      `${offer('/', 'h2c', 'Content-Length: 5\r\n')}he`,
      'llo',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(seen).toContain('POST hello');
    expect(seen).toMatch(/GET $/);
  });
});
