import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, runToEnd, Scratch } from './running-role.ts';

const scratch = new Scratch();
const anyPort = '--web.listen-address=127.0.0.1:0';
const json = { 'content-type': 'application/json' };

/** The roles that keep data, and how each is told where. */
const KEEPERS = [
  {
    role: 'server',
    args: (directory: string) => [
      'server',
      `--config.file=${scratch.file('prometheus.yml', 'scrape_configs: []\n')}`,
      `--storage.tsdb.path=${directory}`,
      anyPort,
    ],
  },
  {
    role: 'alertmanager',
    args: (directory: string) => [
      'alertmanager',
      `--config.file=${scratch.file('alertmanager.yml', 'route: {receiver: a}\nreceivers: [{name: a}]\n')}`,
      `--storage.path=${directory}`,
      '--data.maintenance-interval=200ms',
      '--cluster.listen-address=',
      anyPort,
    ],
  },
  {
    role: 'store',
    args: (directory: string) => [
      'store',
      `--data.dir=${directory}`,
      '--http.bind-address=127.0.0.1:0',
    ],
  },
] as const;

afterAll(() => scratch.remove());

describe('a data directory that cannot be written', () => {
  it.concurrent.each(KEEPERS)('ends $role with its path and the remedy', async ({ role, args }) => {
    const directory = `${scratch.file(`${role}-file`, '')}/data`;
    const { status, stderr } = await runToEnd(args(directory));
    expect(stderr).toContain(directory);
    expect(stderr).toMatch(/cannot be made or written; check /);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(status).toBe(1);
  });
});

describe('a second process on the same data directory', () => {
  it.concurrent.each(KEEPERS)(
    'is refused by $role, and the first goes on',
    async ({ role, args }) => {
      const directory = scratch.at(`${role}-twice`);
      const first = await RunningRole.start(args(directory));
      try {
        const { status, stderr } = await runToEnd(args(directory));
        expect(stderr).toContain(directory);
        expect(stderr).toMatch(
          new RegExp(`in use by process ${first.pid}; stop it or choose another directory`),
        );
        expect(status).toBe(1);
        expect((await first.get('/-/ready')).status).toBe(200);
      } finally {
        expect((await first.end()).status).toBe(0);
      }
      // The lock went with its holder.
      const next = await RunningRole.start(args(directory));
      expect((await next.end()).status).toBe(0);
    },
  );
});

/** A disk of its own, small enough to be filled. */
class SmallDisk {
  readonly path = scratch.at('disk');
  #isMounted = false;

  static canMount(): boolean {
    const disk = new SmallDisk();
    const isPossible = disk.mount();
    disk.unmount();
    return isPossible;
  }

  mount(): boolean {
    mkdirSync(this.path, { recursive: true });
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', this.path]);
    this.#isMounted = status === 0;
    return this.#isMounted;
  }

  fill(): void {
    const ballast = openSync(this.#ballast, 'w');
    let size = 1024 * 1024;
    while (size >= 1) {
      try {
        writeSync(ballast, Buffer.alloc(size));
      } catch {
        size >>= 1;
      }
    }
    closeSync(ballast);
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  unmount(): void {
    if (this.#isMounted) spawnSync('umount', ['-l', this.path]);
    this.#isMounted = false;
  }

  get #ballast(): string {
    return `${this.path}/ballast`;
  }
}

const canMount = SmallDisk.canMount();
const needs = canMount ? '' : ' (needs root to mount a small disk)';

describe.skipIf(!canMount)(`a full disk${needs}`, () => {
  const disk = new SmallDisk();
  const target = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    // Values that do not compress: the last free page of the log is full after few scrapes.
    const noise = Array.from({ length: 200 }, (_, i) => `noise{i="${i}"} ${Math.random()}\n`);
    response.end(`steady_value 1\n${noise.join('')}`);
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    target.close();
    target.closeAllConnections();
  });
  afterEach(() => disk.unmount());

  it.each(KEEPERS)('refuses the start of $role with the reason', async ({ role, args }) => {
    disk.mount();
    disk.fill();
    const directory = `${disk.path}/${role}`;
    const { status, stderr } = await runToEnd(args(directory));
    expect(stderr).toContain(directory);
    expect(stderr).toMatch(/no space left on device/);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(status).toBe(1);
  });

  it('stops a server from storing, never from answering, and it stores again when there is room', async () => {
    disk.mount();
    const { port } = target.address() as AddressInfo;
    const config = scratch.file(
      'scraping.yml',
      `global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
    );
    const args = [
      'server',
      `--config.file=${config}`,
      `--storage.tsdb.path=${disk.path}/server`,
      anyPort,
    ];
    const server = await RunningRole.start(args);
    await newestAfter(server, Date.now());
    disk.fill();
    const stuck = await eventually('the log tells of the full disk', 20_000, async () =>
      /level=(?:WARN|ERROR) .*no space left on device/.test(server.log) ? Date.now() : null,
    );
    // What was stored is still answered, and the role still says it lives.
    expect((await server.query('last_over_time(steady_value[1h])')).length).toBe(1);
    expect((await server.get('/-/healthy')).status).toBe(200);
    expect(server.isRunning).toBe(true);
    disk.free();
    await newestAfter(server, Math.max(stuck, Date.now()));
    const before = await sampleTimes(server);
    expect((await server.end()).status).toBe(0);
    const again = await RunningRole.start(args);
    const after = await sampleTimes(again);
    // What was shown before is there after: nothing that was visible was only in memory.
    expect(after.slice(0, before.length)).toEqual(before);
    expect((await again.end()).status).toBe(0);
  });

  it('stops a store from acknowledging, never from answering, and it takes writes again when there is room', async () => {
    disk.mount();
    const args = KEEPERS[2].args(`${disk.path}/store`);
    const store = await RunningRole.start(args, { INFLUXDB_DB: 'db' });
    let acknowledged = 0;
    const write = async (): Promise<number> => {
      const lines = Array.from(
        { length: 500 },
        (_, i) => `m,row=${i} text="${'x'.repeat(100)}" ${acknowledged + 1}000000000\n`,
      );
      const { status } = await store.post('/write?db=db', lines.join(''));
      if (status === 204) acknowledged++;
      return status;
    };
    expect(await write()).toBe(204);
    disk.fill();
    await eventually('a write is refused', 20_000, async () =>
      (await write()) >= 500 ? true : null,
    );
    expect((await store.get('/ping')).status).toBe(204);
    expect(await countOf(store)).toBe(acknowledged);
    disk.free();
    await eventually('writes are taken again', 10_000, async () =>
      (await write()) === 204 ? true : null,
    );
    expect(await countOf(store)).toBe(acknowledged);
    expect((await store.end()).status).toBe(0);
    const again = await RunningRole.start(args);
    expect(await countOf(again)).toBe(acknowledged);
    expect((await again.end()).status).toBe(0);
  });

  it('costs an alertmanager its snapshots only until there is room', async () => {
    disk.mount();
    const args = KEEPERS[1].args(`${disk.path}/alertmanager`);
    const alertmanager = await RunningRole.start(args);
    disk.fill();
    for (let i = 0; i < 40; i++) {
      expect((await alertmanager.post('/api/v2/silences', silence(i), json)).status).toBe(200);
    }
    await eventually('the log tells of the full disk', 10_000, async () =>
      /level=(?:WARN|ERROR) .*no space left on device/.test(alertmanager.log) ? true : null,
    );
    expect((await alertmanager.get('/-/ready')).status).toBe(200);
    disk.free();
    expect((await alertmanager.end()).status).toBe(0);
    const again = await RunningRole.start(args);
    expect(JSON.parse((await again.get('/api/v2/silences')).text)).toHaveLength(40);
    expect((await again.end()).status).toBe(0);
  });
});

/** Waits for a sample of the target that is newer than `sinceMs`. */
async function newestAfter(server: RunningRole, sinceMs: number): Promise<void> {
  await eventually('a new sample', 15_000, async () => {
    const [sample] = await server.query('timestamp(steady_value)');
    return sample !== undefined && Number(sample.value[1]) * 1_000 > sinceMs ? true : null;
  });
}

async function sampleTimes(server: RunningRole): Promise<number[]> {
  const [series] = (await server.query('steady_value[1h]')) as unknown as {
    values: [number, string][];
  }[];
  return series?.values.map(([time]) => time) ?? [];
}

/** Writes of 500 rows that are whole. */
async function countOf(store: RunningRole): Promise<number> {
  const query = encodeURIComponent('SELECT count(text) FROM m GROUP BY row');
  const { text } = await store.get(`/query?db=db&q=${query}`);
  const { series } = JSON.parse(text).results[0] as { series: { values: [string, number][] }[] };
  const counts = new Set(series.map(({ values }) => values[0]?.[1]));
  expect(series.length).toBe(500);
  expect(counts.size).toBe(1);
  return [...counts][0] ?? 0;
}

function silence(index: number): string {
  return JSON.stringify({
    matchers: [{ name: 'host', value: `h${index}`, isRegex: false }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'test',
    comment: 'x'.repeat(500),
  });
}
