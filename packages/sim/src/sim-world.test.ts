import { TimeoutError } from '@pollux/base';
import { describe, expect, test } from 'vitest';
import { SimWorld } from './index.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function twoHosts(seed = 1): {
  world: SimWorld;
  a: ReturnType<SimWorld['addHost']>;
  b: ReturnType<SimWorld['addHost']>;
} {
  const world = new SimWorld({ seed });
  return { world, a: world.addHost('a'), b: world.addHost('b') };
}

/** What a promise came to within a span of simulated time. */
async function within<T>(
  world: SimWorld,
  ms: number,
  work: Promise<T>,
): Promise<T | Error | 'pending'> {
  let result: T | Error | 'pending' = 'pending';
  work.then(
    (value) => {
      result = value;
    },
    (error: unknown) => {
      result = error as Error;
    },
  );
  await world.advance(ms);
  return result;
}

describe('a clock that is wrong', () => {
  test('is ahead for its host alone, also after a power loss, and moves no timer', async () => {
    const { world, a, b } = twoHosts();
    world.setClock('a', 5_000);
    expect(a.env.clock.now() - b.env.clock.now()).toBe(5_000);
    let fired = false;
    a.env.clock.after(1_000, () => {
      fired = true;
    });
    await world.advance(999);
    expect(fired).toBe(false);
    await world.advance(1);
    expect(fired).toBe(true);
    expect(world.crash('a').env.clock.now() - world.clock.now()).toBe(5_000);
  });
});

describe('datagrams', () => {
  test('pass one way while the other is cut', async () => {
    const { world, a, b } = twoHosts();
    const heard: string[] = [];
    const at = { host: '0.0.0.0', port: 53 };
    const ofA = await a.env.net.bindUdp(at, (data) => heard.push(`a ${text(data)}`));
    const ofB = await b.env.net.bindUdp(at, (data) => heard.push(`b ${text(data)}`));
    world.network.setWay('a', 'b', { isCut: true });
    ofA.send(utf8('lost'), { host: 'b', port: 53 });
    ofB.send(utf8('passes'), { host: 'a', port: 53 });
    await world.advance(10);
    expect(heard).toEqual(['a passes']);
  });

  test('arrive with their sender, and only where somebody listens', async () => {
    const { world, a, b } = twoHosts();
    const heard: string[] = [];
    await b.env.net.bindUdp({ host: '0.0.0.0', port: 53 }, (data, from) =>
      heard.push(`${text(data)} ${from.host}:${from.port}`),
    );
    const socket = await a.env.net.bindUdp({ host: a.ip, port: 1000 }, () => {});
    socket.send(utf8('hi'), { host: b.ip, port: 53 });
    socket.send(utf8('nobody'), { host: b.ip, port: 54 });
    socket.send(utf8('named'), { host: 'b', port: 53 });
    await world.advance(10);
    expect(heard.sort()).toEqual(['hi 10.0.0.1:1000', 'named 10.0.0.1:1000']);
  });

  test('are lost and doubled at the rate of their link', async () => {
    const { world, a, b } = twoHosts();
    let count = 0;
    await b.env.net.bindUdp({ host: b.ip, port: 53 }, () => count++);
    const socket = await a.env.net.bindUdp({ host: a.ip, port: 0 }, () => {});
    world.network.setLink('a', 'b', { loss: 0.5 });
    for (let i = 0; i < 1000; i++) socket.send(utf8('x'), { host: b.ip, port: 53 });
    await world.advance(10);
    expect(count).toBeGreaterThan(430);
    expect(count).toBeLessThan(570);
    world.network.setLink('a', 'b', { loss: 0, duplication: 1 });
    count = 0;
    for (let i = 0; i < 10; i++) socket.send(utf8('x'), { host: b.ip, port: 53 });
    await world.advance(10);
    expect(count).toBe(20);
    world.network.partition(['a'], ['b']);
    socket.send(utf8('x'), { host: b.ip, port: 53 });
    await world.advance(10);
    expect(count).toBe(20);
  });
});

describe('streams', () => {
  test('carry bytes in order both ways, through a cut link once it is mended', async () => {
    const { world, a, b } = twoHosts();
    const got: string[] = [];
    await b.env.net.listenTcp({ host: b.ip, port: 80 }, async (connection) => {
      for (
        let data = await connection.read(60_000);
        data !== null;
        data = await connection.read(60_000)
      ) {
        got.push(text(data));
        await connection.write(utf8(`echo ${text(data)}`));
      }
      got.push('end');
    });
    const opening = within(
      world,
      10,
      a.env.net.connectTcp({ host: 'b', port: 80 }, { timeoutMs: 100 }),
    );
    const connection = await opening;
    if (connection === 'pending' || connection instanceof Error) throw new Error('no connection');
    await connection.write(utf8('one'));
    expect(await within(world, 20, connection.read(50))).toEqual(utf8('echo one'));
    world.network.partition(['a'], ['b']);
    await connection.write(utf8('two'));
    const waiting = await within(world, 1_000, connection.read(500));
    expect(waiting).toBeInstanceOf(TimeoutError);
    expect(got).toEqual(['one']);
    world.network.heal();
    expect(await within(world, 1_000, connection.read(900))).toEqual(utf8('echo two'));
    connection.close();
    await world.advance(10);
    expect(got).toEqual(['one', 'two', 'end']);
  });

  test('are refused where nobody listens and time out where nobody is', async () => {
    const { world, a, b } = twoHosts();
    const refused = await within(
      world,
      50,
      a.env.net.connectTcp({ host: b.ip, port: 1 }, { timeoutMs: 1_000 }),
    );
    expect(refused).toMatchObject({ code: 'BASE.CONNECTION', cause: { code: 'ECONNREFUSED' } });
    world.network.partition(['a'], ['b']);
    const silent = await within(
      world,
      1_100,
      a.env.net.connectTcp({ host: b.ip, port: 1 }, { timeoutMs: 1_000 }),
    );
    expect(silent).toBeInstanceOf(TimeoutError);
  });

  test('break when the other host loses its power', async () => {
    const { world, a, b } = twoHosts();
    await b.env.net.listenTcp({ host: b.ip, port: 80 }, () => {});
    const connection = await within(
      world,
      10,
      a.env.net.connectTcp({ host: b.ip, port: 80 }, { timeoutMs: 100 }),
    );
    if (connection === 'pending' || connection instanceof Error) throw new Error('no connection');
    const reading = connection.read(10_000);
    world.crash('b');
    expect(await within(world, 50, reading)).toMatchObject({ code: 'BASE.CONNECTION' });
  });
});

describe('HTTP', () => {
  test('brings a request there and the answer back', async () => {
    const { world, a, b } = twoHosts();
    await b.env.net.serveHttp(
      { at: { host: b.ip, port: 9093 }, maxConnections: 9, readTimeoutMs: 1_000 },
      async (request) => ({
        status: 201,
        headers: { 'X-Answer': ['1', '2'] },
        body: `${request.method} ${request.target} ${text(await request.body(100))}`,
      }),
    );
    const request = { method: 'POST', url: 'http://b:9093/x?y=1', body: 'hello', timeoutMs: 1_000 };
    const answer = await within(world, 20, a.env.net.request(request));
    expect(answer).toMatchObject({ status: 201, headers: { 'x-answer': '1, 2' } });
    expect(text((answer as { body: Uint8Array }).body)).toBe('POST /x?y=1 hello');
    const nobody = await within(world, 20, a.env.net.request({ ...request, url: 'http://b:1/' }));
    expect(nobody).toMatchObject({ code: 'BASE.CONNECTION', cause: { code: 'ECONNREFUSED' } });
    world.network.partition(['a'], ['b']);
    expect(await within(world, 2_000, a.env.net.request(request))).toBeInstanceOf(TimeoutError);
  });
});

describe('a disk', () => {
  test('keeps through a power loss what was synced, and nothing else', () => {
    const { world, a } = twoHosts();
    const { files } = a.env;
    files.makeDirectory('/data');
    const log = files.open('/data/log', 'a');
    log.write(utf8('safe'), 0, 4, null);
    log.sync();
    files.syncDirectory('/data');
    log.write(utf8(' lost'), 0, 5, null);
    files.replaceFile('/data/state', 'whole');
    files.open('/data/unsynced-name', 'w').sync();
    files.rename('/data/state', '/data/renamed');
    const after = world.crash('a').env.files;
    expect(after.list('/data')).toEqual(['log', 'state']);
    expect(text(after.readFile('/data/log'))).toBe('safe');
    expect(text(after.readFile('/data/state'))).toBe('whole');
  });

  test('behaves as a disk does', () => {
    const { files } = twoHosts().a.env;
    files.makeDirectory('/d/e');
    expect(() => files.open('/nowhere/x', 'w')).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
    expect(() => files.readFile('/d/x')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    files.open('/d/x', 'wx').write(utf8('abcdef'), 1, 3, 2);
    expect([...files.readFile('/d/x')]).toEqual([0, 0, ...utf8('bcd')]);
    expect(() => files.open('/d/x', 'wx')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    files.link('/d/x', '/d/y');
    files.remove('/d/x');
    const file = files.open('/d/y', 'r+');
    file.truncate(3);
    expect(file.size()).toBe(3);
    const target = new Uint8Array(8);
    expect(file.read(target, 1, 7, 2)).toBe(1);
    files.rename('/d', '/f');
    expect(files.list('/f')).toEqual(['e', 'y']);
    files.removeTree('/f');
    expect(files.exists('/f/y')).toBe(false);
  });
});

describe('a crash', () => {
  test('ends the timers and sockets of the life before, and of no other', async () => {
    const { world, a, b } = twoHosts();
    const fired: string[] = [];
    a.env.clock.after(10, () => fired.push('a'));
    b.env.clock.after(10, () => fired.push('b'));
    await a.env.net.bindUdp({ host: a.ip, port: 53 }, () => fired.push('old'));
    const reborn = world.crash('a');
    await reborn.env.net.bindUdp({ host: a.ip, port: 53 }, () => fired.push('new'));
    const socket = await b.env.net.bindUdp({ host: b.ip, port: 0 }, () => {});
    socket.send(utf8('x'), { host: a.ip, port: 53 });
    await world.advance(20);
    expect(fired.sort()).toEqual(['b', 'new']);
  });
});
