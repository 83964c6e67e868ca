import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeLabels, decodeWriteRequest, snappyDecode } from '@pollux/remote';
import { type CoverageWire, type IntervalSet, intervalSet, subtract } from '@pollux/storage';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, freePort, RunningRole, Scratch } from './running-role.ts';

const SCRAPE_MS = 1_000;
const GUARD_MS = 300;
const AWAY_MS = 14_000;

type Matrix = readonly { readonly metric: object; readonly values: readonly [number, string][] }[];
type Healing = {
  readonly state: string;
  readonly missingSeconds: number;
  readonly healedSeconds: number;
};

let scratch: Scratch;
let target: http.Server;
let store: http.Server;
/** Times of the samples of c_total that A sent. */
const sent = new Set<number>();
let ports: readonly number[];
const running = new Set<RunningRole>();

function portOf(server: http.Server): number {
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  scratch = new Scratch();
  const startedMs = Date.now();
  target = http.createServer((_, response) => {
    // Grows by 1,000 a second.
    const many = Array.from({ length: 200 }, (__, i) => `many{i="${i}"} ${i}\n`).join('');
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE c_total counter\nc_total ${Date.now() - startedMs}\n${many}`);
  });
  store = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', async () => {
      for (const timeMs of timesOf(await snappyDecode(Buffer.concat(parts)))) sent.add(timeMs);
      response.writeHead(204).end();
    });
  });
  for (const server of [target, store])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ports = [await freePort(), await freePort()];
});

afterAll(async () => {
  await Promise.all([...running].map((role) => role.end('SIGKILL')));
  for (const server of [target, store]) {
    server.closeAllConnections();
    server.close();
  }
  scratch.remove();
});

function configure(name: string): string {
  const write = name === 'a' ? `remote_write: [{url: "http://127.0.0.1:${portOf(store)}/"}]\n` : '';
  scratch.file(
    `${name}/rules.yml`,
    `groups: [{name: g, interval: ${SCRAPE_MS}ms, rules: [{record: r, expr: c_total * 2}]}]`,
  );
  return scratch.file(
    `${name}/prometheus.yml`,
    `global:
  scrape_interval: ${SCRAPE_MS}ms
  scrape_timeout: ${SCRAPE_MS}ms
  evaluation_interval: ${SCRAPE_MS}ms
  external_labels: {prometheus_replica: ${name}, site: here}
rule_files: [rules.yml]
${write}scrape_configs: [{job_name: j, static_configs: [{targets: ["127.0.0.1:${portOf(target)}"]}]}]
`,
  );
}

async function startServer(name: 'a' | 'b', more: readonly string[] = []): Promise<RunningRole> {
  const server = await RunningRole.start([
    'server',
    `--config.file=${configure(name)}`,
    `--storage.tsdb.path=${scratch.at(`${name}/data`)}`,
    `--web.listen-address=127.0.0.1:${ports[name === 'a' ? 0 : 1]}`,
    '--query.lookback-delta=3s',
    `--ha.twin=http://127.0.0.1:${ports[name === 'a' ? 1 : 0]}`,
    `--ha.twin.clock-difference=${GUARD_MS}ms`,
    ...more,
  ]);
  running.add(server);
  return server;
}

async function healingOf(server: RunningRole): Promise<Healing> {
  return JSON.parse((await server.get('/api/v1/pollux/status')).text).healing;
}

function healed(server: RunningRole): Promise<Healing> {
  return eventually('healed', 40_000, async () => {
    const status = await healingOf(server);
    return status.missingSeconds === 0 && status.healedSeconds > 0 ? status : null;
  });
}

async function coverageOf(server: RunningRole): Promise<CoverageWire> {
  return JSON.parse((await server.get('/api/v1/pollux/coverage')).text);
}

function setOf(flat: readonly number[]): IntervalSet {
  return intervalSet(
    flat.flatMap((startMs, i) => (i % 2 === 0 ? [{ startMs, endMs: flat[i + 1]! }] : [])),
  );
}

type Range = { readonly startMs: number; readonly endMs: number };

async function range(role: RunningRole, query: string, { startMs, endMs }: Range): Promise<Matrix> {
  const form = `start=${startMs / 1_000}&end=${endMs / 1_000}&step=0.25`;
  const { status, text } = await role.get(
    `/api/v1/query_range?query=${encodeURIComponent(query)}&${form}`,
  );
  expect(status, text).toBe(200);
  return JSON.parse(text).data.result;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('fills the gap of a server that was killed, so that it answers for it alone', async () => {
  const b = await startServer('b');
  let a = await startServer('a');
  const gateway = await RunningRole.start([
    'gateway',
    `--config.file=${scratch.file(
      'gateway.yml',
      `groups:
  - name: servers
    kind: server
    members: [{name: a, url: "http://127.0.0.1:${ports[0]}"}, {name: b, url: "http://127.0.0.1:${ports[1]}"}]
lookback_delta: 3s
seam_guard: ${GUARD_MS}ms
`,
    )}`,
    `--storage.path=${scratch.at('gateway')}`,
    '--web.listen-address=127.0.0.1:0',
  ]);
  running.add(gateway);
  await pause(5_000);
  const gap = { startMs: Date.now(), endMs: 0 };
  await a.end('SIGKILL');
  await pause(AWAY_MS);
  gap.endMs = Date.now();
  // Killed while it fills the gap: so slow that it cannot be done before.
  a = await startServer('a', ['--ha.twin.samples-per-second=50']);
  await eventually('healing', 40_000, async () =>
    (await healingOf(a)).state === 'healing' ? true : null,
  );
  await a.end('SIGKILL');
  gap.endMs = Date.now();
  a = await startServer('a');
  await healed(a);
  await pause(3_000);

  // Own time, the whole gap, and own time again; well inside, all is b's.
  const whole = { startMs: gap.startMs - 2_000, endMs: gap.endMs + 2_000 };
  const inside = { startMs: gap.startMs + 5_000, endMs: gap.startMs + AWAY_MS - 2_000 };
  const queries = ['c_total', 'r', 'rate(c_total[3s])', 'count_over_time(many{i="7"}[3s])'];
  const expected = await Promise.all(queries.map((query) => range(b, query, inside)));
  const ofTwin = await coverageOf(b);
  await b.end('SIGKILL');
  await eventually('b is seen to be down', 20_000, async () => {
    const { groups } = JSON.parse((await gateway.get('/api/v1/pollux/pair')).text).data;
    return groups[0].members[1].isUp === false ? true : null;
  });
  // Nothing is missing any more but what the twin has missed itself.
  const { serverGaps, subjects } = await coverageOf(a);
  expect(serverGaps).toEqual([]);
  const lost = [gap.startMs - SCRAPE_MS, gap.startMs + AWAY_MS + SCRAPE_MS];
  for (const { key, gaps } of subjects) {
    const twins = ofTwin.subjects.find((one) => one.key === key)?.gaps ?? [];
    const late = subtract(setOf(gaps), setOf(twins)).filter(
      ({ startMs, endMs }) => startMs < lost[1]! && endMs > lost[0]!,
    );
    expect(late, key).toEqual([]);
  }
  for (const one of expected) expect(one.length).toBeGreaterThan(0);
  const given = await Promise.all(queries.map((query) => range(gateway, query, inside)));
  expect(given).toEqual(expected);

  const matrix = await range(gateway, 'c_total', whole);
  expect(matrix).toHaveLength(1);
  expect(matrix[0]!.values).toHaveLength(Math.floor((whole.endMs - whole.startMs) / 250) + 1);
  for (const query of ['resets(c_total[5s])', 'changes(many[5s])']) {
    const found = await range(gateway, query, whole);
    for (const { values } of found)
      expect(new Set(values.map(([, v]) => v))).toEqual(new Set(['0']));
  }
  const rates = (await range(gateway, 'rate(c_total[5s])', whole))[0]!.values;
  expect(rates.length).toBe(matrix[0]!.values.length);
  for (const [, rate] of rates) {
    // At a seam a window lacks up to two guards, and no more is extrapolated than half an interval.
    expect(Number(rate)).toBeGreaterThan(400);
    expect(Number(rate)).toBeLessThan(1_300);
  }
  // What came from b is b's to send.
  expect(sent.size).toBeGreaterThan(3);
  const ofB = [...sent].filter((timeMs) => timeMs > inside.startMs && timeMs < inside.endMs);
  expect(ofB).toEqual([]);
  expect(await a.metric('pollux_healing_samples_total')).toBeGreaterThan(1_000);
}, 150_000);

/** Times of samples of c_total in a remote write request. */
function timesOf(body: Uint8Array): number[] {
  const { labelData, labelStarts, labelEnds, sampleCount, sampleSeries, timestampsMs } =
    decodeWriteRequest(body);
  return [...timestampsMs.subarray(0, sampleCount)].filter((_, i) => {
    const series = sampleSeries[i]!;
    const { labels } = decodeLabels(labelData, labelStarts[series]!, labelEnds[series]!);
    return labels.metricName === 'c_total';
  });
}
