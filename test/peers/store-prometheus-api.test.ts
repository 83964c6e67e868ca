import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, startPrometheus } from './real-prometheus.ts';

type Body = { readonly status?: string; readonly data?: unknown; readonly error?: string };

let scratch: Scratch;
let close: (() => Promise<unknown>)[];
beforeEach(() => {
  scratch = new Scratch();
  close = [async () => scratch.remove()];
});
afterEach(async () => {
  for (const each of close.reverse()) await each();
});

async function startStore(variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const store = await RunningRole.start(
    ['store', `--data.dir=${scratch.at('store')}`, '--http.bind-address=127.0.0.1:0'],
    { INFLUXDB_DB: 'prometheus', ...variables },
  );
  close.push(() => store.end());
  return store.url;
}

async function ask(url: string): Promise<Body & { readonly code: number }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  return { code: answer.status, ...((await answer.json()) as Body) };
}

describe('the Prometheus API of a store', () => {
  it('reads the database and policy that are named, of users who may read them', async () => {
    const url = await startStore({ INFLUXDB_HTTP_AUTH_ENABLED: 'true' });
    const query = async (q: string, login = ''): Promise<void> => {
      const answer = await fetch(`${url}/query?${new URLSearchParams({ q })}${login}`, {
        method: 'POST',
      });
      expect(await answer.text()).not.toContain('error');
    };
    const admin = '&u=root&p=secret';
    await query(`CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES`);
    await query(
      `CREATE DATABASE other; CREATE RETENTION POLICY long ON other DURATION INF REPLICATION 1; CREATE USER r WITH PASSWORD 'r'; GRANT READ ON other TO r`,
      admin,
    );
    const lines = 'cpu,host=a value=1 1000000000\ncpu,host=b idle=3 1000000000';
    for (const place of ['db=other', 'db=other&rp=long']) {
      const written = await fetch(`${url}/write?${place}${admin}`, { method: 'POST', body: lines });
      expect(written.status).toBe(204);
    }

    const at = `${url}/api/v1/query?query=cpu&time=1`;
    expect(await ask(at)).toMatchObject({ code: 401 });
    expect(await ask(`${at}&db=other&u=r&p=wrong`)).toMatchObject({ code: 401 });
    expect(await ask(`${at}&u=r&p=r`)).toMatchObject({ code: 403 });
    expect(await ask(`${at}&db=nowhere${admin}`)).toMatchObject({ code: 404 });
    expect(await ask(`${at}&db=other&rp=none${admin}`)).toMatchObject({ code: 404 });
    for (const place of ['&db=other', '&db=other&rp=long'])
      expect(await ask(`${at}${place}&u=r&p=r`)).toMatchObject({
        code: 200,
        data: { result: [{ metric: { __name__: 'cpu', host: 'a' }, value: [1, '1'] }] },
      });
    const form = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('r:r').toString('base64')}` },
      body: new URLSearchParams({ query: 'count(cpu)', time: '1', db: 'other' }),
    });
    expect(await form.json()).toMatchObject({
      data: { result: [{ metric: {}, value: [1, '1'] }] },
    });
    const names = `${url}/api/v1/label/__name__/values?db=other&u=r&p=r`;
    expect(await ask(names)).toMatchObject({ code: 200, data: ['cpu'] });
  });
});

describe.skipIf(!hasPrometheus)(`a Prometheus that writes to a store${NO_PROMETHEUS}`, () => {
  it('is answered for by the store: queries, series, labels', { timeout: 120_000 }, async () => {
    const store = await startStore();
    const config = scratch.file(
      'prometheus.yml',
      `
global: {scrape_interval: 1s, external_labels: {prometheus_replica: A}}
remote_write: [{url: '${store}/api/v1/prom/write?db=prometheus'}]
scrape_configs: [{job_name: self, static_configs: [{targets: ['gone.invalid:1']}]}]
rule_files: [rules.yml]
`,
    );
    const record = [1, 2, 3].map(
      (n) => `{record: 'made:${n}', expr: 'vector(time() * ${n})', labels: {n: '${n}'}}`,
    );
    scratch.file('rules.yml', `groups: [{name: g, interval: 1s, rules: [${record.join(', ')}]}]\n`);
    const server = await startPrometheus([
      `--config.file=${config}`,
      `--storage.tsdb.path=${scratch.at('prometheus')}`,
    ]);
    close.push(() => server.stop());
    const atS = await eventually('samples of 5 s in the store', 60_000, async () => {
      const { data } = await ask(
        `${store}/api/v1/query?query=timestamp(up)-5>min_over_time(timestamp(up)[1m:1s])`,
      );
      const [row] = (data as { result: { value: [number, string] }[] }).result;
      return row === undefined ? null : row.value[0] - 2;
    });
    const range = `start=${atS - 2}&end=${atS}`;
    for (const page of [
      `query?query=up&time=${atS}`,
      `query?query=made:1[5s]&time=${atS}`,
      `query_range?query=sum(max_over_time({__name__=~"made:.*"}[3s]))&step=1&${range}`,
      `series?match[]={n=~".%2B"}&${range}`,
      `labels?match[]=made:2&${range}`,
      `label/n/values?${range}`,
      'format_query?query=up%2bup',
    ]) {
      const [ours, theirs] = [
        await ask(`${store}/api/v1/${page}`),
        await ask(`${server.url}/api/v1/${page}`),
      ];
      expect(ours, page).toEqual(theirs);
      expect(JSON.stringify(theirs.data).length, page).toBeGreaterThan(4);
    }

    // A writes and reads, B reads only; both have an empty disk.
    const wanted = await ask(`${server.url}/api/v1/query?query=made:1[5s]&time=${atS}`);
    for (const name of ['A', 'B']) {
      const config = `
global: {external_labels: {prometheus_replica: ${name}}}
remote_read: [{url: '${store}/api/v1/prom/read?db=prometheus', read_recent: true}]
`;
      const reader = await startPrometheus([
        `--config.file=${scratch.file(`reader-${name}.yml`, config)}`,
        `--storage.tsdb.path=${scratch.at(`reader-${name}`)}`,
      ]);
      close.push(() => reader.stop());
      const got = await ask(`${reader.url}/api/v1/query?query=made:1[5s]&time=${atS}`);
      expect(got, name).toEqual(wanted);
    }
  });
});
