import {
  MAX_TIME_MS,
  type PointColumns,
  type SampleColumns,
  type SampleRules,
  type SeriesKey,
  splitReplicaLabels,
} from '@pollux/storage';
import { HISTOGRAM_FIELD, measurementOf } from '../engine/prometheus-mapping.ts';
import { textOfHistogram } from './histogram-text.ts';

/** The histograms of a request as points of a text field, and what is refused of them. */
export type HistogramPoints = {
  readonly points: PointColumns;
  readonly refusedSamples: number;
  readonly reservedMeasurement: string | null;
};

/** Copies what it needs, so that the samples may be given back. Histograms are few beside floats: an object for each is no matter. */
export function histogramPoints(samples: SampleColumns, rules: SampleRules): HistogramPoints {
  const keys = new Map<number, { readonly index: number; readonly key: SeriesKey }>();
  const series: SeriesKey[] = [];
  const rows: { readonly series: number; readonly timeMs: number; readonly text: string }[] = [];
  let refusedSamples = 0;
  let reservedMeasurement: string | null = null;
  for (const { series: number, timestampMs, histogram } of samples.histograms) {
    let known = keys.get(number);
    if (known === undefined) {
      const { labels, replica } = splitReplicaLabels(samples.labelsOf(number), rules.replicaLabels);
      const key = { measurement: measurementOf(labels), tags: labels, replica };
      known = { index: series.push(key) - 1, key };
      keys.set(number, known);
    }
    const { measurement, tags } = known.key;
    const isReserved = tags.has(rules.reservedTag);
    if (isReserved) reservedMeasurement ??= measurement;
    if (isReserved || !(Math.abs(timestampMs) <= MAX_TIME_MS)) refusedSamples++;
    else rows.push({ series: known.index, timeMs: timestampMs, text: textOfHistogram(histogram) });
  }
  const points: PointColumns = {
    count: rows.length,
    series,
    fields: [{ name: HISTOGRAM_FIELD, kind: 'string' }],
    seriesOf: Uint32Array.from(rows, (row) => row.series),
    fieldOf: new Uint32Array(rows.length),
    timesMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
    nanos: null,
    cells: Float64Array.from(rows, (_, i) => i),
    texts: rows.map(({ text }) => text),
    pointOf: null,
  };
  return { points, refusedSamples, reservedMeasurement };
}
