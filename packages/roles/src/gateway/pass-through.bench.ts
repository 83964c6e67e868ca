/**
 * What the gateway and nginx take to pass small answers on, in turns, with two nginx behind them; asked are 0.25 of nginx's requests a
 * second and three times its slowest per cent. The built program is measured, and what asks is this process, so that nobody is given
 * all of a machine of two cores: compare the processor time. The last is two processes of the gateway at one port.
 * `node --conditions=@pollux/source --import tsx packages/roles/src/gateway/pass-through.bench.ts [SECONDS] [CONNECTIONS] [ROUNDS]`.
 */
import * as net from 'node:net';
import { BenchProcesses, cpuSeconds, type Running } from './testing/bench-processes.ts';

const [SECONDS = 4, CONNECTIONS = 32, ROUNDS = 3] = process.argv.slice(2).map(Number);
const BODY = '{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}';
const processes = new BenchProcesses('pass');

type Figures = { readonly rate: number; readonly p99Ms: number; readonly cpuSeconds: number };

const upstreams = [await answering('first'), await answering('second')];
const servers = upstreams.map(({ port }) => `server 127.0.0.1:${port};`).join(' ');
const gateways = [
  await processes.nginx(
    'nginx',
    `upstream up { ${servers} keepalive 64; }
     server { listen 127.0.0.1:PORT; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
  ),
  await pollux('pollux'),
  await pollux('twofold', 2),
];
for (const { port } of gateways) await load(port, 1);
for (let round = 0; round < ROUNDS; round++) {
  const figures: Figures[] = [];
  for (const gateway of gateways) {
    const before = cpuSeconds(gateway.pid);
    const { count, latenciesMs } = await load(gateway.port, SECONDS);
    const used = cpuSeconds(gateway.pid) - before;
    const p99Ms = latenciesMs.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
    const measured = { rate: count / SECONDS, p99Ms, cpuSeconds: (used / count) * 10_000 };
    figures.push(measured);
    print(`${gateway.name.padEnd(7)} ${shown(measured)}`);
  }
  const [his, mine, two] = figures;
  if (his === undefined || mine === undefined || two === undefined) break;
  print(`beside nginx: ${ratios(mine, his)}`);
  print(`two processes beside one: ${ratios(two, mine)}`);
}
await processes.stop();

function ratios(one: Figures, other: Figures): string {
  const times = (key: keyof Figures): string => (one[key] / other[key]).toFixed(2);
  return `rate ${times('rate')}×, p99 ${times('p99Ms')}×, processor time ${times('cpuSeconds')}×`;
}

function shown({ rate, p99Ms, cpuSeconds: cpu }: Figures): string {
  return `${rate.toFixed(0)} requests/s, p99 ${p99Ms.toFixed(1)} ms, ${cpu.toFixed(3)} s of processor per 10,000`;
}

/** Answers without a break over each connection, one request at a time. */
function load(port: number, seconds: number): Promise<{ count: number; latenciesMs: number[] }> {
  const request = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const latenciesMs: number[] = [];
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
    let askedMs = performance.now();
    let seen = 0;
    socket.on('data', (data) => {
      // Answers are short and of one length: the body's end is that of the answer.
      seen += data.length;
      if (data[data.length - 1] !== 0x7d || seen < BODY.length) return;
      if (data.toString('latin1', 9, 12) !== '200') throw new Error(data.toString('latin1'));
      const nowMs = performance.now();
      latenciesMs.push(nowMs - askedMs);
      askedMs = nowMs;
      seen = 0;
      socket.write(request);
    });
    return socket;
  });
  return new Promise((resolve) => {
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      resolve({ count: latenciesMs.length, latenciesMs });
    }, seconds * 1_000);
  });
}

function answering(name: string): Promise<Running> {
  const location = `location / { default_type application/json; return 200 '${BODY}'; }`;
  return processes.nginx(name, `server { listen 127.0.0.1:PORT; ${location} }`);
}

function pollux(name: string, count = 1): Promise<Running> {
  const members = upstreams.map(
    (member) => `{name: ${member.name}, url: 'http://127.0.0.1:${member.port}'}`,
  );
  const file = processes.write(
    'gateway.yml',
    `groups: [{name: up, kind: http, members: [${members.join(', ')}]}]
hosts: [{server_names: [_], locations: [{path: /, group: up}]}]
`,
  );
  const args = (port: number): readonly string[] => [
    `--config.file=${file}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  return count === 1
    ? processes.pollux(name, 'gateway', args)
    : processes.clustered(name, count, 'gateway', args);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
