import { EVERYONE, type HttpRequest, InputError, LimitError, SeededRandom } from '@pollux/base';
import { Router } from '@pollux/http';
import { hashKey } from '@pollux/kernels';
import { type FloatHistogram, isStaleAt, Labels, setStaleAt, wordsOf } from '@pollux/model';
import { APPEND_OUTCOME, type Appendable, type Appender, UnavailableError } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import {
  encodeLabels,
  SeriesCache,
  snappyEncode,
  TimeSeriesEncoder,
  writeHandler,
} from '../index.ts';

/** Keeps what was committed; refuses in the way of a Prometheus head. */
class Memory implements Appendable {
  readonly series: Labels[] = [];
  readonly samples = new Map<string, Map<number, number>>();
  readonly histograms: FloatHistogram[] = [];
  readonly exemplars: number[] = [];
  resolved = 0;
  open = 0;
  staleCount = 0;
  /** Refs below are forgotten. */
  firstKnown = 1;
  failure: Error | null = null;
  maxSeries = Number.POSITIVE_INFINITY;

  appender(): Appender {
    this.open++;
    const staged: [string, number, number][] = [];
    const histograms: FloatHistogram[] = [];
    return {
      series: (labels) => {
        this.resolved++;
        if (this.series.length >= this.maxSeries) return 0;
        this.series.push(labels);
        return this.series.length;
      },
      appendFloats: (refs, timestampsMs, values, _starts, count, outcomes) => {
        let taken = 0;
        for (let i = 0; i < count; i++) {
          const key = this.series[refs[i]! - 1]?.toMetricString() ?? '';
          const known = this.samples.get(key) ?? new Map<number, number>();
          const newest = Math.max(Number.NEGATIVE_INFINITY, ...known.keys());
          outcomes[i] = APPEND_OUTCOME.ok;
          if (refs[i]! < this.firstKnown) outcomes[i] = APPEND_OUTCOME.unknownRef;
          else if (timestampsMs[i]! < newest) outcomes[i] = APPEND_OUTCOME.outOfOrder;
          else if (timestampsMs[i] === newest && known.get(newest) !== values[i]) {
            outcomes[i] = APPEND_OUTCOME.duplicate;
          }
          if (outcomes[i] !== APPEND_OUTCOME.ok) continue;
          if (isStaleAt(wordsOf(values), i)) this.staleCount++;
          staged.push([key, timestampsMs[i]!, values[i]!]);
          taken++;
        }
        return taken;
      },
      appendHistogram: (_ref, _timestampMs, histogram) => {
        histograms.push(histogram);
        return APPEND_OUTCOME.ok;
      },
      appendExemplar: (_ref, exemplar) => {
        this.exemplars.push(exemplar.value);
      },
      setMetadata: () => {},
      commit: async () => {
        this.open--;
        if (this.failure !== null) throw this.failure;
        for (const [key, time, value] of staged) {
          const known = this.samples.get(key) ?? new Map<number, number>();
          known.set(time, value);
          this.samples.set(key, known);
        }
        this.histograms.push(...histograms);
      },
      rollback: () => {
        this.open--;
      },
    };
  }

  of(key: string): [number, number][] {
    return [...(this.samples.get(key) ?? [])];
  }
}

type Sample = readonly [labels: Record<string, string>, timestampMs: number, value: number];

function body(...samples: Sample[]): Uint8Array {
  const encoder = new TimeSeriesEncoder();
  for (const [labels, timestampMs, value] of samples) {
    const values = Float64Array.of(value);
    const fields = encodeLabels(Labels.from(labels));
    encoder.run(
      fields,
      { timestampsMs: Float64Array.of(timestampMs), words: wordsOf(values) },
      0,
      1,
    );
  }
  return snappyEncode(encoder.bytes());
}

function receiver(memory: Appendable | (() => Appendable) = new Memory()) {
  const registry = new Registry();
  const router = new Router({ monotonic: () => 0 }).post(
    '/api/v1/write',
    writeHandler({
      appendable: typeof memory === 'function' ? memory : () => memory,
      random: new SeededRandom(3),
      registry,
      log: Log.silent(),
    }),
  );
  return async (data: Uint8Array, headers: Record<string, string> = {}) => {
    const request: HttpRequest = {
      method: 'POST',
      target: '/api/v1/write',
      headers,
      remote: { host: '127.0.0.1', port: 1 },
      signal: new AbortController().signal,
      principal: EVERYONE,
      stream: () => {
        throw new Error('not used');
      },
      body: async (limitBytes) => {
        if (data.length > limitBytes)
          throw new LimitError('HTTP.BODY_TOO_LARGE', 'body', 'too big');
        return data;
      },
    };
    const response = await router.handler(request);
    return { status: response.status, text: String(response.body ?? ''), registry };
  };
}

const UP = { __name__: 'up', job: 'n' };

describe('receiving remote write', () => {
  it('stores samples and answers 204', async () => {
    const memory = new Memory();
    const send = receiver(memory);
    expect(await send(body([UP, 1_000, 1], [{ __name__: 'x' }, 1_000, 2]))).toMatchObject({
      status: 204,
    });
    expect(memory.of('up{job="n"}')).toEqual([[1_000, 1]]);
    expect(memory.of('x')).toEqual([[1_000, 2]]);
    expect(memory.open).toBe(0);
  });

  it('resolves the labels of a series once, however many requests follow', async () => {
    const memory = new Memory();
    const send = receiver(memory);
    for (let i = 1; i <= 20; i++) await send(body([UP, i, i]));
    expect(memory.resolved).toBe(1);
    expect(memory.of('up{job="n"}')).toHaveLength(20);
  });

  it('resolves again when the storage has forgotten the series', async () => {
    const memory = new Memory();
    const send = receiver(memory);
    await send(body([UP, 1, 1]));
    memory.firstKnown = 2;
    expect(await send(body([UP, 2, 2]))).toMatchObject({ status: 204 });
    expect(memory.of('up{job="n"}')).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(memory.open).toBe(0);
  });

  it('keeps stale markers by their bits, also behind a series that is left out', async () => {
    const memory = new Memory();
    const encoder = new TimeSeriesEncoder();
    const values = new Float64Array(1);
    const rows = { timestampsMs: Float64Array.of(5), words: wordsOf(values) };
    encoder.run(encodeLabels(Labels.from({ nameless: 'x' })), rows, 0, 1);
    setStaleAt(wordsOf(values), 0);
    encoder.run(encodeLabels(Labels.from(UP)), rows, 0, 1);
    const { status, registry } = await receiver(memory)(snappyEncode(encoder.bytes()));
    expect(status).toBe(204);
    expect(memory.staleCount).toBe(1);
    const invalid = registry.counter(
      'prometheus_api_remote_write_invalid_labels_samples_total',
      '',
    );
    expect(invalid.value).toBe(1);
  });

  it.each([
    ['an older sample', 500, 1, 'out of order sample'],
    ['another value at the same time', 1_000, 2, 'duplicate sample for timestamp'],
  ])(
    'refuses %s with 400, naming the series, and keeps nothing of the request',
    async (_, time, value, reason) => {
      const memory = new Memory();
      const send = receiver(memory);
      await send(body([UP, 1_000, 1]));
      const answer = await send(body([{ __name__: 'new' }, 1, 1], [UP, time, value]));
      expect(answer).toMatchObject({ status: 400 });
      expect(answer.text).toContain(reason);
      expect(answer.text).toContain('up{job="n"}');
      expect(memory.of('new')).toEqual([]);
      expect(memory.open).toBe(0);
    },
  );

  it.each([
    ['truncated snappy', snappyEncode(new Uint8Array(500).fill(7)).subarray(0, 5), 400, 'snappy'],
    ['a block that announces 4 GiB', Uint8Array.of(255, 255, 255, 255, 15), 400, 'too large'],
    ['wrong protobuf', snappyEncode(Uint8Array.of(8, 1)), 400, 'wire type'],
    ['a body over the limit', new Uint8Array(33 * 1024 * 1024), 413, 'too big'],
  ])('answers %s with an error that says so', async (_, data, status, text) => {
    const answer = await receiver()(data);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
  });

  it('stores what it can where a limit refuses new series, and says which with 400', async () => {
    const memory = new Memory();
    const send = receiver(memory);
    await send(body([UP, 1_000, 1]));
    memory.maxSeries = 1;
    const answer = await send(
      body([{ __name__: 'new' }, 2_000, 1], [UP, 2_000, 2], [{ __name__: 'newer' }, 2_000, 1]),
    );
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('refused 2 new series, the first new');
    expect(memory.of('up{job="n"}')).toEqual([
      [1_000, 1],
      [2_000, 2],
    ]);
    expect(memory.open).toBe(0);
    const invalid = 'prometheus_api_remote_write_invalid_labels_samples_total';
    expect(answer.registry.counter(invalid, '').value).toBe(0);
  });

  it('answers 415 to other messages and encodings, and takes those without headers', async () => {
    const send = receiver();
    const type = 'application/x-protobuf';
    const version2 = `${type};proto=io.prometheus.write.v2.Request`;
    expect((await send(body([UP, 1, 1]), { 'content-type': version2 })).status).toBe(415);
    expect((await send(body([UP, 1, 1]), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await send(body([UP, 1, 1]), { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await send(body([UP, 1, 1]), { 'content-type': type })).status).toBe(204);
    const named = `${type}; proto=prometheus.WriteRequest`;
    expect((await send(body([UP, 2, 1]), { 'content-type': named })).status).toBe(204);
  });

  it('answers 500 when the storage fails, 503 when it starts, so that the sender tries again, and 400 when it says no', async () => {
    const memory = new Memory();
    memory.failure = new Error('disk full');
    expect(await receiver(memory)(body([UP, 1, 1]))).toMatchObject({ status: 500 });
    memory.failure = new UnavailableError('the log is being replayed: 7 %');
    expect(await receiver(memory)(body([UP, 1, 1]))).toMatchObject({
      status: 503,
      text: 'the log is being replayed: 7 %\n',
    });
    const none = receiver(() => {
      throw new InputError('TEST.NO_DATABASE', 'db', 'database not found');
    });
    expect(await none(body([UP, 1, 1]))).toMatchObject({
      status: 400,
      text: 'db: database not found\n',
    });
  });
});

describe('the series cache', () => {
  const SEED = Uint32Array.of(7, 11);
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  it('finds each of many series and nothing else', () => {
    const cache = new SeriesCache(SEED);
    for (let i = 0; i < 5_000; i++) {
      const key = bytes(`series-${i}`);
      cache.set(key, 0, key.length, i + 1);
    }
    expect(cache.size).toBe(5_000);
    for (let i = 0; i < 5_000; i++) {
      const key = bytes(`xx-series-${i}`);
      expect(cache.find(key, 3, key.length)).toBe(i + 1);
    }
    const other = bytes('series-5000');
    expect(cache.find(other, 0, other.length)).toBe(0);
  });

  it('keeps apart what hashes alike, a series without labels included', () => {
    const cache = new SeriesCache(SEED);
    // Two texts whose hashes meet in the low ten bits share a chain of the smallest table.
    const all = Array.from({ length: 4_000 }, (_, i) => bytes(`s${i}`));
    const hash = new Uint32Array(2);
    const low = (key: Uint8Array): number => {
      hashKey(key, 0, key.length, SEED, hash);
      return hash[0]! & 1_023;
    };
    const same = all.filter((key) => low(key) === low(all[0]!));
    expect(same.length).toBeGreaterThan(1);
    for (const [i, key] of [...same, new Uint8Array(0)].entries())
      cache.set(key, 0, key.length, i + 1);
    for (const [i, key] of same.entries()) expect(cache.find(key, 0, key.length)).toBe(i + 1);
    expect(cache.find(new Uint8Array(0), 0, 0)).toBe(same.length + 1);
  });

  it('starts anew when full instead of growing without bound', () => {
    const cache = new SeriesCache(SEED, 1_000);
    for (let i = 0; i < 1_000; i++) {
      const key = bytes(`series-${i}`);
      cache.set(key, 0, key.length, i + 1);
    }
    expect(cache.size).toBeLessThan(150);
    const last = bytes('series-999');
    expect(cache.find(last, 0, last.length)).toBe(1_000);
  });
});
