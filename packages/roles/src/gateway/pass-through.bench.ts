/**
 * What the gateway and nginx take to pass small answers on, in turns, with two nginx behind them; asked are 0.25 of nginx's requests a
 * second and three times its slowest per cent. The built program is measured, and what asks is this process, so that nobody is given
 * all of a machine of two cores: compare the processor time.
 * `node --conditions=@pollux/source --import tsx packages/roles/src/gateway/pass-through.bench.ts [SECONDS] [CONNECTIONS] [ROUNDS]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [SECONDS = 4, CONNECTIONS = 32, ROUNDS = 3] = process.argv.slice(2).map(Number);
const PROGRAM = new URL('../../../../bin/pollux', import.meta.url).pathname;
const BODY = '{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}';
const directory = mkdtempSync(path.join(tmpdir(), 'pollux-pass-'));
const children: ChildProcess[] = [];

type Running = { readonly name: string; readonly port: number; readonly pid: number };
type Figures = { readonly rate: number; readonly p99Ms: number; readonly cpuSeconds: number };

const upstreams = [await nginx('first', answering()), await nginx('second', answering())];
const servers = upstreams.map(({ port }) => `server 127.0.0.1:${port};`).join(' ');
const gateways = [
  await nginx(
    'nginx',
    'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }',
    `upstream up { ${servers} keepalive 64; }`,
  ),
  await pollux(),
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
  const [his, mine] = figures;
  if (his === undefined || mine === undefined) break;
  const times = (key: keyof Figures): string => (mine[key] / his[key]).toFixed(2);
  print(`rate ${times('rate')}×, p99 ${times('p99Ms')}×, processor time ${times('cpuSeconds')}×`);
}
for (const child of children) child.kill('SIGTERM');
await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
rmSync(directory, { recursive: true });

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

/** Of the process and its children, so far. */
function cpuSeconds(pid: number): number {
  const spawned = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const pids = [pid, ...spawned.split(' ').filter(Boolean).map(Number)];
  const ticks = pids.map((one) => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, value) => sum + value, 0) / 100;
}

function answering(): string {
  return `location / { default_type application/json; return 200 '${BODY}'; }`;
}

async function nginx(name: string, location: string, more = ''): Promise<Running> {
  const port = await freePort();
  const at = (file: string): string => path.join(directory, `${name}-${file}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((kind) => `${kind}_temp_path ${at(kind)};`).join(' ');
  writeFileSync(
    at('conf'),
    `worker_processes 1; daemon off; pid ${at('pid')}; error_log ${at('log')};
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 1000000; ${paths} ${more}
       server { listen 127.0.0.1:${port}; ${location} } }`,
  );
  return started(name, port, 'nginx', ['-p', directory, '-c', at('conf'), '-e', at('log')]);
}

async function pollux(): Promise<Running> {
  const port = await freePort();
  const file = path.join(directory, 'gateway.yml');
  const members = upstreams.map(
    ({ name, port: to }) => `{name: ${name}, url: 'http://127.0.0.1:${to}'}`,
  );
  writeFileSync(
    file,
    `groups: [{name: up, kind: http, members: [${members.join(', ')}]}]
hosts: [{server_names: [_], locations: [{path: /, group: up}]}]
`,
  );
  const flags = [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`];
  return started('pollux', port, process.execPath, [PROGRAM, 'gateway', ...flags]);
}

async function started(
  name: string,
  port: number,
  command: string,
  args: readonly string[],
): Promise<Running> {
  const child = spawn(command, args, { stdio: 'ignore' });
  children.push(child);
  for (let left = 100; left > 0; left--) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (answer !== null && (await answer.text()) === BODY)
      return { name, port, pid: child.pid ?? 0 };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} does not answer`);
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
