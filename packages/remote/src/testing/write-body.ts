import { Labels, wordsOf } from '@pollux/model';
import { snappyEncode } from '../codec/snappy.ts';
import { TimeSeriesEncoder } from '../codec/v1/encode-write.ts';
import { encodeLabels } from '../codec/v1/labels.ts';

/** Labels, and times with their values. */
export type WrittenSeries = readonly [
  labels: Readonly<Record<string, string>>,
  samples: readonly (readonly [timestampMs: number, value: number])[],
];

/** The body of a request of remote write 1.0. */
export function writeBody(series: readonly WrittenSeries[]): Uint8Array<ArrayBuffer> {
  const encoder = new TimeSeriesEncoder();
  for (const [labels, samples] of series) {
    const timestampsMs = Float64Array.from(samples, ([timestampMs]) => timestampMs);
    const values = Float64Array.from(samples, ([, value]) => value);
    const rows = { timestampsMs, words: wordsOf(values) };
    encoder.run(encodeLabels(Labels.from(labels)), rows, 0, samples.length);
  }
  return Uint8Array.from(snappyEncode(encoder.bytes()));
}
