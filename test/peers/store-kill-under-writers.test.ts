import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { freePort } from './real-prometheus.ts';

const hasVmagent = spawnSync('sh', ['-c', 'command -v vmagent']).status === 0;
const SKIPPED = hasVmagent ? '' : ' (skipped: no vmagent here; run `npm run peers`)';
const KILLS = 3;
/** Lines in a batch of the writer, as an agent collects them before it sends. */
const BATCH = 50;
const FIRST_S = 1_700_000_000;

let scratch: Scratch;
let close: (() => Promise<unknown>)[];
beforeEach(() => {
  scratch = new Scratch();
  close = [async () => scratch.remove()];
});
afterEach(async () => {
  for (const each of close.reverse()) await each();
});

/** A store that is killed and started again where it was. */
class KilledStore {
  readonly #args: readonly string[];
  role: RunningRole;

  private constructor(args: readonly string[], role: RunningRole) {
    this.#args = args;
    this.role = role;
  }

  static async start(): Promise<KilledStore> {
    const port = await freePort();
    const args = [
      'store',
      `--data.dir=${scratch.at('store')}`,
      `--http.bind-address=127.0.0.1:${port}`,
    ];
    const store = new KilledStore(args, await RunningRole.start(args, { INFLUXDB_DB: 'db' }));
    close.push(() => store.role.end());
    return store;
  }

  async kill(): Promise<void> {
    await this.role.end('SIGKILL');
    this.role = await RunningRole.start(this.#args);
  }

  async values(statement: string): Promise<number[][]> {
    const search = new URLSearchParams({ db: 'db', epoch: 's', q: statement });
    const { text } = await this.role.get(`/query?${search}`);
    const { results } = JSON.parse(text) as { results: { series?: { values: number[][] }[] }[] };
    return results[0]?.series?.[0]?.values ?? [];
  }
}

/** Sends batch after batch, each until it is acknowledged, as agents of line protocol do. */
async function writeBatches(
  store: KilledStore,
  told: { acknowledged: number; refusals: number[] },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const first = told.acknowledged * BATCH;
    const lines = Array.from(
      { length: BATCH },
      (_, i) => `m,host=a count=${first + i}i,load=${(first + i) / 4} ${FIRST_S + first + i}\n`,
    );
    try {
      const { status } = await store.role.post('/write?db=db&precision=s', lines.join(''));
      if (status === 204) told.acknowledged++;
      else told.refusals.push(status);
    } catch {
      // The store is being killed or started: the batch is sent again.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe('a store that is killed under its writers', () => {
  it('has all batches that it acknowledged, each once', { timeout: 120_000 }, async () => {
    const store = await KilledStore.start();
    const told = { acknowledged: 0, refusals: [] as number[] };
    const stop = new AbortController();
    const writing = writeBatches(store, told, stop.signal);
    const more = async (): Promise<void> => {
      const before = told.acknowledged;
      await eventually('more batches', 30_000, async () =>
        told.acknowledged >= before + 10 ? true : null,
      );
    };
    for (let i = 0; i < KILLS; i++) {
      await more();
      await store.kill();
    }
    await more();
    stop.abort();
    await writing;
    expect(told.refusals.filter((status) => status < 500)).toEqual([]);
    const rows = await store.values('SELECT count, load FROM m');
    const counts = rows.map(([time, count, load]) => {
      expect([time! - FIRST_S, load]).toEqual([count, count! / 4]);
      return count;
    });
    expect(counts).toEqual(Array.from({ length: counts.length }, (_, i) => i));
    expect(counts.length).toBe(told.acknowledged * BATCH);
  });

  it.skipIf(!hasVmagent)(
    `has every scrape of a vmagent, each once${SKIPPED}`,
    { timeout: 300_000 },
    async () => {
      const store = await KilledStore.start();
      let scrapes = 0;
      const target = createServer((_, response) => {
        scrapes++;
        const lines = Array.from({ length: 200 }, (_, i) => `scrapes{i="${i}"} ${scrapes}\n`);
        response.end(`# TYPE scrapes counter\n${lines.join('')}`);
      });
      await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
      close.push(async () => {
        target.closeAllConnections();
        target.close();
      });
      const { port } = target.address() as AddressInfo;
      const config = scratch.file(
        'vmagent.yml',
        `global: {scrape_interval: 1s}
scrape_configs: [{job_name: t, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
      );
      const agent = spawn(
        'vmagent',
        [
          `-promscrape.config=${config}`,
          `-remoteWrite.url=${store.role.url}/api/v1/prom/write?db=db`,
          `-remoteWrite.tmpDataPath=${scratch.at('vmagent')}`,
          '-remoteWrite.flushInterval=300ms',
          `-httpListenAddr=127.0.0.1:${await freePort()}`,
        ],
        { stdio: 'ignore' },
      );
      const ended = new Promise((resolve) => agent.once('exit', resolve));
      close.push(async () => {
        agent.kill('SIGKILL');
        await ended;
      });
      const newest = async (): Promise<number> =>
        (await store.values(`SELECT last(value) FROM scrapes WHERE i = '0'`))[0]?.[1] ?? 0;
      // Once: behind each refusal vmagent waits twice as long as behind the one before.
      await eventually('scrapes in the store', 60_000, async () =>
        (await newest()) >= 3 ? true : null,
      );
      await store.kill();
      const least = scrapes;
      for (const i of ['0', '199']) {
        // Blocks that are sent again may come behind newer ones.
        await eventually('the scrapes of all this time', 150_000, async () => {
          const rows = await store.values(`SELECT value FROM scrapes WHERE i = '${i}'`);
          const found = rows.map(([, value]) => value);
          if (found.length < least) throw new Error(`of ${least} there are ${found}`);
          expect(found).toEqual(Array.from({ length: found.length }, (_, n) => n + 1));
          return true;
        });
      }
    },
  );
});
