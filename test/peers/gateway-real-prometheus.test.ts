import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeEnv } from '@pollux/base/node';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';

const METRICS = `# HELP answers Of everything.
# TYPE answers gauge
answers{kind="all"} 42
# HELP asked_total Questions.
# TYPE asked_total counter
asked_total 7
`;
const RULES = `
groups:
  - name: g
    interval: 1s
    rules:
      - {record: 'answers:double', expr: 'answers * 2'}
      - {alert: Answered, expr: 'answers > 1', labels: {severity: page}}
      - {alert: Slow, expr: 'answers > 1', for: 1h}
`;

describe.skipIf(!hasPrometheus)(`the gateway over two real Prometheus${NO_PROMETHEUS}`, () => {
  const scratch = new Scratch();
  const servers: Server[] = [];
  const closers: (() => Promise<void>)[] = [];
  let gateway = '';

  beforeAll(async () => {
    const target = http.createServer((_, response) => response.end(METRICS));
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    closers.push(async () => void target.close());
    const { port } = target.address() as AddressInfo;
    const rules = scratch.file('rules.yml', RULES);
    for (const name of ['a', 'b']) {
      const config = scratch.file(
        `${name}.yml`,
        `global: {scrape_interval: 1s, external_labels: {replica: ${name}}}
rule_files: [${rules}]
scrape_configs:
  - job_name: x
    static_configs: [{targets: ['127.0.0.1:${port}']}]
`,
      );
      servers.push(
        await startPrometheus([
          `--config.file=${config}`,
          `--storage.tsdb.path=${scratch.at(`data-${name}`)}`,
        ]),
      );
    }
    gateway = await startGateway(servers);
    await eventually('alerts of both', 60_000, async () => {
      const all = await Promise.all(servers.map(({ url }) => data(url, '/api/v1/alerts')));
      const counts = all.map((one) => (one as { alerts: unknown[] }).alerts.length);
      return counts.every((count) => count === 2) ? true : null;
    });
  }, 120_000);
  afterAll(async () => {
    for (const close of closers) await close();
    await Promise.all(servers.map((server) => server.kill()));
    scratch.remove();
  });

  it.each([
    '/api/v1/labels',
    '/api/v1/labels?match[]=answers',
    '/api/v1/label/__name__/values',
    '/api/v1/label/job/values?match[]=up',
    '/api/v1/series?match[]={job="x"}&match[]=ALERTS',
    '/api/v1/metadata',
    '/api/v1/metadata?metric=answers',
    '/api/v1/targets/metadata?metric=answers',
    '/api/v1/query_exemplars?query=answers',
  ])('%s: as one of them answers', async (path) => {
    const [mine, his] = await Promise.all([data(gateway, path), data(servers[0]?.url ?? '', path)]);
    expect(mine).toEqual(his);
  });

  it('/api/v1/metadata?limit=1: any one of all, as Go’s maps have no order', async () => {
    const server = servers[0]?.url ?? '';
    const whole = (await data(server, '/api/v1/metadata')) as Record<string, unknown>;
    for (const origin of [gateway, server]) {
      const found = Object.entries((await data(origin, '/api/v1/metadata?limit=1')) as object);
      expect(found).toHaveLength(1);
      for (const [name, entry] of found) expect(entry).toEqual(whole[name]);
    }
  });

  it.each(['/api/v1/targets', '/api/v1/rules', '/api/v1/alerts'])(
    '%s: as one of them answers, but for times',
    async (path) => {
      const answers = await Promise.all(
        [gateway, servers[0]?.url ?? ''].map((url) => data(url, path)),
      );
      const [mine, his] = answers.map((answer) => JSON.parse(JSON.stringify(answer, timeless)));
      expect(mine).toEqual(his);
    },
  );

  it('federates one of them', async () => {
    const lines = async (url: string): Promise<string[]> => {
      const answer = await fetch(`${url}/federate?match[]=answers`);
      return (await answer.text()).split('\n').map((line) => line.replace(/ \d+$/, ''));
    };
    const [mine, first, second] = await Promise.all(
      [gateway, ...servers.map(({ url }) => url)].map(lines),
    );
    expect([first, second]).toContainEqual(mine);
    expect(mine?.length).toBeGreaterThan(2);
  });

  it('refuses in their own words', async () => {
    const ask = async (url: string): Promise<unknown> => {
      const answer = await fetch(`${url}/api/v1/series?match[]=}`);
      return [answer.status, await answer.json()];
    };
    expect(await ask(gateway)).toEqual(await ask(servers[0]?.url ?? ''));
  });

  it('goes on when one is gone', async () => {
    await servers[0]?.kill();
    const answer = await fetch(`${gateway}/api/v1/labels`);
    const { data: labels } = (await answer.json()) as { data: string[] };
    expect(labels).toContain('kind');
    expect((await fetch(`${gateway}/api/v1/rules`)).status).toBe(200);
  });

  async function startGateway(members: readonly Server[]): Promise<string> {
    const env = nodeEnv();
    const listed = members.map(({ url }, index) => `{name: m${index}, url: '${url}'}`).join(', ');
    const config = parseGatewayConfig(
      `groups: [{name: s, kind: server, members: [${listed}]}]`,
      'gateway.yml',
    );
    const made = new Gateway({ env, log: Log.silent(), registry: new Registry(), config });
    const router = new Router({ monotonic: () => env.clock.monotonic() });
    made.registerRoutes(router);
    const at = { host: '127.0.0.1', port: 0 };
    const listener = await env.net.serveHttp(
      { at, maxConnections: 50, readTimeoutMs: 10_000 },
      made.handlerOver(router.handler),
    );
    made.start();
    closers.push(async () => {
      await listener.close(0);
      await made.close();
    });
    await eventually('ready gateway', 10_000, async () => (made.isReady ? true : null));
    return `http://127.0.0.1:${listener.address.port}`;
  }
});

async function data(url: string, path: string): Promise<unknown> {
  const answer = await fetch(url + path);
  const envelope = (await answer.json()) as { readonly data?: unknown };
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(envelope)}`);
  return envelope.data;
}

/** Leaves out when and for how long something was done. */
function timeless(key: string, value: unknown): unknown {
  return /^(?:last|evaluationTime|activeAt)/.test(key) ? undefined : value;
}
