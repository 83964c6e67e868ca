import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Env, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { Router } from '@pollux/http';
import { Labels, Matcher, matchesAll, setStaleAt, wordsOf } from '@pollux/model';
import {
  encodeLabels,
  RemoteQueryable,
  readHandler,
  remoteReadConfigs,
  snappyEncode,
  TimeSeriesEncoder,
  writeHandler,
} from '@pollux/remote';
import {
  APPEND_OUTCOME,
  type Appendable,
  type Appender,
  MemoryBudget,
  NO_HINTS,
  type Queryable,
  type SelectRequest,
  type SeriesColumns,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const isThere = spawnSync('prometheus', ['--version']).error === undefined;
const reason = isThere ? '' : ' (skipped: no prometheus here; run `npm run peers`)';

/** Takes everything and remembers how often each series came. */
class Counted implements Appendable {
  readonly #labels: Labels[] = [];
  readonly samples = new Map<string, number>();

  appender(): Appender {
    return {
      series: (labels) => this.#labels.push(labels),
      appendFloats: (refs, _timestampsMs, _values, _starts, count) => {
        for (let i = 0; i < count; i++) {
          const key = this.#labels[refs[i]! - 1]?.toMetricString() ?? '';
          this.samples.set(key, (this.samples.get(key) ?? 0) + 1);
        }
        return count;
      },
      appendHistogram: () => APPEND_OUTCOME.ok,
      appendExemplar: () => {},
      setMetadata: () => {},
      commit: async () => {},
      rollback: () => {},
    };
  }
}

function columns(labels: Record<string, string>, timesMs: readonly number[]): SeriesColumns {
  return {
    labels: Labels.from(labels),
    count: timesMs.length,
    timestampsMs: Float64Array.from(timesMs),
    values: Float64Array.from(timesMs, (_, i) => i + 0.5),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

class Held implements Queryable {
  series: readonly SeriesColumns[] = [];
  asked: SelectRequest[] = [];

  select(request: SelectRequest) {
    this.asked.push(request);
    const batches = [this.series.filter(({ labels }) => matchesAll(request.matchers, labels))];
    return { next: async () => batches.shift() ?? null, warnings: [], close: () => {} };
  }

  labelNames = () => Promise.reject(new Error('not used'));
  labelValues = () => Promise.reject(new Error('not used'));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function until<T>(what: string, probe: () => Promise<T | null>): Promise<T> {
  for (let attempt = 0; attempt < 150; attempt++) {
    const found = await probe().catch(() => null);
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`no ${what} in 30 s`);
}

describe.skipIf(!isThere)(`against the released Prometheus${reason}`, () => {
  const env: Env = nodeEnv();
  const received = new Counted();
  const held = new Held();
  let directory: string;
  let listener: Listener;
  let child: ChildProcess;
  let base: string;

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-peer-'));
    const registry = new Registry();
    const log = Log.silent();
    const router = new Router({ monotonic: () => env.clock.monotonic() })
      .post(
        '/write',
        writeHandler({ appendable: () => received, random: env.random, registry, log }),
      )
      .post(
        '/read',
        readHandler({
          clock: env.clock,
          queryable: () => held,
          externalLabels: () => Labels.EMPTY,
          registry,
          log,
          maxSamples: 0,
          maxConcurrent: 0,
          maxMemoryBytes: 1e9,
        }),
      );
    const at = { host: '127.0.0.1', port: 0 };
    const serving = { at, maxConnections: 100, readTimeoutMs: 10_000 };
    listener = await env.net.serveHttp(serving, router.handler);
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const ours = `http://127.0.0.1:${listener.address.port}`;
    fs.writeFileSync(
      `${directory}/prometheus.yml`,
      `global: {scrape_interval: 1s, external_labels: {prometheus_replica: A}}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ['127.0.0.1:${port}']}]
remote_write: [{url: '${ours}/write', queue_config: {batch_send_deadline: 1s}}]
remote_read: [{url: '${ours}/read', read_recent: true, required_matchers: {store: far}}]
`,
    );
    child = spawn(
      'prometheus',
      [
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
      ],
      { stdio: 'ignore' },
    );
    await until('ready Prometheus', async () =>
      (await fetch(`${base}/-/ready`)).ok ? true : null,
    );
  });

  afterAll(async () => {
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    await listener.close();
    fs.rmSync(directory, { recursive: true });
  });

  async function query(text: string): Promise<{ metric: object; values?: [number, string][] }[]> {
    const answer = await fetch(`${base}/api/v1/query?query=${encodeURIComponent(text)}`);
    const body = (await answer.json()) as { data: { result: [] } };
    return body.data.result;
  }

  async function send(encoder: TimeSeriesEncoder): Promise<Response> {
    return fetch(`${base}/api/v1/write`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body: snappyEncode(encoder.bytes()) as Uint8Array<ArrayBuffer>,
    });
  }

  const startMs = Date.now() - 60_000;

  it('takes what our sender writes, stale marker and all, and gives it back to our reader', async () => {
    const values = Float64Array.of(1.5, -0, Number.POSITIVE_INFINITY, 0, 4);
    setStaleAt(wordsOf(values), 3);
    const timestampsMs = Float64Array.from(values, (_, i) => startMs + i * 1_000);
    const encoder = new TimeSeriesEncoder();
    const labels = Labels.from({ __name__: 'sent', text: 'ä "quoted"\n' });
    encoder.run(encodeLabels(labels), { timestampsMs, words: wordsOf(values) }, 0, 5);
    encoder.metadata('sent', { type: 'gauge', help: 'h', unit: '' });
    expect((await send(encoder)).status).toBe(204);

    const [series] = await query('sent[5m]');
    expect(series?.values?.map(([, value]) => value)).toEqual(['1.5', '-0', '+Inf', '4']);

    const yaml = `- url: ${base}/api/v1/read`;
    const [config] = remoteReadConfigs(parseYaml(yaml, 'p.yml'), 'remote_read', strictContext());
    const reader = new RemoteQueryable({
      env,
      config: config!,
      registry: new Registry(),
      externalLabels: Labels.from({ prometheus_replica: 'A' }),
      userAgent: 'test',
      resolvePath: (file) => file,
      variables: {},
    });
    const source = reader.select(
      {
        range: { minMs: startMs, maxMs: startMs + 10_000 },
        matchers: [Matcher.metric('sent')],
        hints: NO_HINTS,
        sorted: true,
      },
      { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
    );
    const [back] = (await source.next()) ?? [];
    expect(back?.labels.toMetricString()).toBe(labels.toMetricString());
    expect(back?.count).toBe(5);
    // Prometheus' own encoder leaves a negative zero out, as it does any zero; all other bits come back.
    values[1] = 0;
    expect([...wordsOf(back!.values).subarray(0, 10)]).toEqual([...wordsOf(values)]);
  });

  it('refuses an older sample with 400 and the text that our receiver also gives', async () => {
    const encoder = new TimeSeriesEncoder();
    const rows = { timestampsMs: Float64Array.of(startMs - 5_000), words: new Uint32Array(2) };
    const labels = Labels.from({ __name__: 'sent', text: 'ä "quoted"\n' });
    encoder.run(encodeLabels(labels), rows, 0, 1);
    const answer = await send(encoder);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('out of order sample');
  });

  it('sends its samples to our receiver', async () => {
    const key = 'prometheus_build_info';
    await until('samples of Prometheus itself', async () => {
      const counts = [...received.samples].filter(([name]) => name.startsWith(key));
      return counts.some(([name, count]) => count >= 2 && name.includes('prometheus_replica="A"'))
        ? true
        : null;
    });
    expect(received.samples.size).toBeGreaterThan(300);
  });

  it('reads from our endpoint, asking with its external labels and taking them off', async () => {
    held.series = [
      columns({ __name__: 'far_away', store: 'far', prometheus_replica: 'A' }, [
        startMs,
        startMs + 1_000,
      ]),
    ];
    const [series] = await query('far_away{store="far"}[5m]');
    expect(series?.metric).toEqual({ __name__: 'far_away', store: 'far' });
    expect(series?.values?.map(([, value]) => value)).toEqual(['0.5', '1.5']);
    expect(held.asked.at(-1)?.matchers.map(String).sort()).toEqual([
      '__name__="far_away"',
      'prometheus_replica="A"',
      'store="far"',
    ]);
  });
});
