import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { freePort, hasNginx, NO_NGINX, type RunningNginx, startNginx } from './real-nginx.ts';

const SCRAPE_MS = 500;
const AWAY_MS = 8_000;
const NAMES = ['a', 'b'] as const;
type Name = (typeof NAMES)[number];

describe.skipIf(!hasNginx)(`our pair behind a real nginx${NO_NGINX}`, () => {
  const scratch = new Scratch();
  const servers = new Map<Name, RunningRole>();
  let target: http.Server;
  let ports: Readonly<Record<Name, number>>;
  let nginx: RunningNginx;

  beforeAll(async () => {
    const startedMs = Date.now();
    target = http.createServer((_, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(`c_total ${Date.now() - startedMs}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    ports = { a: await freePort(), b: await freePort() };
    await Promise.all(NAMES.map(start));
    const upstream = NAMES.map((name) => `server 127.0.0.1:${ports[name]};`).join(' ');
    nginx = await startNginx(
      scratch,
      'nginx',
      (port) =>
        `upstream pair { ${upstream} }
         server { listen 127.0.0.1:${port};
           location / { proxy_pass http://pair; proxy_set_header Host $http_host; proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
    );
  }, 120_000);
  afterAll(async () => {
    await nginx?.stop();
    await Promise.all([...servers.values()].map((role) => role.end('SIGKILL')));
    target?.closeAllConnections();
    target?.close();
    scratch.remove();
  });

  async function start(name: Name): Promise<void> {
    const { port } = target.address() as AddressInfo;
    const config = scratch.file(
      `${name}.yml`,
      `global: {scrape_interval: ${SCRAPE_MS}ms, scrape_timeout: ${SCRAPE_MS}ms, external_labels: {prometheus_replica: ${name}}}
scrape_configs: [{job_name: j, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]
`,
    );
    const twin = name === 'a' ? 'b' : 'a';
    const server = await RunningRole.start([
      'server',
      `--config.file=${config}`,
      `--storage.tsdb.path=${scratch.at(name)}`,
      `--web.listen-address=127.0.0.1:${ports[name]}`,
      '--query.lookback-delta=2s',
      `--ha.twin=http://127.0.0.1:${ports[twin]}`,
      '--ha.twin.clock-difference=200ms',
    ]);
    servers.set(name, server);
  }

  /** Steps that a graph of c_total has, through nginx, which asks one after the other. */
  async function stepsOf(startMs: number, endMs: number, method: 'GET' | 'POST'): Promise<number> {
    const form = new URLSearchParams({
      query: 'c_total',
      start: String(startMs / 1_000),
      end: String(endMs / 1_000),
      step: '0.5',
    });
    const url = `http://127.0.0.1:${nginx.port}/api/v1/query_range`;
    const answer = await (method === 'GET'
      ? fetch(`${url}?${form}`)
      : fetch(url, { method, body: form }));
    expect(answer.status).toBe(200);
    const { data } = (await answer.json()) as {
      readonly data: { readonly result: readonly { readonly values: readonly unknown[] }[] };
    };
    expect(data.result.length).toBeLessThanOrEqual(1);
    return data.result[0]?.values.length ?? 0;
  }

  it('shows no gap, whichever of the two is asked, once the one that was away has filled its own', async () => {
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await pause(5_000);
    const awayMs = Date.now();
    await servers.get('a')?.end('SIGKILL');
    await pause(AWAY_MS);
    await start('a');
    const [startMs, endMs] = [awayMs - 2_000, awayMs + AWAY_MS];
    const whole = Math.floor((endMs - startMs) / 500) + 1;
    await eventually('no gap from either', 60_000, async () => {
      const counts = await Promise.all(
        Array.from({ length: 6 }, (_, i) => stepsOf(startMs, endMs, i % 3 === 0 ? 'POST' : 'GET')),
      );
      return counts.every((count) => count === whole) ? true : null;
    });
    const { healing } = JSON.parse((await servers.get('a')!.get('/api/v1/pollux/status')).text);
    expect(healing.healedSeconds).toBeGreaterThan(AWAY_MS / 1_000 - 3);
    // Of the one that was away, all are of the other: no step back where they meet.
    const resets = await servers.get('a')!.query('resets(c_total[60s])');
    expect(resets.map(({ value }) => value[1])).toEqual(['0']);
  }, 120_000);
});
