import { Labels } from '@pollux/model';
import type { Appender, SeriesRef } from './appendable.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The labels that {@link Appender.seriesOfUtf8} takes, as a set of strings. */
export function labelsOfUtf8(data: Uint8Array, spans: Uint32Array, count: number): Labels {
  const flat: string[] = [];
  for (let i = 0; i < count * 4; i += 2) {
    flat.push(decoder.decode(data.subarray(spans[i]!, spans[i + 1]!)));
  }
  return Labels.fromSortedFlat(flat);
}

/** The ref of the series with these labels, of an appender that may know strings only; see {@link Appender.seriesOfUtf8}. */
export function seriesOfUtf8(
  appender: Appender,
  data: Uint8Array,
  spans: Uint32Array,
  count: number,
): SeriesRef {
  if (appender.seriesOfUtf8 !== undefined) return appender.seriesOfUtf8(data, spans, count);
  return appender.series(labelsOfUtf8(data, spans, count));
}
