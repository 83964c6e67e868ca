import { encodeFamilies, PROTOBUF_CONTENT_TYPE } from '@pollux/testkit';
import { afterEach, expect, it } from 'vitest';
import { START_MS } from './testing/fake-database.ts';
import { ONE_JOB, T, URL_1, World } from './testing/scrape-world.ts';

let world: World;
afterEach(async () => {
  await world.manager.close();
});

const NATIVE_JOB = `${ONE_JOB}  scrape_native_histograms: true\n`;

function answerOf(families: readonly Record<string, unknown>[]): {
  headers: Record<string, string>;
  body: Uint8Array;
} {
  return {
    headers: { 'content-type': PROTOBUF_CONTENT_TYPE },
    body: encodeFamilies(families),
  };
}

function histogram(buckets: number, schema = 3): Record<string, unknown> {
  return {
    name: 'h',
    type: 'HISTOGRAM',
    metric: [
      {
        label: [{ name: 'l', value: 'v' }],
        histogram: {
          sampleCount: buckets,
          sampleSum: buckets,
          schema,
          positiveSpan: [{ offset: 1, length: buckets }],
          positiveDelta: Array.from({ length: buckets }, (_, i) => (i === 0 ? 1 : 0)),
          bucket: [{ cumulativeCount: buckets, upperBound: Number.POSITIVE_INFINITY }],
        },
      },
    ],
  };
}

const GAUGE = { name: 'g', type: 'GAUGE', metric: [{ gauge: { value: 1 } }] };

function histograms(): unknown[] {
  return world.database.histograms.map(({ labels, timestampMs, histogram }) => [
    labels.toMetricString(),
    timestampMs - START_MS,
    histogram.schema,
    histogram.count,
    [...histogram.positiveBuckets],
  ]);
}

it('stores native histograms beside floats, and ends them with a stale marker', async () => {
  world = World.begin(NATIVE_JOB);
  world.answer(URL_1, answerOf([histogram(2), GAUGE]), answerOf([GAUGE]), { text: 'g 3\n' });
  const first = world.firstMs;
  await world.clock.advance(first + 10_000);
  expect(world.requests[0]!.headers).toMatchObject({
    accept: expect.stringMatching(/^application\/vnd\.google\.protobuf;.*;q=0\.6,/),
  });
  expect(histograms()).toEqual([[`h{${T}, l="v"}`, first, 3, 2, [1, 1]]]);
  expect(world.database.of(`h{${T}, l="v"}`)).toEqual([[first + 10_000, 'stale']]);
  expect(world.database.of(`scrape_samples_scraped{${T}}`)).toEqual([
    [first, 2],
    [first + 10_000, 1],
  ]);
  // The target goes over to text: its series go on.
  await world.clock.advance(10_000);
  expect(world.database.of(`g{${T}}`)).toEqual([
    [first, 1],
    [first + 10_000, 1],
    [first + 20_000, 3],
  ]);
});

it('takes the classic parts without the setting, and both where asked', async () => {
  world = World.begin(ONE_JOB);
  world.answer(URL_1, answerOf([histogram(2)]));
  await world.clock.advance(world.firstMs);
  expect(histograms()).toEqual([]);
  expect(world.database.of(`h_bucket{${T}, l="v", le="+Inf"}`)).toEqual([[world.firstMs, 2]]);
  await world.manager.close();

  world = World.begin(`${NATIVE_JOB}  always_scrape_classic_histograms: true\n`);
  world.answer(URL_1, answerOf([histogram(2)]));
  await world.clock.advance(world.firstMs);
  expect(histograms()).toHaveLength(1);
  expect(world.database.names()).toContain('h_count{instance="t:1", job="j", l="v"}');
});

it('lets relabelling decide for a target', async () => {
  world = World.begin(`${ONE_JOB}  relabel_configs:
  - {target_label: __scrape_native_histograms__, replacement: "1"}
`);
  world.answer(URL_1, answerOf([histogram(2)]));
  await world.clock.advance(world.firstMs);
  expect(histograms()).toHaveLength(1);
  await world.manager.close();

  world = World.begin(`${ONE_JOB}  relabel_configs:
  - {target_label: __scrape_native_histograms__, replacement: "yes"}
`);
  await world.clock.advance(10_000);
  expect(world.manager.targets().activeTargets).toEqual([]);
  expect(world.metric('prometheus_target_sync_failed_total{scrape_job="j"} 1')).toBe(true);
});

it('halves the resolution until a histogram is within the limit of buckets, or fails the scrape', async () => {
  world = World.begin(`${NATIVE_JOB}  native_histogram_bucket_limit: 3\n`);
  world.answer(URL_1, answerOf([histogram(6)]), answerOf([histogram(6, -4), GAUGE]));
  const first = world.firstMs;
  await world.clock.advance(first + 10_000);
  // Buckets 1 to 6 of schema 3 are 1 to 3 of schema 2, two by two.
  expect(histograms()).toEqual([[`h{${T}, l="v"}`, first, 2, 6, [2, 2, 2]]]);
  expect(world.manager.targets().activeTargets[0]!.lastError).toBe(
    'histogram bucket limit exceeded',
  );
  expect(world.database.of(`up{${T}}`)).toEqual([
    [first, 1],
    [first + 10_000, 0],
  ]);
  expect(
    world.metric('prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total 1'),
  ).toBe(true);
});

it('stores no finer buckets than native_histogram_min_bucket_factor allows', async () => {
  // 2^(2^-1) is 1.41.
  world = World.begin(`${NATIVE_JOB}  native_histogram_min_bucket_factor: 1.4\n`);
  world.answer(URL_1, answerOf([histogram(4)]));
  await world.clock.advance(world.firstMs);
  expect(histograms()).toEqual([[`h{${T}, l="v"}`, world.firstMs, 1, 4, [4]]]);
});

it('counts native histograms against the limit of samples, and fails on one that contradicts itself', async () => {
  world = World.begin(`${NATIVE_JOB}  sample_limit: 1\n`);
  world.answer(URL_1, answerOf([histogram(1), GAUGE]));
  await world.clock.advance(world.firstMs);
  expect(world.manager.targets().activeTargets[0]!.lastError).toBe('sample limit exceeded');
  await world.manager.close();

  world = World.begin(NATIVE_JOB);
  const family = histogram(2) as { metric: { histogram: { sampleCount: number } }[] };
  family.metric[0]!.histogram.sampleCount = 7;
  world.answer(URL_1, answerOf([family, GAUGE]));
  await world.clock.advance(world.firstMs);
  expect(world.manager.targets().activeTargets[0]!.lastError).toContain(
    '2 observations found in buckets, but the Count field is 7',
  );
  expect(world.database.of(`up{${T}}`)).toEqual([[world.firstMs, 0]]);
  expect(world.database.of(`g{${T}}`)).toEqual([[world.firstMs, 'stale']]);
});
