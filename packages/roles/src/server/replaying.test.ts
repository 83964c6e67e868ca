import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InlineWorkers } from '@pollux/base';
import { lockDirectory, NodeFiles, nodeEnv } from '@pollux/base/node';
import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { afterEach, describe, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import type { RunningRole } from '../runtime/role.ts';
import { role } from './index.ts';

const HOUR_MS = 3_600_000;
/** So many that the log has a hundred pages and more, which at {@link READ_MS} each outlast what the test looks at. */
const SERIES = 1_300;
const READ_MS = 60;
/** The test takes some seconds, and most of them the processor's, which it may have to share. */
const TIMEOUT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'server-replaying-'));

/**
 * Files whose log is replayed at a pace at which a test can look on. The thread sleeps; other work has its turn in between.
 * The first reading of a page is the survey's, before the door opens, and is not slowed.
 */
class SlowLog extends NodeFiles {
  isSlow = false;
  readonly #surveyed = new Set<string>();

  override open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): ReturnType<NodeFiles['open']> {
    const file = super.open(path, mode);
    if (mode !== 'r' || !path.includes('/wal/')) return file;
    const read = file.read.bind(file);
    const never = new Int32Array(new SharedArrayBuffer(4));
    file.read = (target, offset, length, position) => {
      const page = `${path} ${position}`;
      if (this.isSlow && this.#surveyed.has(page)) Atomics.wait(never, 0, 0, READ_MS);
      this.#surveyed.add(page);
      return read(target, offset, length, position);
    };
    return file;
  }
}

/** Six hours of samples up to a minute ago: the older in blocks, the rest in the log. */
async function leaveData(directory: string, nowMs: number): Promise<void> {
  // A snapshot of the head, taken at the close of a log this long, would leave next to nothing to replay.
  const options = { walCompression: 'none', retentionMs: 0, snapshotIntervalMs: 0 } as const;
  const init = { directory, env: nodeEnv(), log: Log.silent(), registry: new Registry(), options };
  const db = await Tsdb.open(init);
  const outcomes = new Uint8Array(SERIES);
  for (let timeMs = nowMs - 6 * HOUR_MS; timeMs <= nowMs - 60_000; timeMs += 40_000) {
    const appender = db.appender();
    const refs = new Uint32Array(SERIES);
    for (let i = 0; i < SERIES; i++) {
      refs[i] = appender.series(Labels.from({ __name__: 'm', i: String(i) }));
    }
    const times = new Float64Array(SERIES).fill(timeMs);
    appender.appendFloats(refs, times, new Float64Array(SERIES).fill(1), null, SERIES, outcomes);
    await appender.commit();
  }
  await db.tick();
  await db.close();
}

/** A remote write of one series with these samples. */
function writeRequest(name: string, timesMs: readonly number[]): Uint8Array<ArrayBuffer> {
  const encoder = new TimeSeriesEncoder();
  const words = wordsOf(new Float64Array(timesMs.length).fill(1));
  const rows = { timestampsMs: Float64Array.from(timesMs), words };
  encoder.run(encodeLabels(Labels.from({ __name__: name })), rows, 0, timesMs.length);
  return Uint8Array.from(snappyEncode(encoder.bytes()));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      );
    });
  });
}

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => null);
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a server that replays its log', () => {
  let running: RunningRole | null = null;
  afterEach(async () => {
    await running?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const title =
    'answers from blocks, scrapes, takes writes beyond its log, and says of all else how far it is';
  it(title, { timeout: TIMEOUT_MS }, async () => {
    // A whole second: answers write three digits where there are any.
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
    const data = join(folder, 'data');
    await leaveData(data, nowMs);
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      `scrape_configs: [{job_name: self, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]\n`,
    );
    const files = new SlowLog();
    // How long the log is depends on the hour; a long one is read by a worker, which shall be slow, too.
    const env = { ...nodeEnv(), files };
    const context = {
      env: { ...env, workers: new InlineWorkers(env) },
      log: Log.silent(),
      registry: new Registry(),
      lock: lockDirectory,
      variables: {},
      hostname: 'h',
    };
    const { values, given } = parseFlags(role.flags, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
    ]);
    files.isSlow = true;
    const started = role.start(context, values, given);
    const get = (path: string): Promise<Response> => fetch(base + path);
    const query = (timeMs: number): Promise<Response> =>
      get(`/api/v1/query?query=count(m)&time=${timeMs / 1000}`);

    await until(async () => ((await get('/-/healthy')).ok ? true : null));
    expect((await get('/-/ready')).status).toBe(503);
    const old = await query(nowMs - 5 * HOUR_MS);
    expect(old.status).toBe(200);
    expect(await old.text()).toContain(`"${SERIES}"`);
    expect(old.headers.get('x-pollux-coverage')).toBe(null);
    const recent = await query(nowMs);
    expect(recent.status).toBe(503);
    expect(recent.headers.get('x-pollux-coverage')).toBe(null);
    expect(await recent.json()).toMatchObject({
      status: 'error',
      errorType: 'unavailable',
      error: expect.stringMatching(/being replayed: segment \d+ of \d+, \d+ %/),
    });
    expect((await get('/api/v1/labels')).status).toBe(503);
    expect((await get('/federate?match[]=m')).status).toBe(503);
    expect((await get('/api/v1/pollux/coverage')).status).toBe(503);
    const progress = (await (await get('/api/v1/status/walreplay')).json()) as {
      data: { min: number; max: number };
    };
    expect(progress.data.max).toBeGreaterThanOrEqual(progress.data.min);
    const write = (...timesMs: number[]): Promise<Response> =>
      fetch(`${base}/api/v1/write`, { method: 'POST', body: writeRequest('written', timesMs) });
    const refused = await write(nowMs - 120_000);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.text()).toMatch(/being replayed: segment \d+ of \d+, \d+ %/);
    await until(async () => ((await write(nowMs - 50_000)).status === 204 ? true : null));
    expect((await get('/-/ready')).status).toBe(503);
    expect((await write(nowMs - 40_000, nowMs - 120_000)).status).toBe(503);
    expect(await (await get('/metrics')).text()).toMatch(/^pollux_tsdb_replay_ratio 0/m);

    await until(async () => {
      return (await (await get('/api/v1/targets')).text()).includes('"health":"up"') ? true : null;
    });
    expect((await get('/-/ready')).status).toBe(503);
    files.isSlow = false;
    running = await started;
    const readyMs = Date.now();
    expect((await get('/-/ready')).status).toBe(200);
    const answer = await query(nowMs);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(`"${SERIES}"`);
    expect(answer.headers.get('x-pollux-coverage')).not.toBe(null);
    const written = await get(`/api/v1/query?query=written[2m]&time=${nowMs / 1000}`);
    expect(await written.text()).toContain(`"values":[[${(nowMs - 50_000) / 1000},"1"]]`);
    const up = await get(`/api/v1/query?query=up[5m]&time=${readyMs / 1000}`);
    const { data: found } = (await up.json()) as {
      data: { result: { values: [number, string][] }[] };
    };
    const points = found.result[0]?.values ?? [];
    expect(points.some(([at, value]) => value === '1' && at < readyMs / 1000)).toBe(true);
  });
});
