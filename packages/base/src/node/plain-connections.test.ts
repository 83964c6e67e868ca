import * as net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpHandler, HttpResponse, Listener } from '../net.ts';
import { serveHttp } from './http-server.ts';
import { plainGet, plainHeaders, plainPost } from './plain-request.ts';

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

describe('a plain POST is answered as node:http answers it', () => {
  const seen: string[] = [];
  let listener: Listener;
  beforeAll(async () => {
    listener = await serveHttp(SERVE, async (request) => {
      const { method, target, headers, remote } = request;
      seen.push(JSON.stringify([method, target, Object.entries(headers).sort(), remote.host]));
      const parts: Uint8Array[] = [];
      if (target === '/stream') for await (const part of request.stream()) parts.push(part);
      else if (target !== '/unread') parts.push(await request.body(30));
      return { status: 200, body: `${Buffer.concat(parts).toString('latin1')}END` };
    });
  });
  afterAll(() => listener.close());
  const isWhole = (text: string): boolean => /END|error|400/.test(text);

  it('with whatever headers and body it comes, in however many packets', async () => {
    const name = fc.constantFrom('Accept', 'X-A', 'content-type', 'Content-Encoding', 'Connection');
    const value = fc.oneof(fc.stringMatching(/^[\t\x20-\x7e]{0,20}$/), fc.constant('keep-alive'));
    const headers = fc.array(fc.tuple(name, value), { maxLength: 4 });
    const body = fc.string({ unit: fc.constantFrom('\r', '\n', ' ', 'x', '\xff'), maxLength: 24 });
    const target = fc.constantFrom('/', '/stream');
    let plainOnes = 0;
    await fc.assert(
      fc.asyncProperty(target, headers, body, fc.nat(30), async (path, more, text, cut) => {
        const lines = more.map(([key, of]) => `${key}:${of}\r\n`);
        lines.splice(cut % (lines.length + 1), 0, `content-Length: ${text.length}\r\n`);
        const head = `POST ${path} HTTP/1.1\r\nhost: a\r\n${lines.join('')}\r\n`;
        const post = plainPost(Buffer.from(head + text, 'latin1'));
        if (post === null || plainHeaders(post.block) === null) return;
        expect(post).toMatchObject({ target: path, bodyAt: head.length, length: text.length });
        plainOnes++;
        seen.length = 0;
        const { port } = listener.address;
        const at = Math.min(cut, text.length);
        const plain = await ask(port, [head + text.slice(0, at), text.slice(at)], isWhole);
        const byNode = await ask(port, [head.slice(0, 9), head.slice(9) + text], isWhole);
        expect(takenApart(plain)).toEqual(takenApart(byNode));
        expect(seen[0]).toBe(seen[1]);
      }),
      { numRuns: 60 },
    );
    expect(plainOnes).toBeGreaterThan(20);
  });

  it('also when nobody reads its body, and the connection goes on', async () => {
    const post = 'POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';
    const text = await ask(listener.address.port, [post, post], (so) => so.split('END').length > 2);
    expect(text.match(/200 OK|: keep-alive|END/g)).toHaveLength(6);
  });

  it.each([
    ['no length', ''],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n'],
    ['a length that is no number', 'Content-Length: 2a\r\n'],
    ['a length with a sign', 'Content-Length: +2\r\n'],
    ['a length behind a bare return', 'X: a\rContent-Length: 2\r\n'],
    ['chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n'],
    ['a wish to be asked first', 'Content-Length: 2\r\nExpect: 100-continue\r\n'],
    ['a wish to close', 'Content-Length: 2\r\nConnection: close\r\n'],
    ['a long head', `Content-Length: 2\r\nX: ${'y'.repeat(17_000)}\r\n`],
  ])('and is none with %s', (_, lines) => {
    const request = `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\nhi`;
    const post = plainPost(Buffer.from(request, 'latin1'));
    expect(post === null ? null : plainHeaders(post.block)).toBe(null);
  });
});

describe('a connection of plain requests', () => {
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
      const chunked =
        'POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\n\r\n';
      const pieces = [
        get('/a'),
        get('/slow'),
        get('/b'),
        post,
        get('/d') + post,
        chunked,
        get('/e'),
      ];
      const text = await ask(port, pieces, (so) => so.includes('/e'));
      expect(text.match(/\w+ \/\w+ \w*;/g)).toEqual([
        'GET /a ;',
        'GET /slow ;',
        'GET /b ;',
        'POST /c hi;',
        'GET /d ;',
        'POST /c hi;',
        'POST /f yo;',
        'GET /e ;',
      ]);
    });
  });

  it('takes what comes behind a body for the next request', async () => {
    const handler: HttpHandler = async (request) => ({
      status: 200,
      body: `${request.target} ${(await request.body(10)).length};`,
    });
    await served(handler, async (port) => {
      const post = (path: string): string =>
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`;
      const all = post('/a') + post('/b') + get('/c');
      const pieces = [all.slice(0, 60), all.slice(60, 130), all.slice(130)];
      const text = await ask(port, pieces, (so) => so.includes('/c'));
      expect(text.match(/\/\w \d;/g)).toEqual(['/a 4;', '/b 4;', '/c 0;']);
    });
  });

  it('refuses a body over the limit of its handler, and reads a large one by node:http', async () => {
    const handler: HttpHandler = async (request) => ({
      status: 200,
      body: `${(await request.body(request.target === '/small' ? 10 : 1_000_000)).length} END`,
    });
    await served(handler, async (port) => {
      const post = (path: string, size: number): string =>
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
      const isWhole = (text: string): boolean => /END|over the limit/.test(text);
      expect(await ask(port, [post('/small', 11)], isWhole)).toContain(
        'over the limit of 10 bytes',
      );
      expect(await ask(port, [post('/large', 300_000)], isWhole)).toContain('300000 END');
    });
  });

  it('ends with a client whose body does not come, or breaks off', async () => {
    let requests = 0;
    const handler: HttpHandler = async () => {
      requests++;
      return { status: 200, body: 'END' };
    };
    const head = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody';
    const listener = await serveHttp({ ...SERVE, readTimeoutMs: 30 }, handler);
    expect(await ask(listener.address.port, [head], () => false)).toMatch(/^HTTP\/1.1 408 /);
    await listener.close();
    await served(handler, async (port) => {
      const answer = new Promise<string>((resolve) => {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
          socket.end(head);
        });
        let text = '';
        socket.on('data', (bytes) => {
          text += bytes.toString('latin1');
        });
        socket.on('close', () => resolve(text));
      });
      expect(await answer).toMatch(/^HTTP\/1.1 400 /);
    });
    expect(requests).toBe(0);
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
