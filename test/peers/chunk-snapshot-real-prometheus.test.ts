import { readdirSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';
import { expectAll, type Ledger, send } from './written-samples.ts';

const scratch = new Scratch();
const NOW = Date.now();
const MINUTE = 60_000;

function flagsOf(directory: string): string[] {
  return [
    `--config.file=${scratch.file('prometheus.yml', '{}\n')}`,
    `--storage.tsdb.path=${directory}`,
    '--storage.tsdb.min-block-duration=10m',
    '--web.enable-remote-write-receiver',
  ];
}

function startTheirs(directory: string): Promise<Server> {
  return startPrometheus([
    ...flagsOf(directory),
    '--storage.tsdb.max-block-duration=10m',
    '--enable-feature=memory-snapshot-on-shutdown',
  ]);
}

async function startOurs(directory: string): Promise<Server> {
  const role = await RunningRole.start([
    'server',
    ...flagsOf(directory),
    '--web.listen-address=127.0.0.1:0',
  ]);
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => void (await role.end(signal));
  return { url: role.url, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

/** Twelve minutes of samples of known series and of one that is new. */
async function fill(server: Server, ledger: Ledger, round: number): Promise<void> {
  for (let step = 0; step < 720; step += 5) {
    const atMs = NOW - 60 * MINUTE + (round * 720 + step) * 1000;
    const names = ['a', 'b', `new_${round}`];
    const samples = names.map((name, i) => ({ name, atMs, value: step * 10 + i }));
    await send(server, samples, ledger);
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
  `chunk snapshots of the released Prometheus${NO_PROMETHEUS}`,
  () => {
    it('are not needed: the log that is left beside them has every sample, for us and for it again', async () => {
      const directory = scratch.at('data');
      const ledger: Ledger = new Map();
      const snapshots = (): string[] =>
        readdirSync(directory).filter((name) => name.startsWith('chunk_snapshot.'));
      for (const round of [0, 1]) {
        const theirs = await started(startTheirs(directory));
        await expectAll(theirs, ledger, NOW);
        await fill(theirs, ledger, round);
        await theirs.stop();
        expect(snapshots().length).toBe(1);
      }
      const ours = await started(startOurs(directory));
      await expectAll(ours, ledger, NOW);
      await fill(ours, ledger, 2);
      await ours.kill();
      const again = await started(startOurs(directory));
      await expectAll(again, ledger, NOW);
      await again.stop();
      // It begins with its snapshot, which knows nothing of what came since, and goes on with the log.
      const theirs = await started(startTheirs(directory));
      await expectAll(theirs, ledger, NOW);
    });
  },
);
