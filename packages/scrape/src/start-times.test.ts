import { encodeFamilies, PROTOBUF_CONTENT_TYPE } from '@pollux/testkit';
import { afterEach, expect, it } from 'vitest';
import { START_MS } from './testing/fake-database.ts';
import { type Answer, ONE_JOB, T, URL_1, World } from './testing/scrape-world.ts';

let world: World;
afterEach(async () => {
  await world.manager.close();
});

const NATIVE_JOB = `${ONE_JOB}  scrape_native_histograms: true\n`;

/** A counter and a histogram that began `startMs` after the start of the world. */
function answerOf(value: number, startMs: number): Answer {
  const atMs = START_MS + startMs;
  const startTimestamp = { seconds: Math.floor(atMs / 1_000), nanos: (atMs % 1_000) * 1e6 };
  return {
    headers: { 'content-type': PROTOBUF_CONTENT_TYPE },
    body: encodeFamilies([
      { name: 'c', type: 'COUNTER', metric: [{ counter: { value, startTimestamp } }] },
      {
        name: 'h',
        type: 'HISTOGRAM',
        metric: [
          {
            histogram: {
              sampleCount: value,
              schema: 2,
              positiveSpan: [{ offset: 0, length: 1 }],
              positiveDelta: [value],
              startTimestamp,
            },
          },
        ],
      },
    ]),
  };
}

function histograms(): unknown[] {
  return world.database.histograms.map(({ timestampMs, histogram }) => [
    timestampMs - START_MS,
    histogram.count,
    histogram.counterResetHint,
  ]);
}

it('gives a series a zero at its start, once, and again when it starts anew', async () => {
  world = World.begin(NATIVE_JOB, { readsStartTimes: true });
  world.answer(URL_1, answerOf(3, -60_500), answerOf(4, -60_500), answerOf(1, 12_000));
  const first = world.firstMs;
  await world.clock.advance(first + 20_000);
  expect(world.database.of(`c{${T}}`)).toEqual([
    [-60_500, 0],
    [first, 3],
    [first + 10_000, 4],
    ...(first + 10_000 < 12_000 ? [[12_000, 0]] : []),
    [first + 20_000, 1],
  ]);
  expect(histograms().slice(0, 3)).toEqual([
    [-60_500, 0, 'reset'],
    [first, 3, 'unknown'],
    [first + 10_000, 4, 'unknown'],
  ]);
});

it('takes no start that lies behind the sample or far before it', async () => {
  world = World.begin(NATIVE_JOB, { readsStartTimes: true });
  world.answer(URL_1, answerOf(3, 600_000), answerOf(4, -3_700_000));
  await world.clock.advance(world.firstMs + 10_000);
  expect(world.database.of(`c{${T}}`)).toEqual([
    [world.firstMs, 3],
    [world.firstMs + 10_000, 4],
  ]);
  expect(histograms()).toHaveLength(2);
});

it('leaves starts alone where nobody asked for them, and takes _created where somebody did', async () => {
  const text = `# TYPE c counter\nc_total 3\nc_created ${START_MS / 1_000 - 9}\n# EOF\n`;
  const openMetrics = { headers: { 'content-type': 'application/openmetrics-text' }, text };
  world = World.begin(ONE_JOB);
  world.answer(URL_1, openMetrics);
  await world.clock.advance(world.firstMs);
  expect(world.database.of(`c_total{${T}}`)).toEqual([[world.firstMs, 3]]);
  expect(world.database.of(`c_created{${T}}`)).toHaveLength(1);
  await world.manager.close();

  world = World.begin(ONE_JOB, { readsStartTimes: true });
  world.answer(URL_1, openMetrics);
  await world.clock.advance(world.firstMs + 10_000);
  expect(world.database.of(`c_total{${T}}`)).toEqual([
    [-9_000, 0],
    [world.firstMs, 3],
    [world.firstMs + 10_000, 3],
  ]);
  expect(world.database.of(`c_created{${T}}`)).toEqual([]);
  expect(world.database.of(`scrape_samples_scraped{${T}}`)[0]).toEqual([world.firstMs, 1]);
});

it('goes on without an exemplar that the database refuses', async () => {
  world = World.begin(ONE_JOB);
  const exemplars = [`{t="${'x'.repeat(200)}"} 1`, '{t="y"} 2'];
  world.answer(URL_1, {
    headers: { 'content-type': 'application/openmetrics-text' },
    text: `# TYPE c counter\n${exemplars.map((text, i) => `c_total{i="${i}"} 3 # ${text}\n`).join('')}# EOF\n`,
  });
  await world.clock.advance(world.firstMs);
  expect(world.database.of(`up{${T}}`)).toEqual([[world.firstMs, 1]]);
  expect(world.database.exemplars).toMatchObject([{ value: 2 }]);
});

it('converts classic histograms of text, and ends what they become with a stale marker', async () => {
  world = World.begin(`${ONE_JOB}  convert_classic_histograms_to_nhcb: true\n`);
  const buckets = 'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 4\nh_count 3\n';
  world.answer(URL_1, `# TYPE h histogram\n${buckets}`, 'g 1\n');
  const first = world.firstMs;
  await world.clock.advance(first + 10_000);
  expect(world.database.histograms).toMatchObject([
    { timestampMs: START_MS + first, histogram: { schema: -53, count: 3, sum: 4 } },
  ]);
  expect(world.database.of(`h{${T}}`)).toEqual([[first + 10_000, 'stale']]);
  expect(world.database.names().filter((name) => name.startsWith('h'))).toEqual([`h{${T}}`]);
  expect(world.database.of(`scrape_series_added{${T}}`)).toEqual([
    [first, 1],
    [first + 10_000, 1],
  ]);
});
