import * as http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const NAMES = ['a', 'b'] as const;
type Name = (typeof NAMES)[number];

const QUERIES = [
  'c_total',
  'rate(c_total[6s])',
  'sum by (job) (increase(c_total[10s]))',
  'max_over_time(g[8s]) - g offset 5s',
  'up',
];

let scratch: Scratch;
let target: http.Server;
let ports: Readonly<Record<Name, number>>;
const servers = new Map<Name, RunningRole>();
const gateways: RunningRole[] = [];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startServer(name: Name): Promise<void> {
  const { port } = target.address() as AddressInfo;
  const config = scratch.file(
    `${name}.yml`,
    `global: {scrape_interval: 500ms, scrape_timeout: 500ms, external_labels: {prometheus_replica: ${name}}}
scrape_configs: [{job_name: j, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]
`,
  );
  const server = await RunningRole.start([
    'server',
    `--config.file=${config}`,
    `--storage.tsdb.path=${scratch.at(name)}`,
    `--web.listen-address=127.0.0.1:${ports[name]}`,
  ]);
  servers.set(name, server);
}

beforeAll(async () => {
  scratch = new Scratch();
  const startedMs = Date.now();
  target = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    const ms = Date.now() - startedMs;
    response.end(`# TYPE c_total counter\nc_total ${ms}\ng ${Math.sin(ms / 3_000)}\n`);
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  ports = { a: await freePort(), b: await freePort() };
  await Promise.all(NAMES.map(startServer));
  const listed = NAMES.map((name) => `{name: ${name}, url: "http://127.0.0.1:${ports[name]}"}`);
  const file = scratch.file(
    'gateway.yml',
    `groups: [{name: s, kind: server, members: [${listed.join(', ')}]}]\nseam_guard: 500ms\n`,
  );
  for (const name of ['g0', 'g1']) {
    gateways.push(
      await RunningRole.start([
        'gateway',
        `--config.file=${file}`,
        `--storage.path=${scratch.at(name)}`,
        '--web.listen-address=127.0.0.1:0',
      ]),
    );
  }
}, 120_000);

afterAll(async () => {
  await Promise.all([...gateways, ...servers.values()].map((role) => role.end('SIGKILL')));
  target.closeAllConnections();
  target.close();
  scratch.remove();
});

type Told = { readonly status: number; readonly replicas: string; readonly text: string };

function askBoth(path: string): Promise<readonly Told[]> {
  return Promise.all(
    gateways.map(async (gateway) => {
      const { status, headers, text } = await gateway.get(path);
      return { status, replicas: headers.get('x-pollux-replica') ?? '', text };
    }),
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('two gateways give the same answers, byte for byte, through the same faults', async () => {
  await pause(8_000);
  const asked = new Set<string>();
  let told = 0;
  let same = 0;
  let isOver = false;
  const ask = async (): Promise<void> => {
    for (let round = 0; !isOver; round++) {
      // What may still be scraped is not the same a moment later.
      const end = Math.floor(Date.now() / 1_000) - 2;
      const query = encodeURIComponent(QUERIES[round % QUERIES.length] ?? 'up');
      const path =
        round % 2 === 0
          ? `/api/v1/query_range?query=${query}&start=${end - 15}&end=${end}&step=1`
          : `/api/v1/query?query=${query}&time=${end}`;
      asked.add(path);
      const both = await askBoth(path);
      for (const { status, text } of both) expect(status, text).toBe(200);
      told++;
      // One of them may see a moment sooner that a server is away; of the same server the answers are the same.
      const [first, second] = both.map(({ replicas }) => replicas);
      if (first !== second) continue;
      same++;
      expect(both[0]!.text).toBe(both[1]!.text);
      await pause(100);
    }
  };
  const asking = ask();
  await servers.get('a')?.end('SIGKILL');
  await pause(5_000);
  await startServer('a');
  await pause(4_000);
  servers.get('b')?.signal('SIGSTOP');
  await pause(6_000);
  servers.get('b')?.signal('SIGCONT');
  await pause(5_000);
  isOver = true;
  await asking;
  expect(asked.size).toBeGreaterThan(10);
  expect(same).toBeGreaterThan(told / 2);

  // When both have seen all of it, there is no difference any more: not in who answers, nor in splices and warnings.
  await eventually('the same reports', 20_000, async () => {
    const seen = await Promise.all(
      gateways.map(async (gateway) => {
        const { groups } = JSON.parse((await gateway.get('/api/v1/pollux/pair')).text).data;
        return groups[0].members.map(({ isUp, gaps }: { isUp: boolean; gaps: unknown }) =>
          JSON.stringify([isUp, gaps]),
        );
      }),
    );
    return seen[0].join() === seen[1].join() && seen[0].join().includes('true') ? true : null;
  });
  let spliced = 0;
  for (const path of asked) {
    const [first, second] = await askBoth(path);
    expect(first).toEqual(second);
    if (first?.replicas.includes(', ') === true) spliced++;
  }
  expect(spliced).toBeGreaterThan(0);
  for (const path of ['/api/v1/labels', '/api/v1/series?match[]=up', '/api/v1/metadata']) {
    const [first, second] = await askBoth(path);
    expect(first?.text).toBe(second?.text);
  }
}, 120_000);
