import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';

const isThere = spawnSync('prometheus', ['--version']).error === undefined;
const reason = isThere ? '' : ' (skipped: no prometheus here; run `npm run peers`)';

const scratch = new Scratch();
const MINUTE = 60_000;
const NOW = Date.now();
/** All that a server was sent and has acknowledged, by series, as `time value`. */
type Ledger = Map<string, Map<number, number>>;

type Server = { readonly url: string; kill(): Promise<void> };

function configOf(window: string): string {
  return `storage: {tsdb: {out_of_order_time_window: ${window}}}\n`;
}

async function startOurs(directory: string, window: string): Promise<Server> {
  const role = await RunningRole.start([
    'server',
    `--config.file=${scratch.file('ours.yml', configOf(window))}`,
    `--storage.tsdb.path=${directory}`,
    '--storage.tsdb.min-block-duration=10m',
    '--web.listen-address=127.0.0.1:0',
    '--web.enable-remote-write-receiver',
  ]);
  return { url: role.url, kill: async () => void (await role.end('SIGKILL')) };
}

async function startTheirs(directory: string, window: string): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child: ChildProcess = spawn(
    'prometheus',
    [
      `--config.file=${scratch.file('theirs.yml', configOf(window))}`,
      `--storage.tsdb.path=${directory}`,
      '--storage.tsdb.min-block-duration=10m',
      '--storage.tsdb.max-block-duration=10m',
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await eventually('ready Prometheus', 30_000, async () =>
    (await fetch(`${url}/-/ready`)).ok ? true : null,
  );
  return {
    url,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function send(
  { url }: Server,
  samples: readonly { readonly name: string; readonly atMs: number; readonly value: number }[],
  ledger: Ledger,
): Promise<void> {
  const encoder = new TimeSeriesEncoder();
  for (const { name, atMs, value } of samples) {
    const words = wordsOf(Float64Array.of(value));
    const rows = { timestampsMs: Float64Array.of(atMs), words };
    encoder.run(encodeLabels(Labels.from({ __name__: name })), rows, 0, 1);
  }
  const answer = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: snappyEncode(encoder.bytes()) as Uint8Array<ArrayBuffer>,
  });
  expect([answer.status, await answer.text()]).toEqual([204, '']);
  for (const { name, atMs, value } of samples) {
    const points = ledger.get(name) ?? new Map<number, number>();
    if (!points.has(atMs)) points.set(atMs, value);
    ledger.set(name, points);
  }
}

async function answers({ url }: Server, ledger: Ledger): Promise<void> {
  for (const [name, points] of ledger) {
    const query = encodeURIComponent(`${name}[12h]`);
    const answer = await fetch(
      `${url}/api/v1/query?query=${query}&time=${NOW / 1000 + 3600}&timeout=60s`,
    );
    const body = (await answer.json()) as {
      data: { result: { values: [number, string][] }[] };
    };
    const values = body.data.result[0]?.values.map(([at, value]) => [
      Math.round(at * 1000),
      Number(value),
    ]);
    const expected = [...points].sort(([a], [b]) => a - b);
    expect(values, `${name} by ${url}`).toEqual(expected);
  }
}

/** Samples of two series over the last 100 minutes in any order, behind a sample of now; a third has late ones only. */
async function fill(server: Server, ledger: Ledger, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  await send(server, [{ name: 'a', atMs: NOW + seed, value: seed }], ledger);
  await send(server, [{ name: 'b', atMs: NOW + seed, value: seed }], ledger);
  for (let batch = 0; batch < 30; batch++) {
    await send(
      server,
      Array.from({ length: 12 }, () => ({
        name: ['a', 'b', 'late'][random.below(3)]!,
        // No time twice: which of two values stays is told apart elsewhere.
        atMs: NOW - 20 * MINUTE - random.below(8_000) * 600 - seed,
        value: random.below(1_000_000) / 7,
      })).filter(({ name, atMs }) => !ledger.get(name)?.has(atMs)),
      ledger,
    );
  }
}

const running: Server[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.kill();
});
afterAll(() => scratch.remove());

async function started(server: Promise<Server>): Promise<Server> {
  running.push(await server);
  return server;
}

describe.skipIf(!isThere)(`out-of-order samples against the released Prometheus${reason}`, () => {
  it.each([
    ['ours', startOurs, startTheirs],
    ['theirs', startTheirs, startOurs],
  ] as const)(
    'written by %s, and then by the other, are all there for both after kills',
    async (name, first, second) => {
      const directory = scratch.at(`logs-${name}`);
      const ledger: Ledger = new Map();
      const begun = await started(first(directory, '3h'));
      await fill(begun, ledger, 1);
      await answers(begun, ledger);
      await begun.kill();
      const other = await started(second(directory, '3h'));
      await answers(other, ledger);
      await fill(other, ledger, 2);
      await answers(other, ledger);
      await other.kill();
      // With the window shut, what the log holds is still answered.
      const last = await started(first(directory, '0s'));
      await answers(last, ledger);
    },
  );

  it('that have gone to blocks of ours are read by theirs, beside those that came later', async () => {
    const directory = scratch.at('blocks');
    const ledger: Ledger = new Map();
    const ours = await started(startOurs(directory, '3h'));
    // Soon the head spans more than one and a half blocks: it moves, and the late samples with it.
    await send(ours, [{ name: 'lead', atMs: NOW - 16 * MINUTE, value: 1 }], ledger);
    await fill(ours, ledger, 1);
    const hinted = (): string[] =>
      readdirSync(directory)
        .filter((entry) => entry.length === 26)
        .filter((entry) =>
          readFileSync(path.join(directory, entry, 'meta.json'), 'utf8').includes(
            '"from-out-of-order"',
          ),
        );
    await eventually('blocks of late samples', 40_000, async () =>
      hinted().length > 0 ? true : null,
    );
    await fill(ours, ledger, 3);
    await answers(ours, ledger);
    await ours.kill();
    const theirs = await started(startTheirs(directory, '3h'));
    await answers(theirs, ledger);
  });
});
