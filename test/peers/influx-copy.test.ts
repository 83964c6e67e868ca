import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Env, HttpPool, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { command as influx } from '@pollux/roles/influx';
import { command as tool } from '@pollux/roles/tool';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStore } from '../../packages/influx/test/harness.ts';
import { runInPlace } from '../../packages/roles/src/command/testing.ts';
import { hasInfluxd, NO_INFLUXD, type RealInfluxd, startInfluxd } from './real-influxd.ts';

const WEEK_S = 7 * 86_400;
const BEGIN_S = 1_700_000_000;
/** What line protocol can say, three weeks of it; more points in one series than one piece of an answer holds. */
const LINES = [
  `types,host=a,region=x f=1.5,i=9223372036854775807i,b=true,s="he \\"l,lo\\\\ = \n line" ${BEGIN_S}000000001`,
  `types,host=b f=-1e-300,i=-9223372036854775808i,b=false,s="" ${BEGIN_S + WEEK_S}000000002`,
  `types f=12345678901234567000 ${BEGIN_S + 2 * WEEK_S}000000003`,
  `my\\ cpu\\,x,a\\ b\\=c=d\\ e\\,f\\=g\\h,ü=日本 v\\ al\\=ue=1 ${BEGIN_S}000000000`,
  // Whole numbers and texts in one week, floats in another.
  `mixed v=1i,w="text" ${BEGIN_S}000000000`,
  `mixed v=2.5,w=3 ${BEGIN_S + WEEK_S}000000000`,
  ...Array.from({ length: 12_000 }, (_, i) => `long,k=v n=${i}i ${BEGIN_S + i}000000000`),
];
const QUESTIONS = [
  'SELECT * FROM d.autogen.types GROUP BY *',
  'SELECT * FROM d.autogen."my cpu,x" GROUP BY *',
  'SELECT v FROM d.autogen.mixed',
  'SELECT w::float FROM d.autogen.mixed',
  'SELECT count(n), sum(n), last(n) FROM d.autogen.long GROUP BY *',
  'SELECT * FROM d.second.m',
  'SHOW RETENTION POLICIES ON d',
  'SHOW FIELD KEYS ON d FROM types',
  'SHOW TAG KEYS ON d',
  'SHOW SERIES ON d',
];

async function ask(url: string, q: string): Promise<string> {
  const body = new URLSearchParams({ q, epoch: 'ns' });
  return (await (await fetch(`${url}/query`, { method: 'POST', body })).text()).trim();
}

async function fill(url: string): Promise<void> {
  await ask(
    url,
    'CREATE DATABASE d WITH DURATION 520w REPLICATION 1 SHARD DURATION 1w NAME autogen',
  );
  await ask(
    url,
    'CREATE RETENTION POLICY second ON d DURATION INF REPLICATION 1 SHARD DURATION 1d',
  );
  for (const [policy, lines] of [
    ['autogen', LINES],
    ['second', ['m,t=1 v=1 1', `m,t=2 v=2 ${BEGIN_S}000000000`]],
  ] as const) {
    const body = lines.join('\n');
    const answer = await fetch(`${url}/write?db=d&rp=${policy}`, { method: 'POST', body });
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  }
}

describe.skipIf(!hasInfluxd)(`copies of a real InfluxDB${NO_INFLUXD}`, () => {
  const env = nodeEnv();
  const directory = mkdtempSync(path.join(tmpdir(), 'pollux-copy-'));
  const store = new TestStore();
  let listener: Listener;
  let influxd: RealInfluxd;
  let ours: string;
  let truth: readonly string[];

  const answers = (url: string): Promise<string[]> =>
    Promise.all(QUESTIONS.map((q) => ask(url, q)));
  const run = (args: readonly string[], more: Partial<Parameters<typeof runInPlace>[2]> = {}) =>
    runInPlace(tool, ['influx', ...args], { env, ...more });
  const restart = async (): Promise<void> => {
    await ask(influxd.url, 'DROP DATABASE d');
    await ask(ours, 'DROP DATABASE d');
  };

  beforeAll(async () => {
    influxd = await startInfluxd();
    await store.open();
    const at = { host: '127.0.0.1', port: 0 };
    listener = await env.net.serveHttp(
      { at, maxConnections: 64, readTimeoutMs: 30_000 },
      store.handler,
    );
    ours = `http://127.0.0.1:${listener.address.port}`;
    await fill(influxd.url);
    truth = await answers(influxd.url);
    for (const [i, text] of truth.entries()) expect(text, QUESTIONS[i]).toContain('"series"');
  });
  afterAll(async () => {
    await listener.close(100);
    await store.close();
    await influxd.end();
    rmSync(directory, { recursive: true, force: true });
  });

  it('go into a store whole: policies, names, types, every digit', async () => {
    const { status, stdout, stderr } = await run(['copy', '--from', influxd.url, '--to', ours]);
    expect(stderr.replace(/^copying: .*\n/gm, '')).toBe(
      'mixed.v is a whole number in one shard group and a float in another: all are floats\n',
    );
    expect([status, stdout]).toEqual([0, `copied ${LINES.length + 3} points\n`]);
    expect(await answers(ours)).toEqual(truth);
  });

  it('go on where they were broken off, and do nothing twice', async () => {
    await ask(ours, 'DROP DATABASE d');
    const state = path.join(directory, 'state');
    const args = ['copy', '--from', influxd.url, '--to', ours, '--state', state];
    const stop = new AbortController();
    const broken = await run(args, {
      env: stoppedAfter(env, 14, stop),
      signal: stop.signal,
    });
    expect([broken.status, broken.stderr]).toEqual([1, expect.stringContaining('canceled')]);
    const before = readFileSync(state, 'utf8').split('\n').length;
    expect(before).toBeGreaterThan(2);
    const { stdout } = await run(args);
    const copied = Number(/copied (\d+) points/.exec(stdout)?.[1]);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(LINES.length + 3);
    expect(await answers(ours)).toEqual(truth);
    expect((await run(args)).stdout).toBe('copied 0 points\n');
    const other = await run(['copy', '--from', ours, '--to', influxd.url, '--state', state]);
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining('another copy')]);
  });

  it('take another name, and a part of the time', async () => {
    const end = new Date((BEGIN_S + WEEK_S / 2) * 1_000).toISOString();
    const part = ['--database', 'd', '--retention', 'autogen', '--as', 'e f', '--end', end];
    await run(['copy', '--from', influxd.url, '--to', ours, ...part]);
    expect(await ask(ours, 'SELECT i FROM "e f".autogen.types')).toContain(
      `"values":[[${BEGIN_S}000000001,9223372036854775807]]`,
    );
    expect(await ask(ours, 'SELECT v, w FROM "e f".autogen.mixed')).toContain('1,"text"]');
    expect(await ask(ours, 'SHOW RETENTION POLICIES ON "e f"')).not.toContain('second');
    await ask(ours, 'DROP DATABASE "e f"');
  });

  it('go through a file, of statements and points, back into the real one', async () => {
    const file = path.join(directory, 'export.gz');
    const out = ['--out', file, '--compress', '--database', 'd'];
    expect((await run(['export', '--from', ours, ...out])).status).toBe(0);
    expect(gunzipSync(readFileSync(file)).toString()).toMatch(
      /^# INFLUXDB EXPORT: .*\n# DDL\nCREATE DATABASE "d" WITH .*\n.*\n# DML\n# CONTEXT-DATABASE:d\n# CONTEXT-RETENTION-POLICY:autogen\n/,
    );
    await restart();
    const { port } = new URL(influxd.url);
    const flags = ['-host', '127.0.0.1', '-port', port, '-import', '-path', file, '-compressed'];
    expect((await runInPlace(influx, flags, { env })).status).toBe(0);
    const without = (texts: readonly string[]): string[] => texts.filter((_, i) => i !== 2);
    expect(without(await answers(influxd.url))).toEqual(without(truth));
    const again = await run(['export', '--from', ours, ...out]);
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('is there already')]);
  });
});

/** Net that asks to end the command after some exchanges, as ctrl-c does. */
function stoppedAfter(env: Env, exchanges: number, stop: AbortController): Env {
  let left = exchanges;
  const counted = (pool: HttpPool): HttpPool => ({
    exchange: (request) => {
      if (left-- <= 0) stop.abort();
      return pool.exchange(request);
    },
    close: () => pool.close(),
  });
  return {
    ...env,
    net: new Proxy(env.net, {
      get: (net, name) => {
        if (name === 'openPool')
          return (options: Parameters<Env['net']['openPool']>[0]) => counted(net.openPool(options));
        const held: unknown = Reflect.get(net, name);
        return typeof held === 'function' ? held.bind(net) : held;
      },
    }),
  };
}
