import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FloatHistogram, Labels, Matcher, wordsOf } from '@pollux/model';
import {
  decodeReadResponse,
  encodeLabels,
  encodeReadRequest,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
} from '@pollux/remote';
import type { SeriesColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, startPrometheus } from './real-prometheus.ts';

/** What InfluxDB drops: NaN, infinities, stale markers, exemplars, metadata; native histograms are written to the server itself. */
const PAGE = `# HELP odd Values of all kinds.
# TYPE odd gauge
odd{kind="NaN"} NaN
odd{kind="+Inf"} +Inf
odd{kind="-Inf"} -Inf
# HELP wait_seconds Time of waiting.
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="1"} 3 # {trace_id="a"} 0.25
wait_seconds_bucket{le="+Inf"} 4 # {trace_id="b",span="1"} 2.5
wait_seconds_count 4
wait_seconds_sum 3.5
`;
const GONE = '# TYPE gone gauge\ngone 1\n';

const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 2,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 7,
  sum: 12.5,
  positiveSpans: [
    { offset: -3, length: 1 },
    { offset: 4, length: 2 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(1, 2, 2),
  negativeBuckets: Float64Array.of(1),
  customValues: null,
  isInteger: true,
  isStale: false,
};

type Body = { readonly status?: string; readonly data?: unknown };

async function ask(url: string): Promise<Body> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  expect(answer.status, url).toBe(200);
  return (await answer.json()) as Body;
}

async function post(url: string, body: Uint8Array): Promise<Uint8Array> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: body as Uint8Array<ArrayBuffer>,
  });
  expect(answer.ok, url).toBe(true);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Samples by their bits, without the labels of the server itself. */
function linesOf(series: readonly SeriesColumns[]): string[] {
  return series.flatMap(({ labels, count, timestampsMs, values, histograms }) => {
    const words = wordsOf(values);
    const own = labels.drop(new Set(['prometheus_replica']));
    return Array.from({ length: count }, (_, i) => {
      const { counterResetHint: _hint, ...histogram } = histograms?.[i] ?? {};
      const value =
        (histograms?.[i] ?? null) === null
          ? `${words[i * 2 + 1]?.toString(16)}:${words[i * 2]?.toString(16)}`
          : JSON.stringify(histogram);
      return `${own} ${timestampsMs[i]} ${value}`;
    });
  });
}

describe.skipIf(!hasPrometheus)(`a Prometheus that writes to a store${NO_PROMETHEUS}`, () => {
  let scratch: Scratch;
  let close: (() => Promise<unknown>)[];
  let target: HttpServer;
  let hasGone: boolean;

  beforeEach(async () => {
    scratch = new Scratch();
    close = [async () => scratch.remove()];
    hasGone = true;
    target = createServer((_, response) => {
      response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0');
      response.end(`${PAGE}${hasGone ? GONE : ''}# EOF\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    close.push(async () => {
      target.closeAllConnections();
      target.close();
    });
  });
  afterEach(async () => {
    for (const each of close.reverse()) await each();
  });

  async function startStore(): Promise<RunningRole> {
    const store = await RunningRole.start(
      ['store', `--data.dir=${scratch.at('store')}`, '--http.bind-address=127.0.0.1:0'],
      { INFLUXDB_DB: 'prometheus', INFLUXDB_HA_REPLICA_LABELS: 'prometheus_replica' },
    );
    close.push(() => store.end());
    return store;
  }

  it('finds all there that it knows itself', { timeout: 120_000 }, async () => {
    let store = await startStore();
    const { port } = target.address() as AddressInfo;
    const config = scratch.file(
      'prometheus.yml',
      `
global: {scrape_interval: 1s, external_labels: {prometheus_replica: A}}
remote_write:
  - url: '${store.url}/api/v1/prom/write?db=prometheus'
    send_exemplars: true
    send_native_histograms: true
    metadata_config: {send_interval: 1s}
scrape_configs: [{job_name: all, static_configs: [{targets: ['127.0.0.1:${port}']}]}]
`,
    );
    const server = await startPrometheus([
      `--config.file=${config}`,
      `--storage.tsdb.path=${scratch.at('prometheus')}`,
      '--enable-feature=exemplar-storage,native-histograms',
      '--web.enable-remote-write-receiver',
    ]);
    // A stop would wait for the store that is killed below.
    close.push(() => server.kill());
    const startMs = Date.now() - 60_000;
    const counted = async (query: string, least: number): Promise<true> =>
      eventually(`${query} in the store`, 60_000, async () => {
        const { data } = await ask(`${store.url}/api/v1/query?${new URLSearchParams({ query })}`);
        const [row] = (data as { result: { value: [number, string] }[] }).result;
        return Number(row?.value[1] ?? 0) >= least ? true : null;
      });
    await counted('count_over_time(gone[1m])', 4);
    // A server sends on what is newer than its own start.
    const histograms = [false, false, true].map((isStale) => ({
      ...HISTOGRAM,
      isStale,
      sum: isStale ? Number.NaN : HISTOGRAM.sum,
    }));
    const lastMs = Date.now();
    const sent: SeriesColumns = {
      labels: Labels.from({ __name__: 'native', job: 'all' }),
      count: histograms.length,
      timestampsMs: Float64Array.of(lastMs - 2_000, lastMs - 1_000, lastMs),
      values: new Float64Array(histograms.length),
      histograms,
      startTimestampsMs: null,
      replica: '',
    };
    for (const [i, histogram] of histograms.entries()) {
      const encoder = new TimeSeriesEncoder();
      encoder.histogram(encodeLabels(sent.labels), sent.timestampsMs[i]!, histogram);
      await post(`${server.url}/api/v1/write`, await snappyEncode(encoder.bytes()));
    }
    hasGone = false;
    const endMs = Date.now() + 4_000;
    // What is behind the end of the range may reach the two at different times.
    await eventually('samples behind the end of the range', 60_000, async () => {
      const { data } = await ask(`${store.url}/api/v1/query?query=timestamp(odd)`);
      const { result } = data as { result: { value: [number, string] }[] };
      return result.length > 0 && result.every(({ value }) => Number(value[1]) * 1000 > endMs)
        ? true
        : null;
    });

    const range = { startMs, endMs };
    const within = `start=${startMs / 1000}&end=${endMs / 1000}`;
    const compare = async (): Promise<void> => {
      for (const page of [
        `query_range?query=odd&step=1&${within}`,
        `query_range?query=gone&step=1&${within}`,
        `query_range?query=native&step=1&${within}`,
        `query_range?query=histogram_sum(native)%2Bhistogram_count(native)&step=1&${within}`,
        `query?query=odd[1m]&time=${endMs / 1000}`,
        `query_exemplars?query=wait_seconds_bucket&${within}`,
        `query_exemplars?query=rate(wait_seconds_bucket{le="1"}[1m])&${within}`,
        'metadata',
        'metadata?metric=wait_seconds',
      ]) {
        const ours = await ask(`${store.url}/api/v1/${page}`);
        const theirs = await ask(`${server.url}/api/v1/${page}`);
        // A server shows exemplars without its external labels, and sends them with them; the store splits that of the replica off.
        expect(ours, page).toEqual(theirs);
        expect(JSON.stringify(theirs.data).length, page).toBeGreaterThan(60);
      }
      const read = async (url: string, name: string): Promise<string[]> => {
        const matchers = [Matcher.metric(name)];
        const asked = { queries: [{ ...range, matchers, hints: null }], accepted: [] };
        const body = await post(url, await snappyEncode(encodeReadRequest(asked)));
        return linesOf(decodeReadResponse(await snappyDecode(body))[0] ?? []);
      };
      const ours = `${store.url}/api/v1/prom/read?db=prometheus`;
      for (const name of ['odd', 'gone']) {
        const theirs = await read(`${server.url}/api/v1/read`, name);
        expect(await read(ours, name)).toEqual(theirs);
        // Of what is gone the stale marker, by its bits.
        expect(theirs.at(-1)).toContain(name === 'odd' ? ':' : '7ff00000:2');
      }
      // A 2.42 leaves histograms out of the samples that it answers with.
      expect(await read(ours, 'native')).toEqual(linesOf([sent]));
    };
    await compare();

    const influxql = async (q: string): Promise<string> => {
      const search = new URLSearchParams({ db: 'prometheus', epoch: 'ms', q });
      return (await fetch(`${store.url}/query?${search}`)).text();
    };
    expect(await influxql('SELECT last(exemplar) FROM wait_seconds_bucket GROUP BY le')).toContain(
      String.raw`{\"value\":0.25,\"labels\":{\"trace_id\":\"a\"}}`,
    );
    expect(await influxql('SHOW FIELD KEYS FROM native')).toContain(
      '["native_histogram","string"]',
    );
    // InfluxQL has no such values.
    expect(await influxql('SELECT value FROM odd')).toBe('{"results":[{"statement_id":0}]}\n');
    expect(await influxql('SHOW TAG VALUES FROM odd WITH KEY = kind')).toContain('"-Inf"');

    // Nothing was closed or flushed.
    await store.end('SIGKILL');
    store = await startStore();
    await compare();
  });
});
