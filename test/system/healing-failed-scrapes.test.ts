import { rmSync } from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeLabels, decodeWriteRequest, snappyDecode } from '@pollux/remote';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, freePort, RunningRole, Scratch } from './running-role.ts';

const SCRAPE_MS = 1_000;
const GUARD_MS = 300;
const BROKEN_MS = 24_000;
const NAMES = ['a', 'b'] as const;
type Name = (typeof NAMES)[number];
type Range = { readonly startMs: number; readonly endMs: number };
type Answer = {
  readonly result: readonly {
    readonly metric: object;
    readonly values: readonly [number, string][];
  }[];
  readonly warnings: readonly string[];
};

let scratch: Scratch;
let target: http.Server;
let store: http.Server;
/** Whose scrapes the target does not answer. */
let unheard: Name | null = null;
/** Times of samples of c_total, but for stale markers, that A sent to the store. */
const sent: number[] = [];
const ports = new Map<Name, number>();
const running = new Set<RunningRole>();

function portOf(server: http.Server): number {
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  scratch = new Scratch();
  const startedMs = Date.now();
  target = http.createServer((request, response) => {
    // Servers of one configuration are told apart by what their files of credentials hold.
    if (request.headers.authorization === `Bearer ${unheard}`) {
      request.socket.destroy();
      return;
    }
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE c_total counter\nc_total ${Date.now() - startedMs}\ng{i="1"} 1\n`);
  });
  store = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', async () => {
      sent.push(...timesOf(await snappyDecode(Buffer.concat(parts))));
      response.writeHead(204).end();
    });
  });
  for (const server of [target, store])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  for (const name of NAMES) ports.set(name, await freePort());
});

afterAll(async () => {
  await Promise.all([...running].map((role) => role.end('SIGKILL')));
  for (const server of [target, store]) {
    server.closeAllConnections();
    server.close();
  }
  scratch.remove();
});

async function startServer(name: Name): Promise<RunningRole> {
  scratch.file(`${name}/who`, name);
  const write = name === 'a' ? `remote_write: [{url: "http://127.0.0.1:${portOf(store)}/"}]\n` : '';
  const config = scratch.file(
    `${name}/prometheus.yml`,
    `global:
  scrape_interval: ${SCRAPE_MS}ms
  scrape_timeout: ${SCRAPE_MS}ms
  external_labels: {prometheus_replica: ${name}}
${write}scrape_configs:
  - job_name: j
    authorization: {credentials_file: who}
    static_configs: [{targets: ["127.0.0.1:${portOf(target)}"]}]
`,
  );
  const server = await RunningRole.start([
    'server',
    `--config.file=${config}`,
    `--storage.tsdb.path=${scratch.at(`${name}/data`)}`,
    `--web.listen-address=127.0.0.1:${ports.get(name)}`,
    '--query.lookback-delta=3s',
    `--ha.twin=http://127.0.0.1:${ports.get(name === 'a' ? 'b' : 'a')}`,
    `--ha.twin.clock-difference=${GUARD_MS}ms`,
  ]);
  running.add(server);
  return server;
}

async function range(role: RunningRole, query: string, { startMs, endMs }: Range): Promise<Answer> {
  const form = `start=${startMs / 1_000}&end=${endMs / 1_000}&step=0.25`;
  const { status, text } = await role.get(
    `/api/v1/query_range?query=${encodeURIComponent(query)}&${form}`,
  );
  expect(status, text).toBe(200);
  const { data, warnings = [] } = JSON.parse(text);
  return { result: data.result, warnings };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('keeps what one server alone could scrape when the disk of that server is lost', async () => {
  let b = await startServer('b');
  const a = await startServer('a');
  const members = NAMES.map(
    (name) => `{name: ${name}, url: "http://127.0.0.1:${ports.get(name)}"}`,
  );
  const gateway = await RunningRole.start([
    'gateway',
    `--config.file=${scratch.file(
      'gateway.yml',
      `groups: [{name: servers, kind: server, members: [${members.join(', ')}]}]
lookback_delta: 3s
seam_guard: ${GUARD_MS}ms
`,
    )}`,
    `--storage.path=${scratch.at('gateway')}`,
    '--web.listen-address=127.0.0.1:0',
  ]);
  running.add(gateway);
  await pause(6_000);
  const broken = { startMs: Date.now(), endMs: 0 };
  unheard = 'a';
  await pause(BROKEN_MS);
  unheard = null;
  broken.endMs = Date.now();
  await eventually('what b scraped alone is copied', 40_000, async () => {
    const healed = (await a.metric('pollux_healing_scrapes_healed_seconds_total')) ?? 0;
    const lacking = await a.metric('pollux_healing_scrapes_lacking_seconds');
    return healed > BROKEN_MS / 1_000 - 4 && lacking === 0 ? true : null;
  });

  const inside = { startMs: broken.startMs + 5_000, endMs: broken.endMs - 3_000 };
  const whole = { startMs: broken.startMs - 2_000, endMs: broken.endMs + 2_000 };
  const queries = ['c_total', 'rate(c_total[3s])', 'g'];
  const expected = await Promise.all(queries.map((query) => range(b, query, inside)));
  await b.end('SIGKILL');
  rmSync(scratch.at('b/data'), { recursive: true });
  b = await startServer('b');
  await eventually('b is seen to be back', 20_000, async () => {
    const { groups } = JSON.parse((await gateway.get('/api/v1/pollux/pair')).text).data;
    return groups[0].members[1].isUp === true ? true : null;
  });
  for (const [i, query] of queries.entries()) {
    expect(expected[i]!.result.length, query).toBeGreaterThan(0);
    expect(await range(gateway, query, inside), query).toEqual(expected[i]);
  }
  const { result, warnings } = await range(gateway, 'c_total', whole);
  expect(warnings).toEqual([]);
  expect(result).toHaveLength(1);
  expect(result[0]!.values).toHaveLength(Math.floor((whole.endMs - whole.startMs) / 250) + 1);
  const resets = await range(gateway, 'resets(c_total[5s])', whole);
  expect(new Set(resets.result[0]!.values.map(([, value]) => value))).toEqual(new Set(['0']));
  // That a did not reach the target stays true of a.
  const up = (await range(a, 'up', inside)).result[0]!.values;
  expect(new Set(up.map(([, value]) => value))).toEqual(new Set(['0']));
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.filter((timeMs) => timeMs > inside.startMs && timeMs < inside.endMs)).toEqual([]);
}, 180_000);

function timesOf(body: Uint8Array): number[] {
  const { labelData, labelStarts, labelEnds, sampleCount, sampleSeries, timestampsMs, values } =
    decodeWriteRequest(body);
  return [...timestampsMs.subarray(0, sampleCount)].filter((_, i) => {
    const series = sampleSeries[i]!;
    const { labels } = decodeLabels(labelData, labelStarts[series]!, labelEnds[series]!);
    return labels.metricName === 'c_total' && !Number.isNaN(values[i]);
  });
}
