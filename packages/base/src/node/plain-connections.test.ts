import * as net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpHandler, HttpResponse, Listener } from '../net.ts';
import { serveHttp } from './http-server.ts';
import { plainGet, plainHeaders } from './plain-get.ts';

const SERVE = { at: { host: '127.0.0.1', port: 0 }, maxConnections: 64, readTimeoutMs: 5_000 };

/** What a server answers to bytes sent in pieces, each a packet of its own, until it is silent. */
function ask(port: number, pieces: readonly string[], isWhole: (text: string) => boolean) {
  return new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.setNoDelay(true);
      const send = (at: number): void => {
        if (at === pieces.length) return;
        socket.write(pieces[at]!, 'latin1');
        setTimeout(send, 5, at + 1);
      };
      send(0);
    });
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (isWhole(text)) done();
    });
    socket.on('end', done);
    socket.on('error', reject);
  });
}

/** Status, headers in order of their names and body; the date differs from second to second. */
function takenApart(text: string) {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [status, ...lines] = head.split('\r\n');
  const headers = lines
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .filter((line) => !line.startsWith('date:'))
    .sort();
  return { status, headers, body: rest.join('\r\n\r\n') };
}

async function* parts(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const ANSWERS: Record<string, () => HttpResponse | Promise<never>> = {
  '/text': () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'plain END' }),
  '/wide': () => ({ status: 200, body: 'ä€😀 END' }),
  '/bytes': () => ({ status: 200, body: Buffer.from([1, 2, 255, ...Buffer.from('END')]) }),
  '/large': () => ({ status: 200, body: Buffer.from(`${'x'.repeat(300_000)}END`) }),
  '/list': () => ({ status: 201, headers: { 'x-a': ['1', '2'], 'X-B': 'c' }, body: 'END' }),
  '/length': () => ({ status: 200, headers: { 'content-length': '3' }, body: 'END' }),
  '/none': () => ({ status: 204, headers: { 'x-end': 'END' }, body: 'not shown' }),
  '/same': () => ({ status: 304, headers: { 'x-end': 'END' } }),
  '/stream': () => ({ status: 200, body: parts('one ', '', 'two END') }),
  '/bad-header': () => ({ status: 200, headers: { 'x-a': 'a\r\nb: c' }, body: 'never' }),
  '/close': () => ({ status: 200, headers: { connection: 'close' }, body: 'END' }),
  '/Close': () => ({ status: 200, headers: { Connection: 'close' }, body: 'END' }),
  '/CLOSE': () => ({ status: 200, headers: { CONNECTION: 'close' }, body: 'END' }),
  '/throws': () => Promise.reject(new Error('it broke END')),
};

describe('a plain GET is answered as node:http answers it', () => {
  const seen: string[] = [];
  let listener: Listener;
  const handler: HttpHandler = async ({ method, target, headers, remote }) => {
    seen.push(JSON.stringify([method, target, Object.entries(headers).sort(), remote.host]));
    return (await ANSWERS[target]?.()) ?? { status: 200, body: 'END' };
  };
  beforeAll(async () => {
    listener = await serveHttp(SERVE, handler);
  });
  afterAll(() => listener.close());
  const askBoth = async (request: string, isWhole: (text: string) => boolean) => {
    // In two packets it is no plain one, and the connection is node:http's.
    const plain = await ask(listener.address.port, [request], isWhole);
    const byNode = await ask(
      listener.address.port,
      [request.slice(0, 9), request.slice(9)],
      isWhole,
    );
    return { plain: takenApart(plain), byNode: takenApart(byNode) };
  };

  it.each(Object.keys(ANSWERS))('%s', async (path) => {
    const isWhole = (text: string): boolean =>
      /END|character/.test(text) && (path !== '/stream' || text.endsWith('0\r\n\r\n'));
    const { plain, byNode } = await askBoth(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, isWhole);
    expect(plain).toEqual(byNode);
  });

  it.each(['/close', '/Close', '/CLOSE'])(
    '%s, and the connection ends behind it however the name is written',
    async (path) => {
      const request = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
      // Never whole, so that only the end of the connection ends the wait.
      const { plain, byNode } = await askBoth(request, () => false);
      expect(plain).toEqual({ ...byNode, headers: plain.headers });
      expect(plain.headers).toContain('connection: close');
    },
  );

  it('with whatever headers and target it comes', async () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
    const known = fc.constantFrom('Accept', 'accept', 'Cookie', 'X-A', 'User-Agent', 'Connection');
    const value = fc.stringMatching(/^[\t\x20-\x7e]{0,20}$/);
    const header = fc.tuple(fc.oneof(token, known), fc.oneof(value, fc.constant('keep-alive')));
    const target = fc.stringMatching(/^\/[\x21-\x7e]{0,20}$/);
    let plainOnes = 0;
    await fc.assert(
      fc.asyncProperty(target, fc.array(header, { maxLength: 5 }), async (path, headers) => {
        const lines = headers.map(([name, text]) => `${name}:${text}\r\n`).join('');
        const request = `GET ${path} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`;
        const get = plainGet(Buffer.from(request, 'latin1'));
        if (get === null || plainHeaders(get.block) === null) return;
        plainOnes++;
        seen.length = 0;
        const { plain, byNode } = await askBoth(request, (text) => /END|Bad/.test(text));
        expect(plain).toEqual(byNode);
        expect(seen[0]).toBe(seen[1]);
      }),
      { numRuns: 60 },
    );
    expect(plainOnes).toBeGreaterThan(20);
  });

  it.each([
    ['a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n'],
    ['chunks', 'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['two of a header', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\nAccept: b\r\n\r\n'],
    ['an empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['a wish to close', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
    ['a control character', 'GET / HTTP/1.1\r\nHost: a\0\r\n\r\n'],
    ['a byte over 127', 'GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n'],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an absolute target', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['another version', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
    ['another method', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['more behind', 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['less than all', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['a long head', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`],
  ])('and is none with %s', (_, request) => {
    const get = plainGet(Buffer.from(request, 'latin1'));
    expect(get === null ? null : plainHeaders(get.block)).toBe(null);
  });
});

describe('a connection of plain GETs', () => {
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const served = async (
    handler: HttpHandler,
    work: (port: number, listener: Listener) => Promise<void>,
  ): Promise<void> => {
    const listener = await serveHttp(SERVE, handler);
    try {
      await work(listener.address.port, listener);
    } finally {
      await listener.close(100);
    }
  };

  it('goes on with requests of every kind, and answers in order what came too soon', async () => {
    const handler: HttpHandler = async (request) => {
      if (request.target === '/slow') await new Promise((resolve) => setTimeout(resolve, 40));
      const body = Buffer.from(await request.body(100)).toString();
      return { status: 200, body: `${request.method} ${request.target} ${body};` };
    };
    await served(handler, async (port) => {
      const post = 'POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
      const pieces = [get('/a'), get('/slow'), get('/b'), post, get('/d'), get('/e')];
      const text = await ask(port, pieces, (so) => so.includes('/e'));
      expect(text.match(/\w+ \/\w+ \w*;/g)).toEqual([
        'GET /a ;',
        'GET /slow ;',
        'GET /b ;',
        'POST /c hi;',
        'GET /d ;',
        'GET /e ;',
      ]);
    });
  });

  it('tells the handler when the client goes away, and outlives one that does', async () => {
    const reasons: string[] = [];
    const handler: HttpHandler = ({ signal, target }) =>
      new Promise((resolve) => {
        if (target === '/next') resolve({ status: 200, body: 'END' });
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as Error).message);
          resolve({ status: 200, body: 'nobody hears' });
        });
      });
    await served(handler, async (port) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(get('/wait')));
      setTimeout(() => socket.destroy(), 30);
      while (reasons.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(reasons).toEqual(['the client closed the connection']);
      expect(await ask(port, [get('/next')], (text) => text.includes('END'))).toContain('200 OK');
    });
  });

  it('ends with its answer when the server closes, and at once when it is idle', async () => {
    let release = (): void => {};
    const handler: HttpHandler = ({ target }) =>
      new Promise((resolve) => {
        release = () => resolve({ status: 200, body: `${target} END` });
        if (target === '/quick') release();
      });
    await served(handler, async (port, listener) => {
      const idle = ask(port, [get('/quick')], () => false);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const busy = ask(port, [get('/busy')], () => false);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const closed = listener.close(2_000);
      expect(await idle).toContain('/quick END');
      release();
      expect(await busy).toMatch(/Connection: close[\s\S]*\/busy END/);
      await closed;
    });
  });

  it('waits for a client that is slow to take its answer', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    await served(
      async () => ({ status: 200, body }),
      async (port) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(get('/')));
        let size = 0;
        await new Promise<void>((resolve) => {
          socket.on('data', (bytes) => {
            size += bytes.length;
            socket.pause();
            setTimeout(() => socket.resume(), 1);
            if (size > body.length) resolve();
          });
        });
        socket.destroy();
      },
    );
  });
});
