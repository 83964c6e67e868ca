import { type FloatHistogram, formatFloat, Labels } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QueryResult } from './result.ts';
import { writeResultJson } from './result-json.ts';

function json(result: QueryResult): string {
  const pieces: Uint8Array[] = [];
  writeResultJson(result, { write: (piece) => pieces.push(piece) });
  return Buffer.concat(pieces).toString();
}

const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.5,
  zeroCount: 1,
  count: 6,
  sum: 10.5,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [{ offset: 1, length: 1 }],
  positiveBuckets: Float64Array.of(2, 0),
  negativeBuckets: Float64Array.of(3),
  customValues: null,
  isInteger: false,
  isStale: false,
};

describe('the result writer', () => {
  it.each([
    [1435781451050, '1435781451.050'],
    [500, '0.500'],
    [1_000, '1'],
    [7, '0.007'],
    [-1_500, '-1.500'],
  ])('writes %d ms as %s', (ms, expected) => {
    const timestampsMs = Float64Array.of(ms);
    const values = Float64Array.of(1);
    const series = [{ labels: Labels.EMPTY, count: 1, timestampsMs, values, histograms: null }];
    expect(json({ kind: 'matrix', series })).toContain(`[[${expected},"1"]]`);
  });

  it('writes any float as the shortest text that reads as the same', () => {
    const decimal = fc.tuple(fc.integer(), fc.integer({ min: 0, max: 6 }));
    const anyFloat = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.maxSafeInteger(),
      decimal.map(([digits, places]) => digits / 10 ** places),
    );
    fc.assert(
      fc.property(fc.array(anyFloat, { minLength: 1, maxLength: 50 }), (list) => {
        const values = Float64Array.from(list);
        const timestampsMs = values.map((_, i) => i);
        const count = list.length;
        const series = [{ labels: Labels.EMPTY, count, timestampsMs, values, histograms: null }];
        const written = JSON.parse(json({ kind: 'matrix', series })).result[0].values;
        expect(written.map((sample: [number, string]) => sample[1])).toEqual(list.map(formatFloat));
      }),
      { numRuns: 300 },
    );
  });

  it('writes values without plain decimals among others', () => {
    const odd = fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 1e-7, -1e300, 5e-324, 1e21);
    const values = fc.array(fc.oneof(fc.double(), fc.integer(), odd), { maxLength: 700 });
    fc.assert(
      fc.property(values, (list) => {
        const count = list.length;
        const timestampsMs = Float64Array.from(list, (_, i) => i * 1000);
        const columns = { count, timestampsMs, values: Float64Array.from(list), histograms: null };
        const [series] = JSON.parse(
          json({ kind: 'matrix', series: [{ labels: Labels.EMPTY, ...columns }] }),
        ).result;
        const expected = list.map((value, i) => [i, formatFloat(value)]);
        expect(series.values ?? []).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('writes texts of any length and alphabet between pieces', () => {
    const texts = fc.string({
      unit: fc.oneof(fc.constant('a'), fc.constantFrom('"', '\\', 'é', '😀', '\n')),
      maxLength: 400,
    });
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 400 }), (list) => {
        const labels = list.map((text, i) =>
          Labels.from({ i: String(i), [`n${text}`]: `v${text}` }),
        );
        const values = new Float64Array(list.length);
        const result: QueryResult = {
          kind: 'vector',
          timestampMs: 1,
          labels,
          values,
          histograms: null,
        };
        const written = JSON.parse(json(result)).result;
        expect(written.map((item: { metric: unknown }) => item.metric)).toEqual(
          labels.map((each) => each.toObject()),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('writes numbers as Prometheus does', () => {
    const values = [1e-7, 1e-6, 1e21, 1e20, 0.1, -0, Number.NaN, -Infinity];
    const result: QueryResult = {
      kind: 'vector',
      timestampMs: 1_000,
      labels: values.map((_, i) => Labels.from({ i: String(i) })),
      values: Float64Array.from(values),
      histograms: null,
    };
    const written = JSON.parse(json(result)).result.map(
      (item: { value: unknown[] }) => item.value[1],
    );
    expect(written).toEqual([
      '1e-07',
      '0.000001',
      '1e+21',
      '100000000000000000000',
      '0.1',
      '-0',
      'NaN',
      '-Inf',
    ]);
  });

  it('writes scalars, strings and an empty vector', () => {
    expect(json({ kind: 'scalar', timestampMs: 1_500, value: 2 })).toBe(
      '{"resultType":"scalar","result":[1.5,"2"]}',
    );
    expect(json({ kind: 'scalar', timestampMs: 50, value: 1e-7 })).toBe(
      '{"resultType":"scalar","result":[0.05,"0.0000001"]}',
    );
    expect(json({ kind: 'string', timestampMs: 0, value: 'a"\u2028' })).toBe(
      `{"resultType":"string","result":[0,${JSON.stringify('a"\u2028')}]}`,
    );
    const empty = { labels: [], values: new Float64Array(0), histograms: null } as const;
    expect(json({ kind: 'vector', timestampMs: 0, ...empty })).toBe(
      '{"resultType":"vector","result":[]}',
    );
  });

  it('writes floats and histograms of a series apart, buckets with their bounds', () => {
    const result: QueryResult = {
      kind: 'matrix',
      series: [
        {
          labels: Labels.from({ __name__: 'h' }),
          count: 2,
          timestampsMs: Float64Array.of(1_000, 2_000, 0),
          values: Float64Array.of(5, 0, 0),
          histograms: [null, HISTOGRAM],
        },
      ],
    };
    expect(json(result)).toBe(
      '{"resultType":"matrix","result":[{"metric":{"__name__":"h"},"values":[[1,"5"]],' +
        '"histograms":[[2,{"count":"6","sum":"10.5","buckets":[[1,"-2","-1","3"],[3,"-0.5","0.5","1"],[0,"0.5","1","2"]]}]]}]}',
    );
  });

  it('hands over large answers in pieces', () => {
    const count = 60_000;
    const pieces: Uint8Array[] = [];
    const timestampsMs = Float64Array.from({ length: count }, (_, i) => i);
    const series = {
      labels: Labels.EMPTY,
      count,
      timestampsMs,
      values: timestampsMs,
      histograms: null,
    };
    writeResultJson({ kind: 'matrix', series: [series] }, { write: (piece) => pieces.push(piece) });
    expect(pieces.length).toBeGreaterThan(4);
    expect(pieces[0]!.length).toBeLessThan(35_000);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(220_000);
    expect(JSON.parse(Buffer.concat(pieces).toString()).result[0].values).toHaveLength(count);
  });
});
