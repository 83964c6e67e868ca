import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { HttpRequest, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TestStore } from '../../test/harness.ts';

const env = nodeEnv();
let store: TestStore;
let listener: Listener;
let status: number;
let hold: Promise<void> | null;
let taken: { target: string; authorization: string | undefined; body: string }[];

beforeEach(async () => {
  status = 204;
  hold = null;
  taken = [];
  const options = { at: { host: '127.0.0.1', port: 0 }, maxConnections: 8, readTimeoutMs: 5_000 };
  listener = await env.net.serveHttp(options, async (request: HttpRequest) => {
    const body = new TextDecoder().decode(await request.body(1_000_000));
    await hold;
    taken.push({ target: request.target, authorization: request.headers.authorization, body });
    return { status };
  });
  store = await new TestStore().open({ INFLUXDB_SUBSCRIBER_WRITE_BUFFER_SIZE: '2' });
  await store.query('CREATE DATABASE d');
});
afterEach(async () => {
  await store.close();
  await listener.close(0);
});

const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000 });
const address = (): string => `127.0.0.1:${listener.address.port}`;
const metric = async (name: string): Promise<number> => {
  for (const family of store.registry.gather()) {
    if (family.name === name) return Number(family.samples[0]?.value);
  }
  return Number.NaN;
};

it('sends what is written, also by INTO, to an HTTP destination with its user', async () => {
  await store.query(
    `CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'http://u:p%40@${address()}'`,
  );
  await store.write('d', 'm,a=b x=1.5,i=2i 1\nm,a=c x=2 2');
  await store.query('SELECT max(x) INTO n FROM m', { db: 'd' });
  await eventually(() => expect(taken.length).toBe(2));
  expect(taken).toEqual([
    {
      target: '/write?consistency=&db=d&precision=ns&rp=autogen',
      authorization: `Basic ${Buffer.from('u:p@').toString('base64')}`,
      body: 'm,a=b x=1.5,i=2i 1\nm,a=c x=2 2\n',
    },
    expect.objectContaining({ body: 'n max=2 2\n' }),
  ]);
  await store.query('DROP SUBSCRIPTION s ON d.autogen');
  await store.write('d', 'm x=3 3');
  expect(await store.query("SHOW STATS FOR 'subscriber'")).toContain('[[0,3,0]]');
});

it('asks the next of ANY when one does not take a batch', async () => {
  await store.query(
    `CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ANY 'http://127.0.0.1:1', 'http://${address()}'`,
  );
  await store.write('d', 'm x=1 1');
  await eventually(() => expect(taken.map(({ body }) => body)).toEqual(['m x=1 1\n']));
  expect(await metric('influxdb_subscriber_write_failures_total')).toBe(1);
});

it('never holds a writer: what does not fit the queue is dropped and counted', async () => {
  await store.query(`CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'http://${address()}'`);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  for (let i = 1; i <= 4; i++) expect((await store.write('d', `m x=1 ${i}`)).status).toBe(204);
  expect(await metric('influxdb_subscriber_dropped_batches_total')).toBe(2);
  expect(await metric('influxdb_subscriber_waiting_bytes')).toBe(16);
  release();
  await eventually(() => expect(taken.length).toBe(2));
  await eventually(async () => expect(await metric('influxdb_subscriber_waiting_bytes')).toBe(0));
});

it('sends datagrams of whole lines to a UDP destination', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const packets: string[] = [];
  socket.on('message', (data) => packets.push(data.toString()));
  try {
    await store.query(
      `CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'udp://127.0.0.1:${socket.address().port}'`,
    );
    const lines = Array.from({ length: 100 }, (_, i) => `m,host=aaaaaaaaaaaaaaaaaaaa x=${i} ${i}`);
    await store.write('d', lines.join('\n'));
    await eventually(() => expect(packets.join('')).toBe(`${lines.join('\n')}\n`));
    expect(packets.length).toBeGreaterThan(1);
    for (const packet of packets) expect(packet.length).toBeLessThanOrEqual(1_400);
  } finally {
    socket.close();
  }
});
