import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  ExchangeError,
  type HttpPool,
  type HttpPoolRequest,
  type HttpPoolResponse,
  StopSource,
} from '../index.ts';
import { NodeNet } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function pool(handler: http.RequestListener, connectTimeoutMs = 2_000): Promise<HttpPool> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return opened(`http://127.0.0.1:${port}`, connectTimeoutMs, () => {
    server.closeAllConnections();
    server.close();
  });
}

function opened(origin: string, connectTimeoutMs: number, close?: () => void): HttpPool {
  const made = new NodeNet().openPool({ origin, connectTimeoutMs, keepAliveMs: 10_000 });
  closers.push(() => made.close(), ...(close === undefined ? [] : [close]));
  return made;
}

const GET: HttpPoolRequest = {
  method: 'GET',
  target: '/',
  headers: {},
  headTimeoutMs: 2_000,
  bodyTimeoutMs: 2_000,
};

async function whole({ body }: HttpPoolResponse): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  let text = '';
  for await (const part of body) text += Buffer.from(part).toString();
  return text;
}

it('gives a body that came with its head in one piece, undecoded, and repeated headers apart', async () => {
  const to = await pool((_, response) => {
    response
      .writeHead(200, { 'set-cookie': ['a', 'b'], 'content-encoding': 'gzip' })
      .end('not gzip');
  });
  const { status, headers, body } = await to.exchange(GET);
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'set-cookie': ['a', 'b'], 'content-encoding': 'gzip' });
  expect(body).toBeInstanceOf(Uint8Array);
  expect(Buffer.from(body as Uint8Array).toString()).toBe('not gzip');
});

it('gives a body that comes later in pieces, each when it comes', async () => {
  let more: () => void = () => {};
  const to = await pool((_, response) => {
    response.write('one ');
    more = () => response.end('two');
  });
  const answer = await to.exchange(GET);
  const pieces: string[] = [];
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
    pieces.push(Buffer.from(piece).toString());
    more();
  }
  expect(pieces).toEqual(['one ', 'two']);
});

it('stops a server whose body nobody takes', async () => {
  let sent = 0;
  const to = await pool((_, response) => {
    const fill = (): void => {
      while (sent < 200_000_000) {
        sent += 100_000;
        if (!response.write(Buffer.alloc(100_000))) return void response.once('drain', fill);
      }
    };
    fill();
  });
  const { body } = await to.exchange(GET);
  await new Promise((resolve) => setTimeout(resolve, 300));
  // What the sockets hold, and a little.
  expect(sent).toBeLessThan(30_000_000);
  await (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]().return?.();
});

it('says whether anything was sent, and on a connection of which age it failed', async () => {
  let count = 0;
  const to = await pool((request, response) => {
    count++;
    if (count === 2) request.socket.destroy();
    else response.end('x');
  });
  await whole(await to.exchange(GET));
  // The connection is free for another exchange a turn later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const kept = await to.exchange(GET).catch((error: unknown) => error);
  expect(kept).toBeInstanceOf(ExchangeError);
  expect(kept).toMatchObject({ isSent: true, isTimeout: false, isKept: true });
  expect(await whole(await to.exchange(GET))).toBe('x');
  const nobody = await opened('http://127.0.0.1:1', 2_000)
    .exchange(GET)
    .catch((error: unknown) => error);
  expect(nobody).toMatchObject({ isSent: false, isTimeout: false, isKept: false });
});

it('gives up a server that is silent before the head or within the body', async () => {
  const to = await pool((request, response) => {
    if (request.url === '/body') response.write('x');
  });
  const silent = to.exchange({ ...GET, headTimeoutMs: 100 });
  await expect(silent).rejects.toMatchObject({ isSent: true, isTimeout: true });
  const answer = await to.exchange({ ...GET, target: '/body', bodyTimeoutMs: 100 });
  await expect(whole(answer)).rejects.toMatchObject({ isTimeout: true });
});

it('ends an exchange when it is no longer wanted, before and within the body', async () => {
  let closedCount = 0;
  const to = await pool((request, response) => {
    response.on('close', () => closedCount++);
    if (request.url === '/body') response.write('x');
  });
  const early = new StopSource();
  const pending = to.exchange({ ...GET, signal: early });
  setTimeout(() => early.abort(new Error('enough')), 50);
  await expect(pending).rejects.toMatchObject({ code: 'BASE.CANCELED' });
  const late = new StopSource();
  const answer = await to.exchange({ ...GET, target: '/body', signal: late });
  setTimeout(() => late.abort(new Error('enough')), 50);
  await expect(whole(answer)).rejects.toMatchObject({ code: 'BASE.CANCELED' });
  await expect.poll(() => closedCount).toBe(2);
});
