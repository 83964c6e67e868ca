import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Alertmanager, NO_CLUSTER, readConfig } from '@pollux/alertmanager';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BINARY = 'prometheus-alertmanager';

function isInstalled(): boolean {
  try {
    execFileSync(BINARY, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isThere = isInstalled();
const why = isThere ? '' : ` (skipped: ${BINARY} is not installed)`;
const env = nodeEnv();
const LIMITS = { maxConnections: 100, readTimeoutMs: 10_000 };

/** A webhook that keeps what it gets, by path. */
class Hook {
  readonly bodies = new Map<string, string[]>();
  #listener: Listener | null = null;

  async start(): Promise<string> {
    const at = { host: '127.0.0.1', port: 0 };
    this.#listener = await env.net.serveHttp({ at, ...LIMITS }, async (request) => {
      const body = new TextDecoder().decode(await request.body(1_000_000));
      this.bodies.set(request.target, [...(this.bodies.get(request.target) ?? []), body]);
      return { status: 200 };
    });
    return `http://127.0.0.1:${this.#listener.address.port}`;
  }

  async close(): Promise<void> {
    await this.#listener?.close(100);
  }
}

const configFor = (url: string, groupWait: string): string => `
route: {receiver: web.hook, group_by: [alertname, zone], group_wait: ${groupWait}, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: web.hook, webhook_configs: [{url: '${url}'}]}]
`;

type Running = { readonly url: string; stop(): Promise<void> };

async function startOurs(directory: string, hookUrl: string, groupWait = '0s'): Promise<Running> {
  const alertmanager = new Alertmanager({
    env,
    log: Log.silent(),
    registry: new Registry(),
    cluster: NO_CLUSTER,
    storageDirectory: directory,
    externalUrl: 'http://am.example',
    version: '0.1.0',
    reload: async () => {},
  });
  alertmanager
    .prepare(readConfig(configFor(hookUrl, groupWait), { file: 'alertmanager.yml' }))
    .commit();
  alertmanager.start();
  const router = new Router({ monotonic: () => env.clock.monotonic() });
  alertmanager.registerRoutes(router);
  const at = { host: '127.0.0.1', port: 0 };
  const listener = await env.net.serveHttp({ at, ...LIMITS }, router.handler);
  return {
    url: `http://127.0.0.1:${listener.address.port}`,
    stop: async () => {
      await listener.close(100);
      await alertmanager.close();
    },
  };
}

async function startReal(directory: string, hookUrl: string, groupWait = '0s'): Promise<Running> {
  const port = await freePort();
  const config = join(directory, 'alertmanager.yml');
  mkdirSync(directory, { recursive: true });
  writeFileSync(config, configFor(hookUrl, groupWait));
  const child = spawn(
    BINARY,
    [
      `--config.file=${config}`,
      `--storage.path=${directory}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.external-url=http://am.example',
      '--web.route-prefix=/',
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  children.add(child);
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await get(`${url}/-/ready`)).status === 200);
  return { url, stop: () => ended(child) };
}

const children = new Set<ChildProcess>();

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => {
      children.delete(child);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

async function until(test: () => Promise<boolean>): Promise<void> {
  const endMs = env.clock.monotonic() + 15_000;
  while (!(await test().catch(() => false))) {
    if (env.clock.monotonic() > endMs) throw new Error('waited 15 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const answer = await env.net.request({ method: 'GET', url, timeoutMs: 5_000 });
  return { status: answer.status, text: new TextDecoder().decode(answer.body) };
}

async function post(url: string, body: unknown): Promise<string> {
  const answer = await env.net.request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs: 5_000,
  });
  expect(answer.status).toBe(200);
  return new TextDecoder().decode(answer.body);
}

describe.skipIf(!isThere)(`beside Debian's Alertmanager${why}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-am-peer-'));
  const hook = new Hook();
  let hookUrl = '';

  beforeAll(async () => {
    hookUrl = await hook.start();
  });
  afterAll(async () => {
    await Promise.all([...children].map(ended));
    await hook.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('the same alerts give the same messages and the same list', async () => {
    // The real one begins a group with the first alert of a request: without a wait it may notify before it has the second,
    // and it does not wait for alerts that are older than the wait.
    const ours = await startOurs(join(directory, 'ours'), `${hookUrl}/ours`, '4s');
    const real = await startReal(join(directory, 'real'), `${hookUrl}/real`, '4s');
    const startMs = Math.floor(env.clock.now() / 1000) * 1000 - 1_000;
    const at = (ms: number): string => new Date(startMs + ms).toISOString();
    const alert = (labels: Record<string, string>, endsMs: number) => ({
      labels: { alertname: 'Über "x"\n', ...labels },
      annotations: { summary: 'a <b> & c \u2028', empty: '' },
      startsAt: at(120),
      endsAt: at(endsMs),
      generatorURL: 'http://prom/graph?a=1&b=2',
    });
    const alerts = [
      alert({ job: 'b', zone: 'z' }, 900_000),
      alert({ job: 'a', zone: 'z', z1: '' }, 900_000),
    ];
    for (const { url } of [ours, real]) await post(`${url}/api/v2/alerts`, alerts);
    const arrived = (path: string) => hook.bodies.get(path) ?? [];
    await until(async () => arrived('/ours').length > 0 && arrived('/real').length > 0);
    const ended = alert({ job: 'a', zone: 'z' }, 1_500);
    for (const { url } of [ours, real]) await post(`${url}/api/v2/alerts`, [ended]);
    await until(async () => arrived('/ours').length > 1 && arrived('/real').length > 1);
    for (const index of [0, 1]) {
      const { notification_reason, routeLabels, ...rest } = JSON.parse(
        arrived('/ours')[index] ?? '',
      ) as Record<string, unknown>;
      // These two came with 0.33 and 0.34.
      expect(notification_reason).toBe(index === 0 ? 'first notification' : 'some alerts resolved');
      expect(routeLabels).toEqual({});
      expect(rest).toEqual(JSON.parse(arrived('/real')[index] ?? ''));
      const keys = Object.keys(rest);
      expect(keys).toEqual(Object.keys(JSON.parse(arrived('/real')[index] ?? '') as object));
    }
    const list = async (url: string): Promise<unknown> =>
      (JSON.parse((await get(`${url}/api/v2/alerts`)).text) as Record<string, unknown>[]).map(
        ({ updatedAt: _, status, ...shown }) => {
          const { mutedBy: __, ...known } = status as Record<string, unknown>;
          return { ...shown, status: known };
        },
      );
    expect(await list(ours.url)).toEqual(await list(real.url));
    await Promise.all([ours.stop(), real.stop()]);
  });

  it('each goes on with the data directory of the other', async () => {
    const shared = join(directory, 'shared');
    const silence = {
      matchers: [{ name: 'zone', value: 'q.*', isRegex: true, isEqual: true }],
      startsAt: new Date(env.clock.now()).toISOString(),
      endsAt: new Date(env.clock.now() + 3_600_000).toISOString(),
      createdBy: 'me',
      comment: 'carried over',
    };
    const firing = (zone: string) => [{ labels: { alertname: 'Carried', zone } }];
    const comments = async (url: string): Promise<string[]> =>
      (JSON.parse((await get(`${url}/api/v2/silences`)).text) as { comment: string }[]).map(
        ({ comment }) => comment,
      );
    const states = async (url: string): Promise<string[]> =>
      (
        JSON.parse((await get(`${url}/api/v2/alerts`)).text) as {
          labels: { zone: string };
          status: { state: string };
        }[]
      )
        .map(({ labels, status }) => `${labels.zone} ${status.state}`)
        .sort();

    const ours = await startOurs(shared, `${hookUrl}/carried-1`);
    await post(`${ours.url}/api/v2/silences`, silence);
    await post(`${ours.url}/api/v2/alerts`, firing('a'));
    await until(async () => (hook.bodies.get('/carried-1') ?? []).length === 1);
    await ours.stop();

    const real = await startReal(shared, `${hookUrl}/carried-2`);
    await post(`${real.url}/api/v2/alerts`, [...firing('a'), ...firing('b'), ...firing('quiet')]);
    await until(async () => (hook.bodies.get('/carried-2') ?? []).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // Of zone a the real one knows by our log that it was told; quiet is silenced.
    expect(hook.bodies.get('/carried-2')?.map(groupKeyOf)).toEqual([
      '{}:{alertname="Carried", zone="b"}',
    ]);
    expect(await comments(real.url)).toEqual(['carried over']);
    expect(await states(real.url)).toEqual(['a active', 'b active', 'quiet suppressed']);
    await real.stop();

    const again = await startOurs(shared, `${hookUrl}/carried-3`);
    await post(`${again.url}/api/v2/alerts`, [...firing('a'), ...firing('b'), ...firing('c')]);
    await until(async () => (hook.bodies.get('/carried-3') ?? []).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(hook.bodies.get('/carried-3')?.map(groupKeyOf)).toEqual([
      '{}:{alertname="Carried", zone="c"}',
    ]);
    expect(await comments(again.url)).toEqual(['carried over']);
    await again.stop();
  });
});

function groupKeyOf(body: string): string {
  return (JSON.parse(body) as { groupKey: string }).groupKey;
}
