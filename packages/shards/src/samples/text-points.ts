import type { Exemplar } from '@pollux/model';
import {
  MAX_TIME_MS,
  type PointColumns,
  type SampleColumns,
  type SampleRules,
  type SeriesKey,
  splitReplicaLabels,
} from '@pollux/storage';
import { EXEMPLAR_FIELD, HISTOGRAM_FIELD, measurementOf } from '../engine/prometheus-mapping.ts';
import { textOfExemplar } from './exemplar-text.ts';
import { textOfHistogram } from './histogram-text.ts';

/** Prometheus' bound on an exemplar's label set, in characters. */
const MAX_EXEMPLAR_CHARACTERS = 128;
const FIELDS: PointColumns['fields'] = [
  { name: HISTOGRAM_FIELD, kind: 'string' },
  { name: EXEMPLAR_FIELD, kind: 'string' },
];

/** The histograms and exemplars of a request as points of text fields, and what is refused of them. */
export type TextPoints = {
  readonly points: PointColumns;
  /** Histograms. */
  readonly refusedSamples: number;
  readonly reservedMeasurement: string | null;
  readonly refusedExemplars: number;
};

/**
 * Copies what it needs, so that the samples may be given back. These are few beside floats: an object for each is no matter.
 * Exemplars before `oldestMs` are refused here: the samples of their request are no worse for it.
 */
export function textPoints(
  samples: SampleColumns,
  rules: SampleRules,
  oldestMs: number | null,
): TextPoints {
  const keys = new SeriesKeys(samples, rules);
  const rows: { series: number; field: number; timeMs: number; text: string }[] = [];
  let refusedSamples = 0;
  let reservedMeasurement: string | null = null;
  for (const { series, timestampMs, histogram } of samples.histograms) {
    const { index, key, isReserved } = keys.of(series);
    if (isReserved) reservedMeasurement ??= key.measurement;
    if (isReserved || !(Math.abs(timestampMs) <= MAX_TIME_MS)) refusedSamples++;
    else
      rows.push({ series: index, field: 0, timeMs: timestampMs, text: textOfHistogram(histogram) });
  }
  let refusedExemplars = 0;
  for (const { series, exemplar } of samples.exemplars) {
    const { index, isReserved } = keys.of(series);
    const timeMs = exemplar.timestampMs ?? 0;
    const isKept = Math.abs(timeMs) <= MAX_TIME_MS && (oldestMs === null || timeMs >= oldestMs);
    if (isReserved || !isKept || isTooLong(exemplar)) refusedExemplars++;
    else rows.push({ series: index, field: 1, timeMs, text: textOfExemplar(exemplar) });
  }
  const points: PointColumns = {
    count: rows.length,
    series: keys.all,
    fields: FIELDS,
    seriesOf: Uint32Array.from(rows, ({ series }) => series),
    fieldOf: Uint32Array.from(rows, ({ field }) => field),
    timesMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
    nanos: null,
    cells: Float64Array.from(rows, (_, i) => i),
    texts: rows.map(({ text }) => text),
    pointOf: null,
  };
  return { points, refusedSamples, reservedMeasurement, refusedExemplars };
}

type KnownKey = { readonly index: number; readonly key: SeriesKey; readonly isReserved: boolean };

/** Series of a request by their numbers, as the engine names them. */
class SeriesKeys {
  readonly all: SeriesKey[] = [];
  readonly #samples: SampleColumns;
  readonly #rules: SampleRules;
  readonly #known = new Map<number, KnownKey>();

  constructor(samples: SampleColumns, rules: SampleRules) {
    this.#samples = samples;
    this.#rules = rules;
  }

  of(series: number): KnownKey {
    const known = this.#known.get(series);
    if (known !== undefined) return known;
    const { replicaLabels, reservedTag } = this.#rules;
    const { labels, replica } = splitReplicaLabels(this.#samples.labelsOf(series), replicaLabels);
    const key = { measurement: measurementOf(labels), tags: labels, replica };
    const isReserved = labels.has(reservedTag);
    const met = { index: this.all.push(key) - 1, key, isReserved };
    this.#known.set(series, met);
    return met;
  }
}

function isTooLong({ labels }: Exemplar): boolean {
  let characters = 0;
  for (const [name, value] of labels) characters += [...name].length + [...value].length;
  return characters > MAX_EXEMPLAR_CHARACTERS;
}
