import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeEnv } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import {
  addressOf,
  findLayout,
  HOSTS,
  type HostName,
  type Layout,
  pairCommands,
  programPath,
  renderPair,
  Supervisor,
  untilReady,
} from '@pollux/roles/up';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Dump } from '../drill/dump.ts';
import { eventually, Scratch } from './running-role.ts';

const EXAMPLES = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  'examples',
  'pair',
);
const RANGE_MS = 5_000;
/** Alertmanagers, exporters and the sink are targets that are down. */
const STARTED = new Set(['A/store', 'B/store', 'A/server', 'B/server', 'gateway']);

type Told = {
  readonly data: {
    readonly result: readonly {
      readonly metric: { readonly instance: string };
      readonly value: readonly [number, string];
    }[];
  };
  readonly warnings?: readonly string[];
};

const env = nodeEnv();
const scratch = new Scratch();
let layout: Layout;
let supervisor: Supervisor;

/** The pair that `pollux up` starts from the example files, with scrapes each second and servers that soon forget. */
beforeAll(async () => {
  const files = scratch.at('files');
  mkdirSync(files);
  cpSync(EXAMPLES, files, { recursive: true });
  const config = path.join(files, 'prometheus.yml');
  const text = readFileSync(config, 'utf8').replaceAll(': 15s', ': 1s');
  // Queries of a server would be answered by what it reads from the stores itself.
  writeFileSync(config, text.slice(0, text.indexOf('remote_read:')));
  layout = await findLayout(true);
  const commands = pairCommands({
    layout,
    pair: renderPair(files, scratch.at('pair'), layout),
    extra: {
      server: ['--storage.tsdb.min-block-duration=5s', '--storage.tsdb.retention.time=10s'],
    },
  }).filter(({ name }) => STARTED.has(name));
  expect(commands).toHaveLength(STARTED.size);
  supervisor = new Supervisor({
    clock: env.clock,
    program: [process.execPath, programPath()],
    commands,
    onLine: () => {},
    restarts: false,
  });
  supervisor.startAll();
  await untilReady(env, commands, new AbortController().signal);
}, 180_000);
afterAll(async () => {
  await supervisor.stopAll();
  await env.net.close();
  scratch.remove();
}, 120_000);

it('what the servers have forgotten is answered by the one address', async () => {
  const atMs = await eventually('ten samples of each server in the stores', 60_000, async () => {
    const held = await Promise.all([stored('A', 'A'), stored('B', 'B')]);
    if (held.some((times) => times.length < 12)) return null;
    return Math.max(...held.map((times) => times[9] ?? 0));
  });
  const counts = await Promise.all(
    HOSTS.map(async (replica) => {
      const times = await stored('A', replica);
      return times.filter((timeMs) => timeMs > atMs - RANGE_MS && timeMs <= atMs).length;
    }),
  );
  await eventually('both servers have forgotten it', 180_000, async () => {
    const firsts = await Promise.all([firstOf('A'), firstOf('B')]);
    return firsts.every((firstMs) => firstMs > atMs + 2_000) ? true : null;
  });
  const query = encodeURIComponent(`count_over_time(up{job="store"}[${RANGE_MS / 1_000}s])`);
  const answer = await eventually('an answer from a store', 30_000, async () => {
    const response = await fetch(
      `http://${addressOf(layout, 'gateway')}/api/v1/query?query=${query}&time=${atMs / 1_000}`,
    );
    const by = response.headers.get('x-pollux-replica') ?? '';
    return response.status === 200 && by.includes('store-') ? await response.json() : null;
  });
  const { data, warnings } = answer as Told;
  expect(warnings).toBeUndefined();
  expect(data.result).toHaveLength(2);
  const ofFirst = data.result.find(({ metric }) => metric.instance === addressOf(layout, 'store'));
  // Those of one replica, whichever.
  expect(counts).toContain(Number(ofFirst?.value[1]));
}, 300_000);

/** When a store has samples of a server's scrapes of the first store. */
async function stored(host: HostName, replica: HostName): Promise<readonly number[]> {
  const { series } = await Dump.read(
    { env },
    `http://${addressOf(layout, 'store', host)}/api/v1/prom/read?db=prometheus`,
    {
      minMs: 0,
      maxMs: env.clock.now(),
      matchers: [
        Matcher.metric('up'),
        new Matcher('instance', '=', addressOf(layout, 'store')),
        new Matcher('prometheus_replica', '=', replica),
      ],
      drop: ['prometheus_replica'],
    },
  );
  return series.flatMap(({ timestampsMs, count }) => [...timestampsMs.subarray(0, count)]);
}

/** Where the samples of a server begin. */
async function firstOf(host: HostName): Promise<number> {
  const response = await fetch(
    `http://${addressOf(layout, 'server', host)}/api/v1/pollux/coverage`,
  );
  return ((await response.json()) as { readonly since: number }).since;
}
