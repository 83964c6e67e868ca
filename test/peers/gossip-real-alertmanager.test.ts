import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { GossipNode, type StateChannel } from '@pollux/gossip';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const BINARY = 'prometheus-alertmanager';
const isInstalled = spawnSync(BINARY, ['--version']).error === undefined;
const title = isInstalled
  ? 'a cluster of our member and a real Alertmanager'
  : `a cluster with a real Alertmanager (skipped: ${BINARY} is not installed; npm run peers installs it)`;

/** Keeps what arrives under a key, and gives what it was told to. */
class Recorder {
  readonly received: Uint8Array[] = [];
  held: Uint8Array = new Uint8Array(0);
  channel: StateChannel | null = null;

  marshal(): Uint8Array {
    return this.held;
  }

  merge(data: Uint8Array): void {
    this.received.push(data.slice());
  }

  has(text: string): boolean {
    return this.received.some((data) => Buffer.from(data).includes(text));
  }
}

describe.skipIf(!isInstalled)(title, () => {
  const directory = mkdtempSync(join(tmpdir(), 'gossip-real-'));
  const silences = new Recorder();
  const log = new Recorder();
  let real: ChildProcess;
  let api: string;
  let ours: GossipNode;
  let output = '';

  beforeAll(async () => {
    const [web, cluster] = await freePorts(2);
    api = `http://127.0.0.1:${web}/api/v2`;
    const config = join(directory, 'alertmanager.yml');
    writeFileSync(config, 'route: {receiver: none}\nreceivers: [{name: none}]\n');
    real = spawn(
      BINARY,
      [
        `--config.file=${config}`,
        `--storage.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${web}`,
        `--cluster.listen-address=127.0.0.1:${cluster}`,
        '--cluster.pushpull-interval=5s',
        '--log.level=debug',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const collect = (data: Buffer): void => {
      output += data.toString();
    };
    real.stdout?.on('data', collect);
    real.stderr?.on('data', collect);
    await until('the real one answers', async () => (await fetch(`${api}/status`)).ok);
    ours = new GossipNode({
      env: nodeEnv(),
      log: Log.silent(),
      registry: new Registry(),
      listen: { host: '127.0.0.1', port: 0 },
      peers: [`127.0.0.1:${cluster}`],
      name: 'zz-ours',
      times: { pushPullIntervalMs: 5_000 },
    });
    silences.channel = ours.addState('sil', silences);
    log.channel = ours.addState('nfl', log);
    await ours.start();
  });

  afterAll(async () => {
    await ours?.close();
    const gone = new Promise((resolve) => real?.once('exit', resolve));
    real?.kill('SIGTERM');
    await gone;
    rmSync(directory, { recursive: true, force: true });
  });

  test('lists both members on both sides', async () => {
    await until('both see both', async () => {
      const names = (await status()).cluster.peers.map((peer) => peer.name);
      return ours.peers().length === 2 && names.length === 2 && names.includes('zz-ours');
    });
    const { cluster } = await status();
    expect(ours.peers().map((peer) => peer.name)).toEqual([cluster.name, 'zz-ours']);
    expect(ours.position()).toBe(1);
    const address = ours.address;
    expect(cluster.peers).toContainEqual({
      name: 'zz-ours',
      address: `127.0.0.1:${address?.port}`,
    });
  });

  test('brings a silence made there to us as a part of sil', async () => {
    await post('small words');
    await until('it is here', async () => silences.has('small words'));
  });

  test('brings a silence too large for a packet to us over TCP', async () => {
    const comment = `large ${'words '.repeat(400)}`;
    await post(comment);
    await until('it is here', async () => silences.has(comment.trim()), 3_000);
  });

  test('brings what we send there, by packet and over TCP', async () => {
    const [first] = silences.received;
    expect(first).toBeDefined();
    for (const [id, comment] of [
      ['11111111-1111-4111-8111-111111111111', 'sent by us'],
      ['22222222-2222-4222-8222-222222222222', `sent by us in large ${'x'.repeat(2_000)}`],
    ] as const) {
      silences.channel?.broadcast(silence(id, comment));
      await until('it is there', async () => {
        const list = (await (await fetch(`${api}/silences`)).json()) as { comment: string }[];
        return list.some((item) => item.comment === comment);
      });
    }
  });

  test('brings what we hold there with the next full exchange', async () => {
    silences.held = silence('33333333-3333-4333-8333-333333333333', 'held by us');
    await until(
      'it is there',
      async () => {
        const list = (await (await fetch(`${api}/silences`)).json()) as { comment: string }[];
        return list.some((item) => item.comment === 'held by us');
      },
      15_000,
    );
  });

  test('stays whole under probes: nobody is suspected in eight seconds', async () => {
    const before = output.length;
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(ours.peers().length).toBe(2);
    expect((await status()).cluster.peers.length).toBe(2);
    expect(output.slice(before)).not.toMatch(/[Ss]uspect|misconfigured|[Ff]ailed/);
  });

  test('calls the real one dead when it hangs, and takes it back when it wakes', async () => {
    real.kill('SIGSTOP');
    await until('it is dead here', async () => ours.peers().length === 1, 9_000);
    real.kill('SIGCONT');
    await until(
      'both see both',
      async () => {
        return ours.peers().length === 2 && (await status()).cluster.peers.length === 2;
      },
      25_000,
    );
    await post('after waking');
    await until('it is here', async () => silences.has('after waking'));
  });

  test('learns at once that we leave', async () => {
    await ours.leave();
    await until('only one is left', async () => (await status()).cluster.peers.length === 1, 3_000);
  });

  type Status = { cluster: { name: string; peers: { name: string; address: string }[] } };

  async function status(): Promise<Status> {
    return (await (await fetch(`${api}/status`)).json()) as Status;
  }

  async function post(comment: string): Promise<void> {
    const now = Date.now();
    const response = await fetch(`${api}/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [{ name: 'a', value: 'b', isRegex: false, isEqual: true }],
        startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + 3_600_000).toISOString(),
        createdBy: 'test',
        comment,
      }),
    });
    expect(response.status).toBe(200);
  }
});

/** A MeshSilence, length-delimited, for the matcher a="b", from now for an hour. */
function silence(id: string, comment: string): Uint8Array {
  const seconds = Math.floor(Date.now() / 1000);
  const body = Buffer.concat([
    field(1, Buffer.from(id)),
    field(2, Buffer.concat([field(2, Buffer.from('a')), field(3, Buffer.from('b'))])),
    field(3, timestamp(seconds)),
    field(4, timestamp(seconds + 3_600)),
    field(5, timestamp(seconds)),
    field(8, Buffer.from('us')),
    field(9, Buffer.from(comment)),
  ]);
  const mesh = Buffer.concat([field(1, body), field(2, timestamp(seconds + 3_600 + 432_000))]);
  return Buffer.concat([varint(mesh.length), mesh]);
}

function field(number: number, data: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(data.length), data]);
}

function timestamp(seconds: number): Buffer {
  return Buffer.concat([varint(8), varint(seconds)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

async function until(
  what: string,
  isDone: () => Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    if (await isDone().catch(() => false)) return;
    if (Date.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
