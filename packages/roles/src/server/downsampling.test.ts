import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDirectory, nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { afterEach, describe, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import type { RunningRole } from '../runtime/role.ts';
import { role } from './index.ts';

const MINUTE_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'server-downsampling-'));
const data = join(folder, 'data');
const config = join(folder, 'prometheus.yml');

/** Six hours up to now of a counter that grows by one each second, in blocks of ten minutes. */
async function leaveData(nowMs: number): Promise<void> {
  // Longer ones would end, at some hours of the day, where retention does not reach yet.
  const blockMs = 10 * MINUTE_MS;
  const options = {
    minBlockDurationMs: blockMs,
    maxBlockDurationMs: blockMs,
    retentionMs: 0,
    fsync: 'none',
  } as const;
  const init = { directory: data, env: nodeEnv(), log: Log.silent(), registry: new Registry() };
  const db = await Tsdb.open({ ...init, options });
  const labels = Labels.from({ __name__: 'm_total', job: 'x' });
  const firstMs = Math.ceil((nowMs - 360 * MINUTE_MS) / 10_000) * 10_000;
  for (let startMs = firstMs; startMs < nowMs; startMs += 5 * MINUTE_MS) {
    const appender = db.appender();
    const ref = appender.series(labels);
    const times: number[] = [];
    for (let at = startMs; at < Math.min(nowMs, startMs + 5 * MINUTE_MS); at += 10_000)
      times.push(at);
    const count = times.length;
    appender.appendFloats(
      new Uint32Array(count).fill(ref),
      Float64Array.from(times),
      Float64Array.from(times, (at) => (at - firstMs) / 1000),
      null,
      count,
      new Uint8Array(count),
    );
    await appender.commit();
  }
  await db.tick();
  await db.close();
}

async function start(more: readonly string[]): Promise<RunningRole> {
  const context = {
    env: nodeEnv(),
    log: Log.silent(),
    registry: new Registry(),
    lock: lockDirectory,
    variables: {},
    hostname: 'h',
  };
  const { values, given } = parseFlags(role.flags, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    '--storage.tsdb.min-block-duration=10m',
    '--storage.tsdb.max-block-duration=10m',
    '--web.listen-address=127.0.0.1:0',
    '--web.enable-lifecycle',
    ...more,
  ]);
  return role.start(context, values, given);
}

type Reply = {
  readonly status: string;
  readonly error?: string;
  readonly errorType?: string;
  readonly infos?: readonly string[];
  readonly data: { readonly result: readonly { values: readonly [number, string][] }[] };
};

describe('a server that down-samples', () => {
  let running: RunningRole | null = null;
  afterEach(async () => {
    await running?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes it up by a reload, and answers after samples were dropped what it can, or says what is left', async () => {
    const nowMs = Date.now();
    await leaveData(nowMs);
    const storage = (retention: string, rules: string): void =>
      writeFileSync(
        config,
        `storage: {tsdb: {retention: {time: ${retention}}, downsampling: [${rules}]}}\n`,
      );
    storage('100d', '');
    running = await start([]);
    const base = (): string => `http://127.0.0.1:${running?.address?.port}`;
    const reload = async (): Promise<Response> => fetch(`${base()}/-/reload`, { method: 'POST' });
    const ask = async (path: string): Promise<Reply> =>
      (await (await fetch(`${base()}/api/v1/${path}`)).json()) as Reply;
    const endS = (Math.floor(nowMs / (5 * MINUTE_MS)) * 5 - 120) * 60;
    const times = `start=${endS - 7200}&end=${endS}&step=300`;
    const rate = `query_range?query=${encodeURIComponent('rate(m_total[10m])')}&${times}`;
    const asSamples = await ask(rate);
    expect(asSamples.data.result[0]?.values).toHaveLength(25);

    storage('20m', '{resolution: 7m}');
    const refused = await reload();
    expect(refused.status).toBe(500);
    expect(await refused.text()).toMatch(/prometheus\.yml:1:\d+: storage\.tsdb\.downsampling\[0\]/);
    storage('20m', '{resolution: 5m, after: 30m}');
    expect((await reload()).status).toBe(200);
    await expect
      .poll(() => ask(`query?query=m_total&time=${endS}`), { timeout: 15_000, interval: 250 })
      .toMatchObject({ status: 'error' });

    const failed = await ask(`query?query=m_total&time=${endS}`);
    expect(failed.errorType).toBe('execution');
    expect(failed.error).toMatch(
      /^expanding series: samples before .* were dropped, down-sampled data of 5m are left/,
    );
    expect((await ask(`query_range?query=m_total&${times}`)).status).toBe('error');
    const asBuckets = await ask(rate);
    expect(asBuckets.infos).toBe(undefined);
    const values = asBuckets.data.result[0]?.values ?? [];
    expect(values.map(([at]) => at)).toEqual(asSamples.data.result[0]?.values.map(([at]) => at));
    for (const [, value] of values) expect(Math.abs(Number(value) - 1)).toBeLessThan(1e-12);
    const metrics = await (await fetch(`${base()}/metrics`)).text();
    expect(metrics).toMatch(/^pollux_tsdb_downsampled_slices [1-9]/m);
    await running.close();

    running = await start(['--query.allow-approximate']);
    const near = await ask(`query_range?query=m_total&${times}`);
    expect(near.status).toBe('success');
    expect(near.data.result[0]?.values.length).toBeGreaterThan(20);
    expect(near.infos).toEqual([
      'PromQL info: samples were dropped, and the answer is approximated from down-sampled data of 5m',
    ]);
    expect((await ask(rate)).data.result).toEqual(asBuckets.data.result);
  });
});
