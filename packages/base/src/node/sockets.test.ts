import { afterEach, describe, expect, it } from 'vitest';
import type { Listener, TcpConnection } from '../index.ts';
import { NodeNet } from './index.ts';

const net = new NodeNet();
const LOCAL = { host: '127.0.0.1', port: 0 };
const listeners: Listener[] = [];
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});

async function pair(): Promise<{ near: TcpConnection; far: TcpConnection }> {
  let accept: (connection: TcpConnection) => void = () => {};
  const accepted = new Promise<TcpConnection>((resolve) => {
    accept = resolve;
  });
  const listener = await net.listenTcp(LOCAL, (connection) => accept(connection));
  listeners.push(listener);
  const near = await net.connectTcp(listener.address, { timeoutMs: 1_000 });
  return { near, far: await accepted };
}

describe('TCP', () => {
  it('loses no bytes between reads and ends with null', async () => {
    const { near, far } = await pair();
    const sent = Buffer.alloc(300_000, 'pollux ');
    const writing = (async () => {
      for (let at = 0; at < sent.length; at += 10_007)
        await near.write(sent.subarray(at, at + 10_007));
      near.close();
    })();
    const parts: Uint8Array[] = [];
    for (let part = await far.read(1_000); part !== null; part = await far.read(1_000)) {
      parts.push(part);
      if (parts.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    expect(await far.read(1_000)).toBeNull();
    far.close();
    far.close();
  });

  it('gives up a read in time, and reads on afterwards', async () => {
    const { near, far } = await pair();
    await expect(far.read(20)).rejects.toMatchObject({ code: 'BASE.TIMEOUT' });
    const reading = far.read(1_000);
    await near.write(Uint8Array.of(7));
    expect(await reading).toEqual(Buffer.from([7]));
    near.close();
    far.close();
  });

  it('ends a waiting read when the connection is closed here', async () => {
    const { near, far } = await pair();
    const reading = near.read(5_000);
    near.close();
    far.close();
    expect(await reading).toBeNull();
    await expect(near.write(Uint8Array.of(1))).rejects.toThrow();
  });

  it('names whom it could not reach, and stops at once when told to', async () => {
    const listener = await net.listenTcp(LOCAL, () => {});
    await listener.close();
    await expect(net.connectTcp(listener.address, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'BASE.CONNECTION',
      message: `connect 127.0.0.1:${listener.address.port}`,
    });
    const signal = AbortSignal.abort();
    await expect(
      net.connectTcp(listener.address, { timeoutMs: 1_000, signal }),
    ).rejects.toMatchObject({
      code: 'BASE.CANCELED',
    });
    await expect(
      net.connectTcp({ host: '127.0.0.1', port: 70_000 }, { timeoutMs: 1 }),
    ).rejects.toThrow();
  });
});

describe('UDP', () => {
  it('carries packets, and survives sends to nowhere and after the close', async () => {
    let arrived: (text: string) => void = () => {};
    const packet = new Promise<string>((resolve) => {
      arrived = resolve;
    });
    const far = await net.bindUdp(LOCAL, (data) => arrived(Buffer.from(data).toString()));
    const near = await net.bindUdp(LOCAL, () => {});
    for (const port of [0, 70_000]) near.send(Uint8Array.of(1), { host: '127.0.0.1', port });
    near.send(Buffer.from('hello'), far.address);
    expect(await packet).toBe('hello');
    await expect(net.bindUdp(far.address, () => {})).rejects.toThrow('EADDRINUSE');
    await near.close();
    await near.close();
    near.send(Uint8Array.of(1), far.address);
    await far.close();
  });
});
