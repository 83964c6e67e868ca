import { type FloatHistogram, formatFloat, type Labels } from '@pollux/model';
import { allBuckets } from './histogram/buckets.ts';
import { printNumber } from './parser/printer.ts';
import type { InstantVector, MatrixSeries, QueryResult } from './result.ts';

/** Takes text piece by piece; pieces are some kilobytes. */
export type TextSink = { write(text: string): void };

/** Pieces handed to the sink are about this long, so that one answer never is one string. */
const PIECE_LENGTH = 16 * 1024;

/**
 * Writes the `data` member of a query answer, `{"resultType":…,"result":…}`, straight from columns: floats as shortest
 * round-trip strings, times as seconds with three decimals unless whole. Prometheus has another writer for scalars and
 * strings, and so they differ: no exponents, no zeros at the end of a time.
 */
export function writeResultJson(result: QueryResult, sink: TextSink): void {
  const out = new PieceWriter(sink);
  out.add(`{"resultType":"${result.kind}","result":`);
  switch (result.kind) {
    case 'scalar':
      out.add(`[${result.timestampMs / 1000},"${printNumber(result.value)}"]`);
      break;
    case 'string':
      out.add(`[${result.timestampMs / 1000},${JSON.stringify(result.value)}]`);
      break;
    case 'vector':
      writeVector(result, out);
      break;
    case 'matrix':
      out.add('[');
      for (const [index, series] of result.series.entries()) {
        if (index > 0) out.add(',');
        writeSeries(series, out);
      }
      out.add(']');
      break;
  }
  out.add('}');
  out.flush();
}

class PieceWriter {
  readonly #sink: TextSink;
  #text = '';

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_LENGTH) this.flush();
  }

  flush(): void {
    if (this.#text !== '') this.#sink.write(this.#text);
    this.#text = '';
  }
}

function writeVector(vector: InstantVector, out: PieceWriter): void {
  const time = formatTimestamp(vector.timestampMs);
  out.add('[');
  for (let i = 0; i < vector.labels.length; i++) {
    const histogram = vector.histograms === null ? null : vector.histograms[i]!;
    if (i > 0) out.add(',');
    out.add(`{"metric":${labelsJson(vector.labels[i]!)},`);
    if (histogram === null) out.add(`"value":[${time},"${formatFloat(vector.values[i]!)}"]}`);
    else out.add(`"histogram":[${time},${histogramJson(histogram)}]}`);
  }
  out.add(']');
}

function writeSeries(series: MatrixSeries, out: PieceWriter): void {
  const { count, timestampsMs, values, histograms } = series;
  out.add(`{"metric":${labelsJson(series.labels)}`);
  let written = 0;
  for (let i = 0; i < count; i++) {
    if (histograms !== null && histograms[i] !== null) continue;
    out.add(written === 0 ? ',"values":[' : ',');
    out.add(`[${formatTimestamp(timestampsMs[i]!)},"${formatFloat(values[i]!)}"]`);
    written++;
  }
  if (written > 0) out.add(']');
  if (histograms !== null && written < count) {
    written = 0;
    for (let i = 0; i < count; i++) {
      const histogram = histograms[i]!;
      if (histogram === null) continue;
      out.add(written === 0 ? ',"histograms":[' : ',');
      out.add(`[${formatTimestamp(timestampsMs[i]!)},${histogramJson(histogram)}]`);
      written++;
    }
    out.add(']');
  }
  out.add('}');
}

/** Seconds; a part of a second always has three digits. */
export function formatTimestamp(timestampMs: number): string {
  const sign = timestampMs < 0 ? '-' : '';
  const abs = Math.abs(timestampMs);
  const seconds = Math.floor(abs / 1000);
  const ms = abs - seconds * 1000;
  if (ms === 0) return `${sign}${seconds}`;
  return `${sign}${seconds}.${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}`;
}

function labelsJson(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.size; i++) {
    if (i > 0) text += ',';
    text += `${JSON.stringify(labels.nameAt(i))}:${JSON.stringify(labels.valueAt(i))}`;
  }
  return `${text}}`;
}

/** Buckets as `[boundaries, lower, upper, count]`; boundaries: 0 = (l,u], 1 = [l,u), 2 = (l,u), 3 = [l,u]. */
function histogramJson(histogram: FloatHistogram): string {
  let text = `{"count":"${formatFloat(histogram.count)}","sum":"${formatFloat(histogram.sum)}"`;
  let written = 0;
  for (const bucket of allBuckets(histogram)) {
    if (bucket.count === 0) continue;
    let boundaries = 2;
    if (bucket.lowerInclusive) boundaries = bucket.upperInclusive ? 3 : 1;
    else if (bucket.upperInclusive) boundaries = 0;
    text += written === 0 ? ',"buckets":[' : ',';
    text += `[${boundaries},"${formatFloat(bucket.lower)}","${formatFloat(bucket.upper)}","${formatFloat(bucket.count)}"]`;
    written++;
  }
  return `${text}${written > 0 ? ']' : ''}}`;
}
