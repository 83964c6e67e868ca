import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFamilies, PROTOBUF_CONTENT_TYPE } from '@pollux/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasPrometheus, NO_PROMETHEUS, startPrometheus } from './real-prometheus.ts';

/** Of the target's own time, which goes on when both servers have stored a step: neither leaves one out, however late it scrapes. */
const STEP_MS = 2_000;
const STEPS = 10;

const scratch = new Scratch();
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0)) await end();
  scratch.remove();
});

/** What the target says at a step: each sample has the step's time, so both servers store the same. */
function familiesAt(step: number): Record<string, unknown>[] {
  const timestampMs = step * STEP_MS;
  const n = (step % 1_000) + 1;
  const exemplar = {
    label: [{ name: 'trace', value: `t${step}` }],
    value: 0.7,
    timestamp: { seconds: Math.floor(timestampMs / 1_000), nanos: (timestampMs % 1_000) * 1e6 },
  };
  const labels = (name: string): object[] => [{ name: 'path', value: name }];
  return [
    {
      name: 'requests_total',
      help: 'Requests.',
      type: 'COUNTER',
      metric: ['/a', '/ü'].map((name, i) => ({
        label: labels(name),
        counter: { value: n * (i + 1), exemplar },
        timestampMs,
      })),
    },
    {
      name: 'temperature',
      type: 'GAUGE',
      metric: [{ gauge: { value: Math.sin(n) }, timestampMs }],
    },
    {
      name: 'size_bytes',
      type: 'SUMMARY',
      metric: [
        {
          label: labels('/a'),
          summary: {
            sampleCount: n,
            sampleSum: n * 1.5,
            quantile: [
              { quantile: 0.5, value: 1 + n },
              { quantile: 0.99, value: 9 + n },
            ],
          },
          timestampMs,
        },
      ],
    },
    {
      name: 'classic_seconds',
      type: 'HISTOGRAM',
      metric: [
        {
          histogram: {
            sampleCount: 3 * n,
            sampleSum: n / 3,
            bucket: [
              { cumulativeCount: n, upperBound: 0.25 },
              { cumulativeCount: 2 * n, upperBound: 1, exemplar },
            ],
          },
          timestampMs,
        },
      ],
    },
    {
      name: 'native_seconds',
      type: 'HISTOGRAM',
      metric: ['/a', '/b'].map((name, i) => ({
        label: labels(name),
        histogram: {
          sampleCount: 7 * n + i,
          sampleSum: n * 2.25,
          bucket: [{ cumulativeCount: n, upperBound: 1, exemplar }],
          schema: 2,
          zeroThreshold: 0.001,
          zeroCount: n + i,
          negativeSpan: [{ offset: 1, length: 1 }],
          negativeDelta: [n],
          positiveSpan: [
            { offset: -3 + (i === 1 && n % 4 === 0 ? 1 : 0), length: 2 },
            { offset: 2, length: 2 },
          ],
          positiveDelta: [n, n, -2 * n, 2 * n],
        },
        timestampMs,
      })),
    },
  ];
}

async function startTarget(stepNow: () => number): Promise<HttpServer> {
  const target = createServer((request, response) => {
    if (!/protobuf/.test(request.headers.accept ?? '')) {
      response.writeHead(406).end();
      return;
    }
    response
      .writeHead(200, { 'content-type': PROTOBUF_CONTENT_TYPE })
      .end(encodeFamilies(familiesAt(stepNow())));
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
  });
  return target;
}

function configOf(port: number, more: string): string {
  return `
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
- job_name: proto
${more}  static_configs: [{targets: ["127.0.0.1:${port}"]}]
`;
}

type Side = { readonly url: string };

async function ask(server: Side, path: string): Promise<unknown> {
  const answer = await fetch(`${server.url}/api/v1/${path}`);
  const body = (await answer.json()) as { status: string; data: unknown };
  expect(body, path).toMatchObject({ status: 'success' });
  return body.data;
}

async function haveStored(timeMs: number, sides: readonly Side[]): Promise<true | null> {
  const newest = await Promise.all(
    sides.map(async (side) => {
      const found = await ask(side, 'query?query=timestamp(temperature)');
      const { result } = found as { result: { value: [number, string] }[] };
      return Number(result[0]?.value[1] ?? 0) * 1_000;
    }),
  );
  return newest.every((timestampMs) => timestampMs >= timeMs) ? true : null;
}

/** In an order of its own: servers may give series in any. */
function sorted(data: unknown): unknown {
  const list = Array.isArray(data) ? data : (data as { result: unknown[] }).result;
  return list.map((item) => JSON.stringify(item)).sort();
}

const QUERIES = [
  ...['requests_total', 'temperature', '{__name__=~"size_bytes.*"}'],
  ...['{__name__=~"classic_seconds.*"}', 'native_seconds'],
  'rate(requests_total[7s])',
  'histogram_quantile(0.5, rate(classic_seconds_bucket[7s]))',
  'histogram_count(rate(native_seconds[7s]))',
  'histogram_sum(sum(native_seconds))',
  'sum by (path) (rate(native_seconds[7s]))',
];

describe.skipIf(!hasPrometheus)(`a target that speaks protobuf${NO_PROMETHEUS}`, () => {
  it('gives the same series, samples, histograms and exemplars to Prometheus and to us', async () => {
    // Times of the past, which a server takes at once.
    const firstStep = Math.floor(Date.now() / STEP_MS) - 3 * STEPS;
    const lastStep = firstStep + STEPS;
    let step = firstStep;
    const target = await startTarget(() => step);
    const { port } = target.address() as AddressInfo;
    const role = await RunningRole.start([
      'server',
      `--config.file=${scratch.file('ours.yml', `storage: {exemplars: {max_exemplars: 100000}}\n${configOf(port, '  scrape_native_histograms: true\n')}`)}`,
      `--storage.tsdb.path=${scratch.at('ours')}`,
      '--web.listen-address=127.0.0.1:0',
      '--enable-feature=exemplar-storage',
    ]);
    ends.push(() => role.end('SIGKILL'));
    const theirs = await startPrometheus([
      `--config.file=${scratch.file('theirs.yml', configOf(port, ''))}`,
      `--storage.tsdb.path=${scratch.at('theirs')}`,
      '--enable-feature=native-histograms,exemplar-storage',
    ]);
    ends.push(() => theirs.kill());
    const sides = [role, theirs];
    for (; step <= lastStep; step++) {
      await eventually('the step at both', 60_000, () => haveStored(step * STEP_MS, sides));
    }
    const startMs = firstStep * STEP_MS;
    const endMs = lastStep * STEP_MS;
    const range = `start=${startMs / 1_000}&end=${endMs / 1_000}`;
    const selector = 'match[]={job="proto",__name__!~"up|scrape_.*"}';
    const [ourSeries, theirSeries] = await Promise.all(
      sides.map(async (side) => sorted(await ask(side, `series?${selector}&${range}`))),
    );
    expect(ourSeries).toEqual(theirSeries);
    expect(ourSeries).toHaveLength(2 + 1 + 4 + 5 + 2);
    for (const query of QUERIES) {
      // No sample lies on the edge of a window, which only one of the two takes in.
      const steps = `start=${startMs / 1_000 + 8}&end=${endMs / 1_000}&step=2`;
      const path = `query_range?query=${encodeURIComponent(query)}&${steps}`;
      const [ours, other] = await Promise.all(
        sides.map(async (side) => sorted(await ask(side, path))),
      );
      expect(ours, query).toEqual(other);
      expect(ours, query).not.toEqual([]);
    }
    const exemplars = `query_exemplars?query=${encodeURIComponent('{job="proto"}')}&${range}`;
    const [ours, other] = await Promise.all(
      sides.map(async (side) => sorted(await ask(side, exemplars))),
    );
    expect(ours).toEqual(other);
    expect(ours).toHaveLength(5);
  });
});
