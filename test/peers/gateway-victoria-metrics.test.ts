import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { freePort } from './real-nginx.ts';

const isThere = spawnSync('sh', ['-c', 'command -v victoria-metrics']).status === 0;
const SKIPPED = isThere ? '' : ' (skipped: no victoria-metrics here; run `npm run peers`)';
/** Of the samples, all of which both members have. */
const STEP_S = 15;
const COUNT = 40;

describe.skipIf(!isThere)(`the gateway over two VictoriaMetrics${SKIPPED}`, () => {
  const scratch = new Scratch();
  const members: { readonly url: string; readonly child: ChildProcess }[] = [];
  const endS = Math.floor(Date.now() / 1_000 / STEP_S) * STEP_S - 60;
  const startS = endS - COUNT * STEP_S;
  let gateway: RunningRole;

  beforeAll(async () => {
    for (const name of ['a', 'b']) {
      const port = await freePort();
      const flags = [`-storageDataPath=${scratch.at(name)}`, `-httpListenAddr=127.0.0.1:${port}`];
      const child = spawn('victoria-metrics', [...flags, '-loggerLevel=ERROR'], {
        stdio: 'ignore',
      });
      const url = `http://127.0.0.1:${port}`;
      members.push({ url, child });
      await eventually('VictoriaMetrics', 30_000, async () =>
        (await fetch(`${url}/-/ready`)).ok ? true : null,
      );
      const lines = Array.from({ length: COUNT }, (_, i) => {
        const atMs = (startS + i * STEP_S) * 1_000;
        return `c_total{i="1"} ${i * 30} ${atMs}\nc_total{i="2"} ${i * 60} ${atMs}\n`;
      });
      // What the first alone has.
      if (name === 'a') lines.push(`only_a{x="y"} 1 ${endS * 1_000}\n`);
      const path = '/api/v1/import/prometheus';
      await fetch(url + path, { method: 'POST', body: lines.join('') });
      await eventually('samples', 30_000, async () => {
        const answer = await fetch(`${url}/api/v1/series?match[]=c_total&start=${startS}`);
        return ((await answer.json()) as { data: unknown[] }).data.length === 2 ? true : null;
      });
    }
    const listed = members.map(({ url }, i) => `{name: m${i}, url: "${url}"}`).join(', ');
    const file = scratch.file(
      'gateway.yml',
      `groups: [{name: s, kind: server, members: [${listed}]}]\n`,
    );
    gateway = await RunningRole.start([
      'gateway',
      `--config.file=${file}`,
      `--storage.path=${scratch.at('gateway')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    await eventually('both are up', 20_000, async () => {
      const { groups } = JSON.parse((await gateway.get('/api/v1/pollux/pair')).text).data;
      return groups[0].members.every(({ isUp }: { isUp: boolean }) => isUp) ? true : null;
    });
  }, 120_000);
  afterAll(async () => {
    await gateway?.end();
    for (const { child } of members) child.kill('SIGKILL');
    scratch.remove();
  });

  const QUERIES = ['c_total', 'sum(rate(c_total[2m]))', 'max by (i) (c_total) > 100'];
  const rangeOf = (query: string): string =>
    `/api/v1/query_range?query=${encodeURIComponent(query)}&start=${startS + 300}&end=${endS}&step=${STEP_S}`;

  async function answerOf(path: string): Promise<unknown> {
    const { status, text } = await gateway.get(path);
    expect(status, text).toBe(200);
    const { data, warnings } = JSON.parse(text);
    expect(warnings).toBeUndefined();
    return data;
  }

  it('answers queries as one of them does', async () => {
    for (const query of QUERIES) {
      const direct = await fetch(members[1]!.url + rangeOf(query));
      const { data } = (await direct.json()) as { readonly data: { readonly result: unknown[] } };
      expect(data.result.length).toBeGreaterThan(0);
      expect(await answerOf(rangeOf(query))).toEqual(data);
    }
  });

  it('answers names and series with what either has', async () => {
    expect(await answerOf(`/api/v1/label/__name__/values?start=${startS}`)).toEqual([
      'c_total',
      'only_a',
    ]);
    expect(await answerOf(`/api/v1/labels?start=${startS}`)).toEqual(['__name__', 'i', 'x']);
    const series = await answerOf(`/api/v1/series?match[]=only_a&start=${startS}`);
    expect(series).toEqual([{ __name__: 'only_a', x: 'y' }]);
  });

  it('goes on without a request lost when one is killed', async () => {
    const before = await answerOf(rangeOf(QUERIES[1]!));
    members[0]!.child.kill('SIGKILL');
    for (let i = 0; i < 20; i++) expect(await answerOf(rangeOf(QUERIES[1]!))).toEqual(before);
  });
});
