import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { type FloatHistogram, Labels, Matcher, wordsOf } from '@pollux/model';
import {
  ChunkedResponseReader,
  decodeReadResponse,
  encodeLabels,
  encodeReadRequest,
  type ResponseType,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
} from '@pollux/remote';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestStore } from '../test/harness.ts';

type Wire = {
  readonly labels: Record<string, string>;
  readonly times: readonly number[];
  readonly value: number;
  /** From a sample to the next. */
  readonly step?: number;
};

function writeBody(series: readonly Wire[]): Uint8Array {
  const encoder = new TimeSeriesEncoder();
  for (const { labels, times, value, step = 0 } of series) {
    const timestampsMs = Float64Array.from(times);
    const words = wordsOf(Float64Array.from(times, (_, i) => value + i * step));
    encoder.run(encodeLabels(Labels.from(labels)), { timestampsMs, words }, 0, times.length);
  }
  return snappyEncode(encoder.bytes());
}

async function read(
  store: TestStore,
  matchers: readonly Matcher[],
  startMs = 0,
  endMs = 1_000_000,
) {
  const body = snappyEncode(
    encodeReadRequest({ queries: [{ startMs, endMs, matchers, hints: null }], accepted: [] }),
  );
  const answer = await store.request('POST', '/api/v1/prom/read?db=prometheus', { body });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers['content-encoding']).toBe('snappy');
  const [series] = decodeReadResponse(await snappyDecode(answer.bytes));
  return (series ?? []).map(({ labels, count, timestampsMs, values }) => ({
    labels: labels.toString(),
    times: [...timestampsMs.subarray(0, count)],
    values: [...values.subarray(0, count)],
    words: [...wordsOf(values.slice(0, count))],
  }));
}

describe('the store for Prometheus', () => {
  let store: TestStore;
  beforeEach(async () => {
    store = await new TestStore().open();
    await store.query('create database prometheus');
  });
  afterEach(() => store.close());

  const up = Matcher.metric('up');
  const replica = (name: string): Matcher => new Matcher('prometheus_replica', '=', name);
  const send = (series: readonly Wire[]) =>
    store.request('POST', '/api/v1/prom/write?db=prometheus', { body: writeBody(series) });

  it('gives back what was written, under the labels without the replica, after a restart too', async () => {
    const labels = { __name__: 'up', job: 'C:\\', prometheus_replica: 'A' };
    expect((await send([{ labels, times: [1000, 2000], value: 1 }])).status).toBe(204);
    const expected = [
      { labels: '{__name__="up", job="C:\\\\"}', times: [1000, 2000], values: [1, 1] },
    ];
    expect(await read(store, [up])).toMatchObject(expected);
    const again = await new TestStore(store.directory).open();
    expect(await read(again, [up])).toMatchObject(expected);
    expect(await again.query('SHOW MEASUREMENTS', { db: 'prometheus' })).toContain('[["up"]]');
    await again.close();
  });

  it('keeps both replicas, prefers the one asked for and fills its holes from the other', async () => {
    const a = { __name__: 'up', prometheus_replica: 'A' };
    const b = { __name__: 'up', prometheus_replica: 'B' };
    const every = (from: number, to: number): number[] =>
      Array.from({ length: (to - from) / 10_000 + 1 }, (_, i) => from + i * 10_000);
    await send([
      { labels: a, times: [...every(10_000, 50_000), ...every(150_000, 200_000)], value: 1 },
    ]);
    await send([{ labels: b, times: every(13_000, 203_000), value: 2 }]);
    const [fromA] = await read(store, [up, replica('A')]);
    expect(fromA?.values.slice(0, 5)).toEqual([1, 1, 1, 1, 1]);
    expect(new Set(fromA?.values)).toEqual(new Set([1, 2]));
    const [fromB] = await read(store, [up, replica('B')]);
    expect(fromB?.values).toEqual(every(13_000, 203_000).map(() => 2));
    const [fromAnyone] = await read(store, [up]);
    expect(fromAnyone).toEqual(fromB);
    expect(await read(store, [up, replica('C')])).toEqual([fromB]);
    expect(store.store.watermarks().map((row) => [row.replica, row.newestMs])).toEqual([
      ['A', 200_000],
      ['B', 203_000],
    ]);
  });

  it('keeps stale markers and infinities bit by bit and shows them as null in InfluxQL', async () => {
    const encoder = new TimeSeriesEncoder();
    const words = Uint32Array.from([2, 0x7ff00000, 0, 0x7ff00000]);
    const timestampsMs = Float64Array.from([1000, 2000]);
    encoder.run(encodeLabels(Labels.from({ __name__: 'up' })), { timestampsMs, words }, 0, 2);
    const body = snappyEncode(encoder.bytes());
    expect((await store.request('POST', '/api/v1/prom/write?db=prometheus', { body })).status).toBe(
      204,
    );
    const [series] = await read(store, [up]);
    expect(series?.words).toEqual([...words]);
    expect(await store.query('SELECT count(value) FROM up', { db: 'prometheus' })).not.toContain(
      '"error"',
    );
  });

  it('keeps native histograms beside floats, of each replica, and shows them to InfluxQL as text', async () => {
    const histogram = (unit: number, more: Partial<FloatHistogram> = {}): FloatHistogram => ({
      counterResetHint: 'gauge',
      schema: 2,
      zeroThreshold: 0.001,
      zeroCount: unit,
      count: 7 * unit,
      sum: -3.5 * unit,
      positiveSpans: [
        { offset: -2, length: 1 },
        { offset: 3, length: 2 },
      ],
      negativeSpans: [{ offset: 1, length: 1 }],
      positiveBuckets: Float64Array.of(unit, 2 * unit, unit),
      negativeBuckets: Float64Array.of(2 * unit),
      customValues: null,
      isInteger: unit % 1 === 0,
      isStale: false,
      ...more,
    });
    const custom = histogram(0.25, {
      schema: -53,
      sum: Number.POSITIVE_INFINITY,
      customValues: Float64Array.of(0.5, 1, 2),
    });
    const given = [
      { timestampMs: 1000, histogram: histogram(1) },
      { timestampMs: 3000, histogram: histogram(0.25) },
      { timestampMs: 4000, histogram: histogram(0, { isStale: true, sum: Number.NaN }) },
      { timestampMs: 5000, histogram: custom },
    ];
    const fields = encodeLabels(Labels.from({ __name__: 'h', prometheus_replica: 'A' }));
    const encoder = new TimeSeriesEncoder();
    const float = { timestampsMs: Float64Array.of(2000), words: wordsOf(Float64Array.of(9)) };
    encoder.run(fields, float, 0, 1);
    for (const { timestampMs, histogram: one } of given)
      encoder.histogram(fields, timestampMs, one);
    const other = encodeLabels(Labels.from({ __name__: 'h', prometheus_replica: 'B' }));
    encoder.histogram(other, 1500, histogram(2));
    const body = snappyEncode(encoder.bytes());
    const written = await store.request('POST', '/api/v1/prom/write?db=prometheus', { body });
    expect(written.status, written.text).toBe(204);

    const readAll = async (from: TestStore, name: string) => {
      const queryable = from.service.view('prometheus').queryable;
      const matchers = [Matcher.metric('h'), replica(name)];
      const request = {
        range: { minMs: 0, maxMs: 9_000 },
        matchers,
        hints: NO_HINTS,
        sorted: true,
      };
      const { signal } = new AbortController();
      const budget = new MemoryBudget(1e6, 'test');
      const [columns] = (await queryable.select(request, { signal, budget }).next()) ?? [];
      const { count = 0, timestampsMs, values, histograms } = columns!;
      return Array.from({ length: count }, (_, i) => ({
        timestampMs: timestampsMs[i],
        histogram: histograms?.[i] ?? values[i],
      }));
    };
    const expected = [given[0], { timestampMs: 2000, histogram: 9 }, ...given.slice(1)];
    expect(await readAll(store, 'A')).toEqual(expected);
    await store.store.flush();
    const again = await new TestStore(store.directory).open();
    expect(await readAll(again, 'A')).toEqual(expected);
    const [fromB] = await readAll(again, 'B');
    expect(fromB).toEqual({ timestampMs: 1500, histogram: histogram(2) });
    await again.close();
    const text = await store.query('SELECT native_histogram FROM h WHERE time = 3000ms', {
      db: 'prometheus',
    });
    expect(text).toContain(String.raw`\"schema\":2,\"count\":1.75`);
  });

  it('reads no samples for who wants series only, and tells which have some in the range', async () => {
    const times = Array.from({ length: 3_000 }, (_, i) => i * 1_000);
    const labels = { __name__: 'up', i: '1' };
    expect((await send([{ labels, times, value: 1, step: 1 }])).status).toBe(204);
    const ask = async (startMs: number, endMs: number, accepted: readonly ResponseType[]) => {
      const hints = { ...NO_HINTS, startMs, endMs, func: 'series' };
      const query = { startMs, endMs, matchers: [up], hints };
      const body = snappyEncode(encodeReadRequest({ queries: [query], accepted }));
      const answer = await store.request('POST', '/api/v1/prom/read?db=prometheus', { body });
      expect(answer.status).toBe(200);
      if (answer.headers['content-type']?.includes('streamed') === true) return 'chunks';
      const [series = []] = decodeReadResponse(await snappyDecode(answer.bytes));
      return series.map((one) => `${one.labels} ${one.count}`);
    };
    const found = ['{__name__="up", i="1"} 0'];
    for (const isFlushed of [false, true]) {
      if (isFlushed) await store.store.flush();
      expect(await ask(0, 1_000, [])).toEqual(found);
      expect(await ask(2_999_000, 9_000_000, ['streamed-xor-chunks', 'samples'])).toEqual(found);
      expect(await ask(3_001_000, 9_000_000, ['samples'])).toEqual([]);
      // A series without samples has no chunk.
      expect(await ask(0, 1_000, ['streamed-xor-chunks'])).toBe('chunks');
    }
  });

  it('answers in frames of chunks where the reader prefers them, and closes what a reader left', async () => {
    const times = Array.from({ length: 1_000 }, (_, i) => i * 1_000);
    const series = Array.from({ length: 200 }, (_, i) => ({
      labels: { __name__: 'up', i: String(i).padStart(3, '0') },
      times,
      value: 1 / (i + 1),
      step: 0.123_456_7,
    }));
    expect((await send(series)).status).toBe(204);
    const ask = (signal?: AbortSignal) =>
      store.response('POST', '/api/v1/prom/read?db=prometheus', {
        signal: signal ?? new AbortController().signal,
        body: snappyEncode(
          encodeReadRequest({
            queries: [{ startMs: 0, endMs: 1_000_000, matchers: [up], hints: null }],
            accepted: ['streamed-xor-chunks', 'samples'],
          }),
        ),
      });
    const answer = await ask();
    expect(answer.headers?.['content-type']).toContain('application/x-streamed-protobuf');
    const reader = new ChunkedResponseReader();
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) reader.push(piece);
    reader.end();
    const all = { minMs: 0, maxMs: 1_000_000 };
    const got = reader.take().map((one) => one.columns(all));
    const wanted = await read(store, [up]);
    expect(got.map(({ labels }) => labels.toString())).toEqual(wanted.map(({ labels }) => labels));
    expect(got.map(({ count, values }) => [...values.subarray(0, count)])).toEqual(
      wanted.map(({ values }) => values),
    );

    const leaving = new AbortController();
    const left = await ask(leaving.signal);
    leaving.abort();
    await expect(async () => {
      for await (const _ of left.body as AsyncIterable<Uint8Array>);
    }).rejects.toThrow();
  });

  it('leaves out what another writer put into the field of histograms', async () => {
    for (const text of ['no JSON', '{}', 'null', '[1]', String.raw`{\"schema\":1}`, '7'])
      await store.write('prometheus', `h native_histogram="${text}" ${text.length}`);
    expect(await read(store, [Matcher.metric('h')])).toEqual([]);
  });

  it('answers malformed bodies with 400 and goes on', async () => {
    for (const body of [
      Buffer.from('xx'),
      snappyEncode(Buffer.from([0x0a, 0xff, 0xff, 0x03])),
      Buffer.alloc(0),
    ]) {
      const answer = await store.request('POST', '/api/v1/prom/write?db=prometheus', { body });
      expect([204, 400]).toContain(answer.status);
    }
    expect((await send([{ labels: { __name__: 'up' }, times: [1], value: 1 }])).status).toBe(204);
  });
});

it('keeps series apart when one with escapes is written again and again', async () => {
  const store = await new TestStore().open();
  await store.query('CREATE DATABASE d');
  for (const line of [
    'o\\ p,k=a v=1 1',
    'o\\ p,k=a v=2 2',
    'n v=3 3',
    'o\\ p,k=a v=4 4',
    'm v=5 5',
  ])
    await store.write('d', line);
  expect(await store.query('SELECT count(v) FROM /./', { db: 'd' })).toMatch(
    /"m",[^[]*\["time","count"\],"values":\[\["[^"]*",1\]\].*"n",.*,1\]\].*"o p",.*,3\]\]/,
  );
  await store.close();
});

describe('unsigned integers', () => {
  it('are refused in line protocol, as released builds of InfluxDB do, unless the configuration takes them', async () => {
    const largest = '18446744073709551615';
    const closed = await new TestStore().open();
    await closed.query('create database db');
    expect((await closed.write('db', `m u=${largest}u 1`)).text).toContain('invalid number');
    await closed.close();
    const store = await new TestStore().open({ INFLUXDB_HA_UNSIGNED_INTEGERS: 'true' });
    await store.query('create database db');
    expect((await store.write('db', `m u=${largest}u,i=-5i 1\nm u=0u 2`)).status).toBe(204);
    for (const bad of ['-1u', '1.5u', '1e3u', '1iu', 'u']) {
      expect((await store.write('db', `m u=${bad} 3`)).status, bad).toBe(400);
    }
    expect((await store.write('db', 'm u=18446744073709551616u 3')).text).toContain(
      'unable to parse unsigned 18446744073709551616',
    );
    expect(await store.query('show field keys', { db: 'db' })).toContain('["u","unsigned"]');
    expect(await store.query('select u, i from m', { db: 'db', epoch: 'ns' })).toContain(
      `"values":[[1,${largest},-5],[2,0,null]]`,
    );
    expect(await store.query('select max(u), min(u), count(u) from m', { db: 'db' })).toContain(
      `${largest},0,2`,
    );
    expect(await store.query('select max(u) as u into copy from m', { db: 'db' })).not.toContain(
      'error',
    );
    expect(await store.query('select max(u) from copy', { db: 'db' })).toContain(largest);
    // Another type for the same field is a conflict like any other.
    expect((await store.write('db', 'm u=5i 4')).text).toContain('already exists as type unsigned');
    await store.close();
  });
});

describe('the hand-made set-up', () => {
  it('drops whole shard groups, Monday-aligned, once ALTER RETENTION POLICY and the clock say so', async () => {
    const clock = new VirtualClock(Date.UTC(2024, 1, 15));
    const store = await new TestStore().open({}, { ...nodeEnv(), clock });
    await store.query('create database prometheus');
    await store.write('prometheus', `m v=1 ${Date.UTC(2024, 0, 17)}`, { precision: 'ms' });
    await store.write('prometheus', `m v=2 ${Date.UTC(2024, 1, 14)}`, { precision: 'ms' });
    const altered = await store.query(
      'alter retention policy autogen on prometheus duration 30d  REPLICATION 1  SHARD DURATION 7d default',
    );
    expect(altered).toBe('{"results":[{"statement_id":0}]}');
    expect(await store.query('show retention policies', { db: 'prometheus' })).toContain(
      '[["autogen","720h0m0s","168h0m0s",1,true]]',
    );
    expect(store.store.groups().map(({ startMs }) => new Date(startMs).getUTCDay())).toEqual([
      1, 1,
    ]);
    expect(await store.service.dropExpired()).toBe(0);
    await clock.advance(7 * 86_400_000);
    expect(await store.service.dropExpired()).toBe(1);
    const left = await store.query('SELECT v FROM m', { db: 'prometheus', epoch: 'ms' });
    expect(left).toContain(`"values":[[${Date.UTC(2024, 1, 14)},2]]`);
    const old = await store.write('prometheus', `m v=1 ${Date.UTC(2024, 0, 1)}`, {
      precision: 'ms',
    });
    expect(old.text).toContain('points beyond retention policy dropped=1');
    await store.close();
  });
});

describe('a shorter shard group duration', () => {
  it('is that of later groups only, which do not overlap those that are there', async () => {
    const clock = new VirtualClock(Date.UTC(2024, 1, 15));
    const store = await new TestStore().open({}, { ...nodeEnv(), clock });
    await store.query('create database prometheus');
    const write = (ms: number): Promise<unknown> =>
      store.write('prometheus', `m v=1 ${ms}`, { precision: 'ms' });
    await write(Date.UTC(2024, 1, 14));
    await store.query('ALTER RETENTION POLICY autogen ON prometheus SHARD DURATION 1d');
    await write(Date.UTC(2024, 1, 16));
    await write(Date.UTC(2024, 1, 19, 5));
    const spans = store.store
      .groups()
      .map(({ startMs, endMs }) => [
        new Date(startMs).toISOString(),
        (endMs - startMs) / 3_600_000,
      ]);
    expect(spans).toEqual([
      ['2024-02-12T00:00:00.000Z', 7 * 24],
      ['2024-02-19T00:00:00.000Z', 24],
    ]);
    await store.close();
  });
});

describe('bad input', () => {
  it('never ends in anything but an answer that says what is wrong', async () => {
    const store = await new TestStore().open({ INFLUXDB_HTTP_MAX_BODY_SIZE: '100' });
    await store.query('CREATE DATABASE d');
    expect((await store.write('d', 'm v=9223372036854775808i')).text).toContain(
      'value out of range',
    );
    expect(await store.query('SELECT mean(v) FROM')).toContain('expected identifier');
    expect(await store.query('('.repeat(5000))).toContain('error parsing query');
    expect(await store.query(`SELECT ${'('.repeat(5000)}v FROM m`)).toContain('nested too deeply');
    expect(await store.query('SELECT v FROM /(/', { db: 'd' })).toContain('error parsing regexp');
    const longTicket = await store.request('POST', '/write?db=d', {
      body: Buffer.alloc(200, 'x'),
      headers: { 'content-encoding': 'gzip' },
    });
    expect(longTicket.status).toBe(400);
    expect((await store.write('d', 'm v=1 1')).status).toBe(204);
    await store.close();
  });
});
