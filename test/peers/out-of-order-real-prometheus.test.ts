import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';
import { expectAll, type Ledger, send } from './written-samples.ts';

const scratch = new Scratch();
const MINUTE = 60_000;
const NOW = Date.now();
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
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => void (await role.end(signal));
  return { url: role.url, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

function startTheirs(directory: string, window: string): Promise<Server> {
  return startPrometheus([
    `--config.file=${scratch.file('theirs.yml', configOf(window))}`,
    `--storage.tsdb.path=${directory}`,
    '--storage.tsdb.min-block-duration=10m',
    '--storage.tsdb.max-block-duration=10m',
    '--web.enable-remote-write-receiver',
  ]);
}

const answers = (server: Server, ledger: Ledger): Promise<void> =>
  expectAll(server, ledger, NOW + 60 * MINUTE);

/** Full chunks of late samples in the files of a directory: entries with the mark in their encoding. */
function lateChunks(directory: string): number {
  let chunks = 0;
  for (const name of readdirSync(path.join(directory, 'chunks_head'))) {
    const bytes = readFileSync(path.join(directory, 'chunks_head', name));
    // Magic, version and padding; then reference, times, encoding, length, data and checksum of each.
    for (let at = 8; at + 30 < bytes.length && bytes.readBigUInt64BE(at) !== 0n; ) {
      if ((bytes[at + 24]! & 0x80) !== 0) chunks++;
      let length = 0;
      let end = at + 25;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[end++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      at = end + length + 4;
    }
  }
  return chunks;
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

describe.skipIf(!hasPrometheus)(
  `out-of-order samples against the released Prometheus${NO_PROMETHEUS}`,
  () => {
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

    it('in full chunks of ours are read by theirs, beside the log that has them too', async () => {
      const directory = scratch.at('chunks');
      const ledger: Ledger = new Map();
      const ours = await started(startOurs(directory, '3h'));
      await fill(ours, ledger, 1);
      // A clean stop leaves nothing unwritten.
      await ours.stop();
      expect(lateChunks(directory)).toBeGreaterThanOrEqual(6);
      const theirs = await started(startTheirs(directory, '3h'));
      await answers(theirs, ledger);
      await fill(theirs, ledger, 2);
      await answers(theirs, ledger);
      await theirs.kill();
      const back = await started(startOurs(directory, '3h'));
      await answers(back, ledger);
    });

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
  },
);
