import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS } from '../../peers/real-prometheus.ts';
import { START_MS, seededData } from './data.ts';
import { peerOf } from './peer.ts';
import { type Pair, startPair } from './servers.ts';

type Samples = {
  readonly totalQueryableSamples: number;
  readonly totalQueryableSamplesPerStep?: readonly (readonly [number, number])[];
};

/**
 * Windows of subqueries end between their steps, since 2.x counts a step at the left end. Of each kind of evaluation: selectors, windows, overlaps, pins, shifts, subqueries, what is folded, what finds
 * nothing.
 */
const QUERIES = [
  '1 + 1',
  'vector(1)',
  '"text"',
  'requests_total',
  'requests_total{job="api"}',
  'requests_total offset 3m',
  'requests_total offset -3m',
  'requests_total @ 1767227400',
  'requests_total @ start()',
  'no_such_metric',
  'sum(requests_total)',
  'sum by (job) (rate(requests_total[5m]))',
  'rate(requests_total[1m])',
  'rate(requests_total[7m] offset 2m)',
  'rate(requests_total[5m] @ end())',
  'increase(requests_total[30s])',
  'requests_total / on (job, instance) group_left () memory_bytes',
  'requests_total > 10 or requests_total',
  'requests_total and requests_total{job="web"}',
  'topk(2, requests_total)',
  'count_values("v", requests_total)',
  'quantile_over_time(0.5, memory_bytes[4m])',
  'timestamp(requests_total)',
  'absent(requests_total)',
  'absent_over_time(requests_total[3m])',
  'scalar(sum(requests_total)) + requests_total',
  '-requests_total',
  'max_over_time(rate(requests_total[2m])[5m55s:1m])',
  'avg_over_time(sum(requests_total)[4m50s:30s] offset 1m)',
  'sum_over_time((requests_total @ 1767227400)[4m55s:1m])',
  'avg_over_time(max_over_time(requests_total[50s:15s])[2m50s:30s])',
  'label_replace(requests_total, "x", "$1", "job", "(.*)")',
  'histogram_quantile(0.9, sum by (le) (rate({__name__=~".+_bucket"}[5m])))',
  'sort(requests_total)',
  'clamp_max(requests_total, 5) + predict_linear(memory_bytes[5m], 60)',
];
const INSTANT_ONLY = [
  'requests_total[5m]',
  'requests_total[5m] offset 1m',
  'requests_total[3m50s:30s]',
];

const AT_S = START_MS / 1_000 + 3_600;

describe.skipIf(!hasPrometheus)(`figures of a query, beside Prometheus${NO_PROMETHEUS}`, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair(seededData(42), peerOf('prometheus'), ['promql-per-step-stats']);
  });
  afterAll(() => pair.close());

  async function samplesOf(base: string, path: string, stats: string): Promise<Samples> {
    const answer = await fetch(`${base}/api/v1/${path}&stats=${stats}`);
    const body = (await answer.json()) as { data?: { stats: { samples: Samples } } };
    expect(answer.status, path).toBe(200);
    const { totalQueryableSamples, totalQueryableSamplesPerStep } = body.data!.stats.samples;
    return {
      totalQueryableSamples,
      ...(totalQueryableSamplesPerStep === undefined ? {} : { totalQueryableSamplesPerStep }),
    };
  }

  async function expectAlike(path: string): Promise<number> {
    for (const stats of ['true', 'all']) {
      const ours = await samplesOf(pair.ours, path, stats);
      expect.soft(ours, path).toEqual(await samplesOf(pair.theirs, path, stats));
    }
    return (await samplesOf(pair.ours, path, 'true')).totalQueryableSamples;
  }

  it('counts the same samples, in all and per step, of queries at one time', async () => {
    let total = 0;
    for (const query of [...QUERIES, ...INSTANT_ONLY])
      total += await expectAlike(`query?query=${encodeURIComponent(query)}&time=${AT_S}`);
    expect(total).toBeGreaterThan(1_000);
  });

  it('counts the same samples, in all and per step, of queries over a range', async () => {
    let total = 0;
    for (const step of [15, 60, 420]) {
      const range = `start=${AT_S - 1_800}&end=${AT_S + 7}&step=${step}`;
      for (const query of QUERIES.filter((each) => each !== '"text"'))
        total += await expectAlike(`query_range?query=${encodeURIComponent(query)}&${range}`);
    }
    expect(total).toBeGreaterThan(100_000);
  });

  it('writes a query log whose lines have every member of theirs, of the same kind', async () => {
    const asked = [
      `query?query=up&time=${AT_S}`,
      `query_range?query=rate(requests_total[1m])&start=${AT_S - 60}.5&end=${AT_S}&step=15&stats=all`,
      `query?query=requests_total%2Bon()requests_total&time=${AT_S}`,
    ];
    const lastOf = (file: string): Record<string, unknown>[] =>
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .slice(-asked.length)
        .map((line) => JSON.parse(line));
    for (const path of asked)
      for (const base of [pair.ours, pair.theirs])
        await (await fetch(`${base}/api/v1/${path}`)).text();
    const ours = lastOf(pair.logs.ours);
    for (const [i, theirs] of lastOf(pair.logs.theirs).entries()) {
      expect(ours[i]).toMatchObject(shapeOf(theirs) as object);
      for (const same of ['params', 'httpRequest']) expect(ours[i]![same]).toEqual(theirs[same]);
      expect(ours[i]!.stats).toMatchObject(countsOf(theirs.stats));
    }
    expect(ours.map(({ error }) => typeof error)).toEqual(['undefined', 'undefined', 'string']);
  });
});

/** The same members with matchers of their types in place of values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
  return typeof value === 'number' ? expect.any(Number) : expect.any(String);
}

function countsOf(stats: unknown): object {
  const { samples } = stats as { samples: Samples };
  return { samples: { totalQueryableSamples: samples.totalQueryableSamples } };
}
