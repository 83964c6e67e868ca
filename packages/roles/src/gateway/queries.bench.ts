/**
 * Queries of a few dashboards, asked again and again, through the gateway and through nginx before the same two servers, in turns; asked
 * are 1.5 times nginx's answers a second to repeated instant queries (0.6 times to those that never come again), and three times to
 * repeated range queries. With one connection no two queries are under way at once. Of the built program;
 * who asks is this process, so that on two cores rates say less than the processor time of all that answer.
 * `node --conditions=@pollux/source --import tsx packages/roles/src/gateway/queries.bench.ts [SECONDS] [CONNECTIONS] [ROUNDS]`.
 */
import * as net from 'node:net';
import { BenchProcesses, cpuSeconds, type Running } from './testing/bench-processes.ts';

const [SECONDS = 5, CONNECTIONS = 32, ROUNDS = 3] = process.argv.slice(2).map(Number);
const SERIES = 400;
const HOURS = 7;
const SCRAPE_S = 15;

type Load = { readonly name: string; readonly targets: readonly string[] };
type Figures = { readonly rate: number; readonly p99Ms: number; readonly cpuSeconds: number };

const QUERIES = [
  'sum by (job) (rate(requests_total[5m]))',
  'rate(requests_total{job="job3"}[5m])',
  'requests_total{job="job1"}',
  'max by (job) (requests_total)',
  'quantile by (job) (0.9, rate(requests_total[2m]))',
  'topk(5, rate(requests_total[5m]))',
  'sum(rate(requests_total{job=~"job[0-4]"}[5m])) / sum(rate(requests_total[5m]))',
  'count by (job) (requests_total > 1000)',
];

const processes = new BenchProcesses('queries');
const endS = Math.floor(Date.now() / 1_000);
const input = processes.write('input.om', openMetrics(endS));
const servers: Running[] = [];
for (const name of ['a', 'b']) {
  const data = processes.at(`data-${name}`);
  await processes.run('tool', 'tsdb', 'create-blocks-from', 'openmetrics', input, data);
  const config = processes.write(`${name}.yml`, 'global: {scrape_interval: 15s}\n');
  servers.push(
    await processes.pollux(name, 'server', (port) => [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=365d',
    ]),
  );
}
const upstream = servers.map(({ port }) => `server 127.0.0.1:${port};`).join(' ');
const members = servers.map(({ name, port }) => `{name: ${name}, url: 'http://127.0.0.1:${port}'}`);
const file = processes.write(
  'gateway.yml',
  `groups: [{name: servers, kind: server, members: [${members.join(', ')}]}]\n`,
);
const gateways = [
  await processes.nginx(
    'nginx',
    `upstream up { ${upstream} keepalive 64; }
     server { listen 127.0.0.1:PORT; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
  ),
  await processes.pollux('pollux', 'gateway', (port) => [
    `--config.file=${file}`,
    `--storage.path=${processes.at('gateway')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]),
];
const stepS = 60;
const toS = Math.floor(endS / stepS) * stepS;
const range = `start=${toS - 6 * 3_600}&end=${toS}&step=${stepS}`;
const loads: readonly Load[] = [
  {
    name: 'instant, now',
    targets: QUERIES.map((query) => `/api/v1/query?query=${encodeURIComponent(query)}`),
  },
  {
    name: 'instant, never the same',
    targets: Array.from({ length: 20_000 }, (_, i) => {
      const query = encodeURIComponent(QUERIES[i % QUERIES.length]!);
      return `/api/v1/query?query=${query}&time=${toS - i}`;
    }),
  },
  {
    name: 'range, 6 h',
    targets: QUERIES.map(
      (query) => `/api/v1/query_range?query=${encodeURIComponent(query)}&${range}`,
    ),
  },
];
for (const { name, targets } of loads) {
  await compareAnswers(targets, name);
  for (let round = 0; round < ROUNDS; round++) {
    const figures: Figures[] = [];
    for (const gateway of gateways) {
      const pids = [gateway, ...servers].map(({ pid }) => pid);
      const used = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
      const before = used();
      const latenciesMs = await load(gateway.port, targets);
      const count = latenciesMs.length;
      const p99Ms = latenciesMs.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
      const cpu = ((used() - before) / count) * 1_000;
      figures.push({ rate: count / SECONDS, p99Ms, cpuSeconds: cpu });
      print(
        `${name}: ${gateway.name.padEnd(7)} ${(count / SECONDS).toFixed(0)} answers/s, p99 ${p99Ms.toFixed(1)} ms, ${cpu.toFixed(2)} s of processor per 1,000, servers included`,
      );
    }
    const [his, mine] = figures;
    if (his === undefined || mine === undefined) break;
    const times = (key: keyof Figures): string => (mine[key] / his[key]).toFixed(2);
    print(
      `${name}: rate ${times('rate')}×, p99 ${times('p99Ms')}×, processor time ${times('cpuSeconds')}×`,
    );
  }
}
await processes.stop();

/** Both give the same; range queries to the byte, also when they come for the third time. */
async function compareAnswers(targets: readonly string[], name: string): Promise<void> {
  if (!name.startsWith('range')) return;
  for (const target of targets) {
    const texts: string[] = [];
    for (const { port } of [gateways[0]!, gateways[1]!, gateways[1]!, gateways[1]!]) {
      texts.push(await (await fetch(`http://127.0.0.1:${port}${target}`)).text());
    }
    if (new Set(texts).size !== 1) throw new Error(`different answers to ${target}`);
  }
}

/** Asks without a break over each connection, one query at a time; each begins with another. Returns the latencies. */
function load(port: number, targets: readonly string[]): Promise<number[]> {
  const latenciesMs: number[] = [];
  const requests = targets.map(
    (target) => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
  );
  const sockets = Array.from({ length: CONNECTIONS }, (_, first) => {
    // Far from one another in a long list.
    let next = first * Math.max(1, Math.floor(requests.length / CONNECTIONS));
    let askedMs = 0;
    let head = '';
    let leftBytes = -1;
    let isChunked = false;
    const ask = (): void => {
      askedMs = performance.now();
      head = '';
      leftBytes = -1;
      socket.write(requests[next++ % requests.length]!);
    };
    const socket = net.connect(port, '127.0.0.1', ask);
    socket.on('data', (data) => {
      let body = data;
      if (leftBytes < 0) {
        head += data.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (head.slice(9, 12) !== '200') throw new Error(head);
        body = Buffer.from(head.slice(end + 4), 'latin1');
        isChunked = /^transfer-encoding: chunked/im.test(head.slice(0, end));
        const length = /^content-length: (\d+)/im.exec(head.slice(0, end))?.[1];
        leftBytes = isChunked ? Number.POSITIVE_INFINITY : Number(length);
      }
      leftBytes -= body.length;
      const isWhole = isChunked
        ? body.subarray(-5).toString('latin1') === '0\r\n\r\n'
        : leftBytes <= 0;
      if (!isWhole) return;
      latenciesMs.push(performance.now() - askedMs);
      ask();
    });
    return socket;
  });
  return new Promise((resolve) => {
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      resolve(latenciesMs);
    }, SECONDS * 1_000);
  });
}

/** Counters of ten jobs up to `untilS`. */
function openMetrics(untilS: number): string {
  const lines = ['# TYPE requests counter'];
  const count = (HOURS * 3_600) / SCRAPE_S;
  for (let series = 0; series < SERIES; series++) {
    const labels = `{job="job${series % 10}",instance="host${series}:9100"}`;
    for (let i = 0; i <= count; i++) {
      const atS = untilS - (count - i) * SCRAPE_S;
      lines.push(`requests_total${labels} ${i * (series + 1) + ((i * series) % 7)} ${atS}`);
    }
  }
  lines.push('# EOF', '');
  return lines.join('\n');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
