import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { afterEach, expect, it } from 'vitest';
import { NodeClock } from './clock.ts';

const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** The process gets no processor time. */
function standStill(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

it('fires a timer that is late behind what has arrived meanwhile', async () => {
  const [from, to] = [await bound(), await bound()];
  const order: string[] = [];
  const read = once(to, 'message').then(() => order.push('read'));
  const fired = new Promise<void>((resolve) => {
    new NodeClock().after(10, resolve);
  }).then(() => order.push('fired'));
  from.send('news', to.address().port, '127.0.0.1');
  standStill(100);
  await Promise.all([read, fired]);
  expect(order).toEqual(['read', 'fired']);
});

it('does not fire a late timer that is cancelled while what has arrived is read', async () => {
  const [from, to] = [await bound(), await bound()];
  let hasFired = false;
  const timer = new NodeClock().after(10, () => {
    hasFired = true;
  });
  const read = once(to, 'message').then(() => timer.cancel());
  from.send('news', to.address().port, '127.0.0.1');
  standStill(100);
  await read;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(hasFired).toBe(false);
});

it('fires a timer in its time, and never before', async () => {
  const clock = new NodeClock();
  const startMs = clock.monotonic();
  await new Promise<void>((resolve) => {
    clock.after(15.5, resolve);
  });
  expect(clock.monotonic() - startMs).toBeGreaterThanOrEqual(15.5);
});
