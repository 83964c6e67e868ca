import { DecodeError, LimitError } from '@pollux/base';
import {
  type FloatHistogram,
  isStaleAt,
  Labels,
  Matcher,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  setStaleAt,
  wordsOf,
} from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeLabels,
  decodeReadRequest,
  decodeReadResponse,
  decodeWriteRequest,
  encodeLabels,
  encodeReadRequest,
  encodeReadResponse,
  QueryResultEncoder,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
  type WriteRequestColumns,
} from '../index.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/[\s|]/g, ''), 'hex'));
}

function rows(timesMs: readonly number[], values: readonly number[]) {
  const columns = Float64Array.from(values);
  return { timestampsMs: Float64Array.from(timesMs), words: wordsOf(columns), values: columns };
}

/** The request as plain objects. */
function plain(request: WriteRequestColumns) {
  return Array.from({ length: request.seriesCount }, (_, series) => {
    const { labelData, labelStarts, labelEnds } = request;
    const decoded = decodeLabels(labelData, labelStarts[series]!, labelEnds[series]!);
    const samples: [number, number][] = [];
    for (let j = 0; j < request.sampleCount; j++) {
      if (request.sampleSeries[j] !== series) continue;
      samples.push([request.timestampsMs[j]!, request.values[j]!]);
    }
    return { labels: decoded.labels.toObject(), samples };
  });
}

/** up{job="n"} with 1 at 1,000 ms and 0 at −1 ms, written by hand after the protocol's description. */
const UP = hex(`
  0a 35
    0a 0e | 0a 08 5f5f6e616d655f5f | 12 02 7570
    0a 08 | 0a 03 6a6f62 | 12 01 6e
    12 0c | 09 000000000000f03f | 10 e807
    12 0b | 10 ffffffffffffffffff01
`);

const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'not-reset',
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCount: 2,
  count: 14,
  sum: 18.4,
  positiveSpans: [
    { offset: -2, length: 2 },
    { offset: 3, length: 1 },
  ],
  negativeSpans: [],
  positiveBuckets: Float64Array.from([5, 3, 4]),
  negativeBuckets: new Float64Array(0),
  customValues: null,
  isInteger: true,
  isStale: false,
};

describe('WriteRequest', () => {
  it('reads golden bytes, a negative time and an omitted zero included', () => {
    expect(plain(decodeWriteRequest(UP))).toEqual([
      {
        labels: { __name__: 'up', job: 'n' },
        samples: [
          [1_000, 1],
          [-1, 0],
        ],
      },
    ]);
  });

  it('writes the same bytes', () => {
    const encoder = new TimeSeriesEncoder();
    encoder.run(
      encodeLabels(Labels.from({ __name__: 'up', job: 'n' })),
      rows([1_000, -1], [1, 0]),
      0,
      2,
    );
    expect(Buffer.from(encoder.bytes()).toString('hex')).toBe(Buffer.from(UP).toString('hex'));
  });

  it('reads back any series and samples it wrote, bit by bit', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    const labels = fc.dictionary(text, text, { maxKeys: 6, noNullPrototype: true });
    const time = fc.maxSafeInteger().filter((t) => Math.abs(t) < Number.MAX_SAFE_INTEGER);
    const series = fc.record({ labels, samples: fc.array(fc.tuple(time, fc.double())) });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 8 }), (all) => {
        const encoder = new TimeSeriesEncoder();
        for (const { labels, samples } of all) {
          const columns = rows(
            samples.map(([t]) => t),
            samples.map(([, v]) => v),
          );
          encoder.run(encodeLabels(Labels.from(labels)), columns, 0, samples.length);
        }
        const decoded = plain(decodeWriteRequest(encoder.bytes()));
        expect(decoded).toEqual(
          all.map(({ labels, samples }) => ({
            labels: Labels.from(labels).toObject(),
            samples: samples.map(([t, v]) => [t, v]),
          })),
        );
      }),
    );
  });

  it('carries a stale marker by its bits', () => {
    const values = new Float64Array(1);
    setStaleAt(wordsOf(values), 0);
    const encoder = new TimeSeriesEncoder();
    encoder.run(
      encodeLabels(Labels.EMPTY),
      { timestampsMs: Float64Array.of(5), words: wordsOf(values) },
      0,
      1,
    );
    const decoded = decodeWriteRequest(encoder.bytes());
    expect(isStaleAt(wordsOf(decoded.values), 0)).toBe(true);
  });

  it('carries integer, float, custom-bucket and stale histograms', () => {
    const float: FloatHistogram = {
      ...HISTOGRAM,
      isInteger: false,
      count: 12.5,
      zeroCount: 0.5,
      counterResetHint: 'gauge',
      negativeSpans: [{ offset: 0, length: 2 }],
      negativeBuckets: Float64Array.from([0.25, 7]),
    };
    const custom: FloatHistogram = {
      ...HISTOGRAM,
      schema: -53,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveBuckets: Float64Array.from([1, 0]),
      customValues: Float64Array.from([0.1, 2.5]),
    };
    const encoder = new TimeSeriesEncoder();
    const all = [HISTOGRAM, float, custom];
    for (const [i, histogram] of all.entries()) {
      encoder.histogram(encodeLabels(Labels.from({ i: String(i) })), i * 1_000, histogram);
    }
    encoder.histogram(encodeLabels(Labels.EMPTY), 9, { ...HISTOGRAM, isStale: true });
    const decoded = decodeWriteRequest(encoder.bytes()).histograms;
    expect(decoded.slice(0, 3).map(({ histogram }) => histogram)).toEqual(all);
    expect(decoded.map(({ timestampMs }) => timestampMs)).toEqual([0, 1_000, 2_000, 9]);
    expect(decoded[3]?.histogram.isStale).toBe(true);
  });

  it('carries exemplars and metadata', () => {
    const encoder = new TimeSeriesEncoder();
    const labels = Labels.from({ __name__: 'x_bucket' });
    const exemplar = { labels: Labels.from({ trace_id: 'ab' }), value: 0.5, timestampMs: 77 };
    encoder.exemplar(encodeLabels(labels), exemplar);
    encoder.metadata('x', { type: 'stateset', help: 'What x is.', unit: 'seconds' });
    const decoded = decodeWriteRequest(encoder.bytes());
    expect(decoded.exemplars).toEqual([{ series: 0, exemplar }]);
    expect(decoded.metadata).toEqual([
      { family: 'x', type: 'stateset', help: 'What x is.', unit: 'seconds' },
    ]);
  });

  it('reads label fields that lie apart, and fields it does not know', () => {
    const scattered = hex(`
      0a 1e
        0a 06 | 0a 01 61 | 12 01 31
        12 02 | 10 05
        7a 01 ff
        0a 06 | 0a 01 62 | 12 01 32
        3d 01020304
        70 01
      50 01
    `);
    expect(plain(decodeWriteRequest(scattered))).toEqual([
      { labels: { a: '1', b: '2' }, samples: [[5, 0]] },
    ]);
  });

  it('finds duplicate and empty label names in one series only', () => {
    const twice = hex('0a 06 0a 01 61 12 01 31 0a 06 0a 01 61 12 01 32');
    expect(decodeLabels(twice, 0, twice.length)).toMatchObject({ kind: 'invalid' });
    const nameless = hex('0a 03 12 01 31');
    expect(decodeLabels(nameless, 0, nameless.length)).toMatchObject({ kind: 'invalid' });
  });
});

describe('malformed messages', () => {
  it.each([
    ['a length beyond the end', '0a ff 0a'],
    ['a wrong wire type for series', '08 01'],
    ['a wrong wire type for a value', '0a 04 12 02 08 01'],
    ['a group', '0a 01 0b'],
    ['field number zero', '00 01'],
    ['a varint without end', '0a 0f 12 0d 10 ffffffffffffffffffffff01'],
    ['a cut double', '0a 05 12 03 09 0000'],
    ['a request of version 2', '22 00'],
  ])('are refused with a DecodeError: %s', (_, bytes) => {
    expect(() => decodeWriteRequest(hex(bytes))).toThrow(DecodeError);
  });

  it('refuse label text that is not UTF-8', () => {
    const bytes = hex('0a 06 0a 01 ff 12 01 31');
    expect(() => decodeLabels(bytes, 0, bytes.length)).toThrow(/UTF-8/);
  });

  it('refuse a histogram whose spans and buckets disagree', () => {
    const encoder = new TimeSeriesEncoder();
    const wrong = { ...HISTOGRAM, positiveBuckets: Float64Array.of(1) };
    encoder.histogram(encodeLabels(Labels.EMPTY), 1, wrong);
    expect(() => decodeWriteRequest(encoder.bytes())).toThrow(/3 buckets, have 1/);
  });

  it('never do worse than a DecodeError, whatever the bytes', () => {
    const encoder = new TimeSeriesEncoder();
    encoder.run(encodeLabels(Labels.from({ a: 'b' })), rows([1, 2], [3, 4]), 0, 2);
    encoder.histogram(encodeLabels(Labels.from({ a: 'c' })), 1, HISTOGRAM);
    const good = encoder.bytes().slice();
    const mutated = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const bytes = fc.oneof(mutated, fc.uint8Array({ maxLength: 64 }));
    fc.assert(
      fc.property(bytes, (data) => {
        for (const decode of [
          () => plain(decodeWriteRequest(data)),
          () => decodeReadResponse(data),
        ]) {
          try {
            decode();
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('remote read messages', () => {
  const request = {
    queries: [
      {
        startMs: -5,
        endMs: 1_700_000_000_000,
        matchers: [
          Matcher.metric('up'),
          new Matcher('a', '!=', ''),
          new Matcher('b', '=~', 'x|y'),
          new Matcher('c', '!~', 'z.*'),
        ],
        hints: {
          startMs: 1,
          endMs: 2,
          stepMs: 3,
          rangeMs: 4,
          func: 'rate',
          grouping: ['job', 'x'],
          by: true,
          limit: 0,
        },
      },
      { startMs: 0, endMs: 0, matchers: [], hints: null },
    ],
    accepted: ['streamed-xor-chunks', 'samples'] as const,
  };

  it('reads back the request it wrote', () => {
    const decoded = decodeReadRequest(encodeReadRequest(request));
    expect(JSON.parse(JSON.stringify(decoded))).toEqual(JSON.parse(JSON.stringify(request)));
  });

  it('reads the widest range of time that a Prometheus API call gives', () => {
    const widest = hex('0a 0b 08 80808080808080808001');
    const [query] = decodeReadRequest(widest).queries;
    expect(query?.startMs).toBe(-Number.MAX_SAFE_INTEGER);
  });

  it('refuses a matcher that is no RE2 with an error that shows it', () => {
    const bytes = encodeReadRequest({
      queries: [{ startMs: 0, endMs: 1, matchers: [new Matcher('a', '=', '(')], hints: null }],
      accepted: [],
    });
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x12, 0x01, 0x61]));
    const regex = Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from([0x08, 0x02]),
      bytes.subarray(at),
    ]);
    regex[1] = regex[1]! + 2;
    regex[at - 1] = regex[at - 1]! + 2;
    expect(() => decodeReadRequest(regex)).toThrow(/`\(`/);
  });

  it('carries floats and histograms of one series in one order of time', () => {
    const columns: SeriesColumns = {
      labels: Labels.from({ __name__: 'h' }),
      count: 3,
      timestampsMs: Float64Array.of(10, 20, 30, 0),
      values: Float64Array.of(1.5, 0, 2.5, 0),
      histograms: [null, HISTOGRAM, null],
      startTimestampsMs: null,
      replica: '',
    };
    const encoder = new QueryResultEncoder();
    encoder.add(columns);
    encoder.add({ ...columns, labels: Labels.from({ __name__: 'f' }), histograms: null });
    const results = decodeReadResponse(
      encodeReadResponse([encoder.bytes().slice(), new Uint8Array(0)]),
    );
    expect(results.map((series) => series.length)).toEqual([2, 0]);
    const [mixed, floats] = results[0]!;
    expect([...mixed!.timestampsMs.subarray(0, 3)]).toEqual([10, 20, 30]);
    expect(mixed!.histograms).toEqual([null, HISTOGRAM, null]);
    expect([mixed!.values[0], mixed!.values[2]]).toEqual([1.5, 2.5]);
    expect([...floats!.values.subarray(0, 3)]).toEqual([1.5, 0, 2.5]);
  });

  it('refuses samples that are not in order of time', () => {
    const encoder = new TimeSeriesEncoder();
    encoder.run(encodeLabels(Labels.from({ a: 'b' })), rows([2, 1], [0, 0]), 0, 2);
    const bytes = encodeReadResponse([encoder.bytes().slice()]);
    expect(() => decodeReadResponse(bytes)).toThrow(/order of time/);
  });
});

describe('snappy', () => {
  it('reads back blocks of any size, small ones and those decoded off the thread', async () => {
    for (const size of [0, 1, 100, 300_000]) {
      const data = Uint8Array.from({ length: size }, (_, i) => i % 251);
      const decoded = await snappyDecode(snappyEncode(data));
      expect(Buffer.compare(decoded, data)).toBe(0);
    }
  });

  it('refuses a block that announces more than the limit, before any of it is decoded', async () => {
    await expect(snappyDecode(hex('ffffffff0f 00'))).rejects.toThrow(LimitError);
    await expect(snappyDecode(snappyEncode(new Uint8Array(100)), 99)).rejects.toThrow(LimitError);
  });

  it('refuses truncated and malformed blocks with a DecodeError', async () => {
    const block = snappyEncode(Uint8Array.from({ length: 4_000 }, (_, i) => (i * 7_919) % 256));
    for (const bad of [
      new Uint8Array(0),
      block.subarray(0, block.length - 1),
      hex('05 ff'),
      hex('ffffffffff01'),
    ]) {
      await expect(snappyDecode(bad)).rejects.toThrow(DecodeError);
    }
  });

  it('knows the stale marker of the shared definition', () => {
    const encoder = new TimeSeriesEncoder();
    encoder.histogram(encodeLabels(Labels.EMPTY), 1, { ...HISTOGRAM, isStale: true });
    const bytes = Buffer.from(encoder.bytes());
    const marker = Buffer.alloc(9);
    marker[0] = 0x19;
    marker.writeUInt32LE(STALE_NAN_LOW, 1);
    marker.writeUInt32LE(STALE_NAN_HIGH, 5);
    expect(bytes.includes(marker)).toBe(true);
  });
});
