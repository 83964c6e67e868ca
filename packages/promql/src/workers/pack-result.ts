import type { FloatHistogram } from '@pollux/model';
import type { QueryResult, Scalar, Str } from '../result.ts';
import {
  buffersOf,
  type PackedLabels,
  type PackedSeries,
  packHistogram,
  packLabels,
  packSeries,
  unpackLabels,
  unpackSeries,
} from './pack-series.ts';

/** A result as it crosses to another thread. */
export type PackedResult =
  | Scalar
  | Str
  | { readonly kind: 'matrix'; readonly series: PackedSeries }
  | {
      readonly kind: 'vector';
      readonly timestampMs: number;
      readonly labels: PackedLabels;
      readonly values: Float64Array;
      readonly histograms: readonly (FloatHistogram | null)[] | null;
    };

export function packResult(result: QueryResult): PackedResult {
  switch (result.kind) {
    case 'scalar':
    case 'string':
      return result;
    case 'matrix': {
      const series = result.series.map((one) => ({ ...one, startTimestampsMs: null, replica: '' }));
      return { kind: 'matrix', series: packSeries(series) };
    }
    case 'vector': {
      const { timestampMs, labels, values, histograms } = result;
      return {
        kind: 'vector',
        timestampMs,
        labels: packLabels(labels),
        values: values.slice(0, labels.length),
        histograms: histograms?.map(packHistogram) ?? null,
      };
    }
  }
}

/** What may be given away with the result instead of being copied. */
export function buffersOfResult(result: PackedResult): ArrayBuffer[] {
  return result.kind === 'matrix' ? buffersOf(result.series) : [];
}

export function unpackResult(packed: PackedResult): QueryResult {
  switch (packed.kind) {
    case 'scalar':
    case 'string':
      return packed;
    case 'matrix':
      return {
        kind: 'matrix',
        series: unpackSeries(packed.series).map(
          ({ labels, count, timestampsMs, values, histograms }) => ({
            labels,
            count,
            timestampsMs,
            values,
            histograms,
          }),
        ),
      };
    case 'vector':
      return { ...packed, labels: unpackLabels(packed.labels) };
  }
}
