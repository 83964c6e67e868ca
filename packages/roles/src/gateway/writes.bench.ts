/**
 * Writes through the gateway to two stores: both there, one away (its share goes through the spool), and how fast that one then gets
 * what it missed. Of the built program, line protocol of a hundred points a request.
 * `node --conditions=@pollux/source --import tsx packages/roles/src/gateway/writes.bench.ts [SECONDS] [CONNECTIONS]`.
 */
import { BenchProcesses, type Running } from './testing/bench-processes.ts';

const [SECONDS = 5, CONNECTIONS = 16] = process.argv.slice(2).map(Number);
const POINTS = 100;

const processes = new BenchProcesses('writes');
const stores = [await store('a'), await store('b')];
const members = stores.map(({ name, port }) => `{name: ${name}, url: 'http://127.0.0.1:${port}'}`);
const file = processes.write(
  'gateway.yml',
  `groups: [{name: stores, kind: store, members: [${members.join(', ')}]}]\n`,
);
const gateway = await processes.pollux('gateway', 'gateway', (port) => [
  `--config.file=${file}`,
  `--storage.path=${processes.at('gateway')}`,
  `--web.listen-address=127.0.0.1:${port}`,
]);
for (const { port } of stores) {
  const answer = await fetch(`http://127.0.0.1:${port}/query?q=CREATE+DATABASE+x`, {
    method: 'POST',
  });
  await answer.arrayBuffer();
}
await new Promise((resolve) => setTimeout(resolve, 1_500));
let number = 0;
await report('one store, without the gateway', stores[0]!);
await report('both stores there', gateway);
process.kill(stores[1]!.pid, 'SIGSTOP');
await new Promise((resolve) => setTimeout(resolve, 1_500));
const kept = await report('one store away', gateway);
process.kill(stores[1]!.pid, 'SIGCONT');
const startMs = performance.now();
while ((await metric('pollux_gateway_spool_replayed_total{member="b"}')) < kept) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const seconds = (performance.now() - startMs) / 1_000;
print(`delivered from the spool: ${(kept / seconds).toFixed(0)} requests/s, nobody else writing`);
await processes.stop();

function store(name: string): Promise<Running> {
  return processes.pollux(name, 'store', (port) => [
    `--data.dir=${processes.at(`store-${name}`)}`,
    `--http.bind-address=127.0.0.1:${port}`,
  ]);
}

/** Returns how many requests were answered with success. */
async function report(name: string, { port }: Running): Promise<number> {
  const endMs = performance.now() + SECONDS * 1_000;
  const latenciesMs: number[] = [];
  const send = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const lines = Array.from(
        { length: POINTS },
        (_, i) =>
          `cpu,host=h${i} value=${number}i ${1_700_000_000_000_000_000n + BigInt(number++)}`,
      );
      const askedMs = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}/write?db=x`, {
        method: 'POST',
        body: lines.join('\n'),
      });
      await answer.arrayBuffer();
      if (answer.status !== 204) throw new Error(`${name}: ${answer.status}`);
      latenciesMs.push(performance.now() - askedMs);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  const count = latenciesMs.length;
  const p99Ms = latenciesMs.sort((a, b) => a - b)[Math.floor(count * 0.99)] ?? Number.NaN;
  print(`${name}: ${(count / SECONDS).toFixed(0)} requests/s, p99 ${p99Ms.toFixed(0)} ms`);
  return count;
}

async function metric(name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/metrics`);
  const line = (await answer.text()).split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
