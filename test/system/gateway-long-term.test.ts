import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Matcher } from '@pollux/model';
import { decodeReadResponse, encodeReadRequest, snappyDecode, snappyEncode } from '@pollux/remote';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const scratch = new Scratch();
const closers: (() => Promise<unknown>)[] = [];
let store: RunningRole;
let server: RunningRole;
let gateway: RunningRole;
let fromMs = 0;

type Told = { readonly value: number; readonly warnings: readonly string[]; readonly by: string };

/** A server that has lost all it had and begun anew, beside a store that it wrote to all the time. */
beforeAll(async () => {
  const beganMs = Date.now();
  const target = http.createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`asked_total ${Date.now() - beganMs}\n`);
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  closers.push(async () => target.close());
  store = await RunningRole.start(
    ['store', '--http.bind-address=127.0.0.1:0', `--data.dir=${scratch.at('store')}`],
    { INFLUXDB_DB: 'prometheus' },
  );
  closers.push(() => store.end());
  const config = scratch.file(
    'prometheus.yml',
    `global: {scrape_interval: 500ms, external_labels: {prometheus_replica: a, site: x}}
scrape_configs:
  - job_name: x
    static_configs: [{targets: ['127.0.0.1:${(target.address() as AddressInfo).port}']}]
remote_write: [{url: '${store.url}/api/v1/prom/write?db=prometheus', queue_config: {batch_send_deadline: 200ms}}]
`,
  );
  const start = (directory: string): Promise<RunningRole> =>
    RunningRole.start([
      'server',
      `--config.file=${config}`,
      `--storage.tsdb.path=${scratch.at(directory)}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
  const before = await start('before');
  fromMs = Date.now();
  await eventually('ten samples in the store', 60_000, async () =>
    (await stored(fromMs, Date.now())).length >= 10 ? true : null,
  );
  await before.end('SIGKILL');
  server = await start('after');
  closers.push(() => server.end());
  const ownSinceMs = Date.now();
  await eventually('ten more samples in the store', 60_000, async () =>
    (await stored(ownSinceMs, Date.now())).length >= 10 ? true : null,
  );
  const file = scratch.file(
    'gateway.yml',
    `groups:
  - {name: servers, kind: server, members: [{name: a, url: '${server.url}'}]}
  - {name: stores, kind: store, members: [{name: s, url: '${store.url}'}]}
health_interval: 400ms
long_term: {}
`,
  );
  gateway = await RunningRole.start([
    'gateway',
    `--config.file=${file}`,
    `--storage.path=${scratch.at('gateway')}`,
    '--web.listen-address=127.0.0.1:0',
  ]);
  closers.push(() => gateway.end());
}, 180_000);
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  scratch.remove();
}, 120_000);

it('answers across the joint as a server that had kept all', async () => {
  // A whole second, well behind what may still be on its way to the store.
  const atMs = Math.floor(Date.now() / 1_000) * 1_000;
  await eventually('the newest sample in the store', 30_000, async () =>
    (await stored(atMs, Date.now())).length > 2 ? true : null,
  );
  const rangeS = Math.ceil((atMs - fromMs) / 1_000);
  const truth = await stored(atMs - rangeS * 1_000 + 1, atMs);
  const sum = truth.reduce((all, value) => all + value, 0);
  const told = await eventually('a splice', 30_000, async () => {
    const answer = await ask(gateway, `sum_over_time(asked_total[${rangeS}s])`, atMs);
    return answer.by.includes('s') ? answer : null;
  });
  expect(told.value).toBe(sum);
  // Nobody was there while the server was away; the store cannot have that either.
  for (const warning of told.warnings) expect(warning).toMatch(/^no replica covers /);
  const count = `count_over_time(asked_total[${rangeS}s])`;
  expect((await ask(gateway, count, atMs)).value).toBe(truth.length);
  expect((await ask(server, count, atMs)).value).toBeLessThan(truth.length - 5);
  expect((await ask(gateway, `resets(asked_total[${rangeS}s])`, atMs)).value).toBe(0);
  const labels = `count(asked_total{site="",prometheus_replica=""} offset ${rangeS - 3}s)`;
  expect((await ask(gateway, labels, atMs)).value).toBe(1);
}, 120_000);

/** Values of the one series that the store holds from `minMs` to `maxMs`. */
async function stored(minMs: number, maxMs: number): Promise<readonly number[]> {
  const matchers = [Matcher.metric('asked_total')];
  const query = { startMs: minMs, endMs: maxMs, matchers, hints: null };
  const body = snappyEncode(encodeReadRequest({ queries: [query], accepted: [] }));
  const answer = await fetch(`${store.url}/api/v1/prom/read?db=prometheus`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  const [series = []] = decodeReadResponse(
    await snappyDecode(new Uint8Array(await answer.arrayBuffer())),
  );
  return series.flatMap(({ count, values }) =>
    [...values.subarray(0, count)].filter((value) => !Number.isNaN(value)),
  );
}

/** The one value of an instant query; NaN for none. */
async function ask(role: RunningRole, query: string, atMs: number): Promise<Told> {
  const { status, text, headers } = await role.get(
    `/api/v1/query?query=${encodeURIComponent(query)}&time=${atMs / 1_000}`,
  );
  if (status !== 200) throw new Error(text);
  const { data, warnings = [] } = JSON.parse(text);
  return {
    value: Number(data.result[0]?.value[1] ?? Number.NaN),
    warnings,
    by: headers.get('x-pollux-replica') ?? '',
  };
}
