import { OperatingError } from '@pollux/base';
import { encodeFamilies } from '@pollux/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HistogramOptions, ProtobufTemplate } from '../index.ts';

const NATIVE: HistogramOptions = { native: true, alwaysClassic: false, toCustomBuckets: false };
const CLASSIC: HistogramOptions = { ...NATIVE, native: false };

/** What a target with a parser has told, series by their labels as long as they have an id. */
class Reading {
  readonly template: ProtobufTemplate;
  readonly #names = new Map<number, string>();

  constructor(options: HistogramOptions = NATIVE) {
    this.template = new ProtobufTemplate(options);
  }

  /** `series value [@time] [since start]`, histograms as JSON. */
  rows(families: readonly Record<string, unknown>[]): string[] {
    const { template } = this;
    template.parse(encodeFamilies(families));
    for (const { id, labels } of template.newSeries) this.#names.set(id, labels.toMetricString());
    const { columns } = template;
    const rows: string[] = [];
    for (let i = 0; i < columns.count; i++) {
      const timestampMs = columns.timestamps[i]!;
      const startMs = columns.startTimestamps?.[i] ?? 0;
      const time = Number.isNaN(timestampMs) ? '' : ` @${timestampMs}`;
      const since = startMs === 0 ? '' : ` since ${startMs}`;
      rows.push(`${this.#names.get(columns.seriesIds[i]!)} ${columns.values[i]}${time}${since}`);
    }
    for (const { id, histogram, startTimestampMs } of template.histograms) {
      const { schema, count, sum, zeroCount, isInteger, counterResetHint } = histogram;
      const { positiveSpans, negativeSpans, positiveBuckets, negativeBuckets } = histogram;
      const spans = [...positiveSpans, ...negativeSpans].map((s) => [s.offset, s.length]);
      const text = JSON.stringify({
        ...{ schema, count, sum, zeroCount, spans },
        buckets: [...positiveBuckets, ...negativeBuckets],
        ...(histogram.customValues === null ? {} : { bounds: [...histogram.customValues] }),
        kind: `${isInteger ? 'integer' : 'float'} ${counterResetHint}`,
      });
      const since = startTimestampMs === 0 ? '' : ` since ${startTimestampMs}`;
      rows.push(`${this.#names.get(id)} ${text}${since}`);
    }
    return rows;
  }

  exemplars(): string[] {
    return this.template.exemplars.map(({ id, exemplar }) =>
      [this.#names.get(id), exemplar.labels, exemplar.value, exemplar.timestampMs].join(' '),
    );
  }

  release(ids: readonly number[]): void {
    this.template.release(ids);
  }
}

const LABELS = [
  { name: 'b', value: '2' },
  { name: 'a', value: 'ä"' },
];
const START = { seconds: 1_600_000_000, nanos: 123_000_000 };

const NATIVE_FAMILY = {
  name: 'rpc_seconds',
  type: 'HISTOGRAM',
  metric: [
    {
      histogram: {
        sampleCount: 12,
        sampleSum: 18.5,
        bucket: [
          { cumulativeCount: 5, upperBound: 1, exemplar: { label: [], value: 0.5 } },
          {
            cumulativeCount: 12,
            upperBound: 2,
            exemplar: {
              label: [{ name: 'trace', value: 'x' }],
              value: 1.5,
              timestamp: START,
            },
          },
        ],
        schema: 3,
        zeroThreshold: 0.001,
        zeroCount: 2,
        negativeSpan: [{ offset: 0, length: 1 }],
        negativeDelta: [1],
        positiveSpan: [
          { offset: -2, length: 2 },
          { offset: 1, length: 3 },
        ],
        positiveDelta: [3, -3, 4, -4, 2],
        startTimestamp: START,
      },
    },
  ],
};

describe('protobuf', () => {
  it('gives the series of every type, as the text format has them', () => {
    const reading = new Reading(CLASSIC);
    const rows = reading.rows([
      {
        name: 'c_total',
        help: 'Help.',
        type: 'COUNTER',
        unit: 'seconds',
        metric: [
          { label: LABELS, counter: { value: 3, startTimestamp: START }, timestampMs: 1_234 },
          { counter: { value: Number.NaN } },
        ],
      },
      { name: 'g', type: 'GAUGE', metric: [{ gauge: { value: -1.5 } }, {}] },
      { name: 'empty', type: 'GAUGE', metric: [] },
      { name: 'u', type: 'UNTYPED', metric: [{ untyped: { value: Number.POSITIVE_INFINITY } }] },
      {
        name: 's',
        type: 'SUMMARY',
        metric: [
          {
            summary: {
              sampleCount: 7,
              sampleSum: 2.5,
              quantile: [
                { quantile: 0.5, value: 1 },
                { quantile: 1, value: 2 },
              ],
              startTimestamp: START,
            },
          },
        ],
      },
      NATIVE_FAMILY,
    ]);
    expect(rows).toEqual([
      'c_total{a="ä\\"", b="2"} 3 @1234 since 1600000000123',
      'c_total NaN',
      'g -1.5',
      'g 0',
      'u Infinity',
      's_count 7 since 1600000000123',
      's_sum 2.5 since 1600000000123',
      's{quantile="0.5"} 1 since 1600000000123',
      's{quantile="1.0"} 2 since 1600000000123',
      'rpc_seconds_count 12 since 1600000000123',
      'rpc_seconds_sum 18.5 since 1600000000123',
      'rpc_seconds_bucket{le="1.0"} 5 since 1600000000123',
      'rpc_seconds_bucket{le="2.0"} 12 since 1600000000123',
      'rpc_seconds_bucket{le="+Inf"} 12 since 1600000000123',
    ]);
    expect(reading.exemplars()).toEqual([
      'rpc_seconds_bucket{le="1.0"} {} 0.5 ',
      'rpc_seconds_bucket{le="2.0"} {trace="x"} 1.5 1600000000123',
    ]);
    expect(Object.fromEntries(reading.template.metadata())).toMatchObject({
      c_total: { type: 'counter', help: 'Help.', unit: 'seconds' },
      g: { type: 'gauge' },
      u: { type: 'unknown' },
      rpc_seconds: { type: 'histogram' },
    });
    expect(reading.template.metadataSize).toBe(5);
  });

  const NATIVE_ROW =
    'rpc_seconds {"schema":3,"count":12,"sum":18.5,"zeroCount":2,"spans":[[-2,1],[2,1],[1,1],[0,1]],"buckets":[3,4,2,1],"kind":"integer unknown"} since 1600000000123';

  it('takes native histograms without their empty buckets, classic parts only where asked', () => {
    const reading = new Reading();
    expect(reading.rows([NATIVE_FAMILY])).toEqual([NATIVE_ROW]);
    // Without a time it is no exemplar of a native histogram.
    expect(reading.exemplars()).toEqual(['rpc_seconds {trace="x"} 1.5 1600000000123']);
    const both = new Reading({ ...NATIVE, alwaysClassic: true }).rows([NATIVE_FAMILY]);
    expect(both).toHaveLength(6);
    expect(both.at(-1)).toBe(NATIVE_ROW);
  });

  it('takes float and gauge histograms, and one of no observations', () => {
    const family = (type: string, histogram: object): Record<string, unknown> => ({
      name: 'h',
      type,
      metric: [{ histogram }],
    });
    const float = {
      sampleCountFloat: 2.5,
      zeroCountFloat: 0.5,
      zeroThreshold: 0.1,
      positiveSpan: [{ offset: 4, length: 1 }],
      positiveCount: [2],
    };
    expect(new Reading().rows([family('GAUGE_HISTOGRAM', float)])).toEqual([
      'h {"schema":0,"count":2.5,"sum":0,"zeroCount":0.5,"spans":[[4,1]],"buckets":[2],"kind":"float gauge"}',
    ]);
    const fresh = { positiveSpan: [{ offset: 0, length: 0 }] };
    expect(new Reading().rows([family('HISTOGRAM', fresh)])).toEqual([
      'h {"schema":0,"count":0,"sum":0,"zeroCount":0,"spans":[],"buckets":[],"kind":"integer unknown"}',
    ]);
  });

  it('makes classic histograms native ones with custom buckets, but not those that are native', () => {
    const classic = {
      name: 'h',
      type: 'HISTOGRAM',
      metric: [
        {
          histogram: {
            sampleCount: 10,
            sampleSum: 4,
            bucket: [
              { cumulativeCount: 3, upperBound: 0.5 },
              { cumulativeCount: 3, upperBound: 1 },
              { cumulativeCount: 7, upperBound: 2 },
            ],
          },
        },
      ],
    };
    const converting = { ...NATIVE, toCustomBuckets: true };
    expect(new Reading(converting).rows([classic, NATIVE_FAMILY])).toEqual([
      'h {"schema":-53,"count":10,"sum":4,"zeroCount":0,"spans":[[0,4]],"buckets":[3,0,4,3],"bounds":[0.5,1,2],"kind":"integer unknown"}',
      NATIVE_ROW,
    ]);
    const both = new Reading({ ...converting, alwaysClassic: true }).rows([classic]);
    expect(both.map((row) => row.split(' ')[0])).toEqual([
      'h_count',
      'h_sum',
      ...['0.5', '1.0', '2.0', '+Inf'].map((le) => `h_bucket{le="${le}"}`),
      'h',
    ]);
  });

  it.each([
    [[{ name: '', metric: [{}] }], 'invalid metric name'],
    [[{ name: 'm', type: 17, metric: [{}] }], 'metric family "m": unknown metric type 17'],
    [
      [{ name: 'm', metric: [{ label: [LABELS[0], LABELS[0]] }] }],
      'metric family "m": label name "b" is not unique',
    ],
    [
      [
        {
          name: 'm',
          type: 'HISTOGRAM',
          metric: [{ histogram: { positiveSpan: [{ length: 2 }], positiveDelta: [1] } }],
        },
      ],
      'histogram "m": positive side: spans require 2 buckets, have 1',
    ],
  ])('%# refuses what contradicts itself', (families, text) => {
    const { template } = new Reading();
    const bytes = encodeFamilies(families);
    expect(() => template.parse(bytes)).toThrow(text);
    expect(template.newSeries).toEqual([]);
  });
});

const family = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  help: fc.constantFrom('', 'x'),
  unit: fc.constantFrom('', 'u'),
  type: fc.constantFrom('COUNTER', 'GAUGE', 'SUMMARY', 'HISTOGRAM'),
  metric: fc.uniqueArray(
    fc.record({
      label: fc.constantFrom([], [LABELS[0]], [LABELS[1]], LABELS, [...LABELS].reverse()),
      counter: fc.record({ value: fc.nat(9) }),
      gauge: fc.record({ value: fc.nat(9) }),
      summary: fc.record({
        sampleCount: fc.nat(9),
        quantile: fc.array(fc.record({ quantile: fc.constantFrom(0, 0.5, 1), value: fc.nat(9) }), {
          maxLength: 3,
        }),
      }),
      histogram: fc.record({
        sampleCount: fc.nat(9),
        zeroCount: fc.nat(1),
        bucket: fc.array(
          fc.record({ cumulativeCount: fc.nat(9), upperBound: fc.constantFrom(1, 2, 3) }),
          { maxLength: 3 },
        ),
      }),
    }),
    { maxLength: 4, selector: (metric) => JSON.stringify(metric.label) },
  ),
});
const scrapes = fc.array(fc.array(family, { maxLength: 5 }), { minLength: 1, maxLength: 5 });

describe('a template', () => {
  it('that has seen other scrapes reads as a new one does', () => {
    fc.assert(
      fc.property(scrapes, (bodies) => {
        const reading = new Reading({ ...NATIVE, alwaysClassic: true });
        for (const body of bodies) {
          expect(reading.rows(body)).toEqual(
            new Reading({ ...NATIVE, alwaysClassic: true }).rows(body),
          );
          // As after a scrape: what it did not bring is gone.
          const { columns, histograms } = reading.template;
          const seen = new Set(columns.seriesIds.subarray(0, columns.count));
          for (const { id } of histograms) seen.add(id);
          reading.release(Array.from({ length: 200 }, (_, id) => id).filter((id) => !seen.has(id)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('recognises the metrics of the last scrape, also behind one that is gone', () => {
    const reading = new Reading();
    const metrics = Array.from({ length: 10 }, (_, i) => ({
      label: [{ name: 'i', value: `${i}` }],
      gauge: { value: i },
    }));
    const body = (metric: readonly object[]): Record<string, unknown>[] => [
      { name: 'g', help: 'h', type: 'GAUGE', metric },
    ];
    reading.rows(body(metrics));
    expect(reading.template.recognisedMetrics).toBe(0);
    reading.rows(body(metrics.filter((_, i) => i !== 4)));
    expect([reading.template.recognisedMetrics, reading.template.metrics]).toEqual([8, 9]);
    reading.rows(body(metrics));
    expect(reading.template.recognisedMetrics).toBe(9);
    expect(reading.template.newSeries).toEqual([]);
  });

  it('meets damaged bytes with an error of its own, and reads on with the next scrape', () => {
    const whole = encodeFamilies([NATIVE_FAMILY]);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
        const reading = new Reading({ ...NATIVE, alwaysClassic: true });
        const expected = reading.rows([NATIVE_FAMILY]);
        const damaged = isCut ? whole.slice(0, at) : whole.slice();
        if (!isCut) damaged[at] = byte;
        try {
          reading.template.parse(damaged);
        } catch (error) {
          expect(OperatingError.is(error)).toBe(true);
        }
        expect(reading.rows([NATIVE_FAMILY])).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});
