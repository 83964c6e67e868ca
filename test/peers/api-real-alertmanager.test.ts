import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as send } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_DEVIATIONS, type Deviation } from './api-deviations.ts';
import { type ApiRequest, apiRequests } from './api-requests.ts';

/** Debian's, or one that is named: `POLLUX_PEER_ALERTMANAGER=…` with `POLLUX_PEER_ALERTMANAGER_MINOR=34`. */
const BINARY = process.env.POLLUX_PEER_ALERTMANAGER ?? 'prometheus-alertmanager';
const MINOR = Number(process.env.POLLUX_PEER_ALERTMANAGER_MINOR ?? '25');
const POLLUX = resolve(import.meta.dirname, '../../bin/pollux');
const isBuilt = existsSync(resolve(import.meta.dirname, '../../apps/pollux/dist/main.js'));
const isInstalled = spawnSync(BINARY, ['--version']).error === undefined;
const isThere = isBuilt && isInstalled;
const needs = isBuilt ? `needs ${BINARY}: npm run peers` : 'needs a build: npm run build';
const why = isThere ? '' : ` (${needs})`;

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 1h, routes: [{matchers: [team=db], receiver: 'd<b>', group_wait: 1h}]}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}, {name: 'd<b>'}]
`;

/** What a client may see of an answer. */
type Seen = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Of these the other headers differ by nature: dates, lengths of chunks, the connection. */
const HEADERS = [
  'content-type',
  'cache-control',
  'allow',
  'vary',
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'location',
  'www-authenticate',
  'x-content-type-options',
];

function ask(port: number, { method, target, headers, body }: ApiRequest): Promise<Seen> {
  return new Promise((done) => {
    const options = { host: '127.0.0.1', port, method, path: target, headers, agent: false };
    const asking = send(options, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const shown = HEADERS.flatMap((name) => {
          const value = answer.headers[name];
          if (value === undefined) return [];
          // The original lists methods in no order.
          return [[name, name === 'allow' ? inOrder(String(value)) : String(value)] as const];
        });
        done({
          status: answer.statusCode ?? 0,
          headers: Object.fromEntries(shown),
          body: comparable(Buffer.concat(parts).toString()),
        });
      });
    });
    asking.setTimeout(10_000, () => asking.destroy(new Error('no answer')));
    asking.on('error', (error) => done({ status: 0, headers: {}, body: error.message }));
    asking.end(body);
  });
}

function inOrder(list: string): string {
  return list.split(/, ?/).sort().join(',');
}

/** Times and new ids replaced by what they are. */
function comparable(body: string): string {
  return body
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g, (time) =>
      /^(?:2099|2098|2000|0001)/.test(time) ? time : 'TIME',
    )
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) =>
      id.startsWith('00000000') ? id : 'ID',
    )
    .replace(/but \[([A-Z,]+)\] are/, (_, list: string) => `but [${inOrder(list)}] are`)
    .replace(/"versionInfo":\{[^}]*\}/, '"versionInfo":{…}')
    .replace(
      /"original":"(?:[^"\\]|\\.)*(<secret>|\\u003csecret\\u003e)(?:[^"\\]|\\.)*"/,
      '"original":"…$1…"',
    );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

describe.skipIf(!isThere)(`answers of API v2 beside a real Alertmanager${why}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-api-'));
  const config = join(directory, 'am.yml');
  writeFileSync(config, CONFIG);
  const processes: ChildProcess[] = [];
  let ports: readonly [ours: number, theirs: number] = [0, 0];

  async function start(name: string, program: string, args: readonly string[]): Promise<number> {
    const port = await freePort();
    const flags = [
      `--config.file=${config}`,
      `--storage.path=${join(directory, name)}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.external-url=http://am.example/',
      '--web.route-prefix=/',
      '--cluster.listen-address=',
    ];
    const child = spawn(program, [...args, ...flags], { stdio: 'ignore' });
    processes.push(child);
    for (let attempt = 0; attempt < 600; attempt++) {
      const ready = { method: 'GET', target: '/-/ready' };
      if ((await ask(port, ready)).status === 200) return port;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`${name} does not start`);
  }

  beforeAll(async () => {
    ports = [await start('ours', POLLUX, ['alertmanager']), await start('theirs', BINARY, [])];
  }, 120_000);

  afterAll(async () => {
    for (const child of processes) {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill();
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const used = new Set<Deviation>();

  it('differ only where a reason is given', async () => {
    const differences: string[] = [];
    for (const one of apiRequests()) {
      if (one.since !== undefined && MINOR < one.since) continue;
      const [ours, theirs] = [await ask(ports[0], one), await ask(ports[1], one)];
      let [a, b] = [ours, theirs];
      for (const deviation of API_DEVIATIONS) {
        if (deviation.below !== undefined && MINOR >= deviation.below) continue;
        const [evenA, evenB] = [deviation.even(a, one), deviation.even(b, one)];
        if (JSON.stringify([a, b]) === JSON.stringify([evenA, evenB])) continue;
        if (JSON.stringify(a) !== JSON.stringify(b)) used.add(deviation);
        [a, b] = [evenA, evenB];
      }
      if (JSON.stringify(a) === JSON.stringify(b)) continue;
      const shown = `${one.method} ${one.target} ${JSON.stringify(one.headers ?? {})} ${(one.body ?? '').slice(0, 200)}`;
      differences.push(
        `${shown}\n  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`,
      );
    }
    expect(differences.join('\n\n')).toBe('');
  }, 120_000);

  it('and every reason is needed', () => {
    const idle = API_DEVIATIONS.filter(
      (one) =>
        (one.below === undefined || MINOR < one.below) && !used.has(one) && one.isByChance !== true,
    );
    expect(idle.map(({ reason }) => reason)).toEqual([]);
  });
});
