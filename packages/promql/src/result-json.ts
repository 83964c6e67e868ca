import { type FloatHistogram, formatFloat, type Labels } from '@pollux/model';
import { allBuckets } from './histogram/buckets.ts';
import { JsonWriter, type PieceSink } from './json-writer.ts';
import { printNumber } from './parser/printer.ts';
import type { InstantVector, MatrixSeries, QueryResult } from './result.ts';

/**
 * Writes the `data` member of a query answer, `{"resultType":…,"result":…}`, straight from columns: floats as shortest
 * round-trip strings, times as seconds with three decimals unless whole. Prometheus has another writer for scalars and
 * strings, and so they differ: no exponents, no zeros at the end of a time.
 */
export function writeResultJson(result: QueryResult, sink: PieceSink): void {
  const out = new JsonWriter(sink);
  out.ascii(`{"resultType":"${result.kind}","result":`);
  switch (result.kind) {
    case 'scalar':
      out.ascii(`[${result.timestampMs / 1000},"${printNumber(result.value)}"]`);
      break;
    case 'string':
      out.ascii(`[${result.timestampMs / 1000},`);
      out.quoted(result.value);
      out.ascii(']');
      break;
    case 'vector':
      writeVector(result, out);
      break;
    case 'matrix':
      out.ascii('[');
      for (const [index, series] of result.series.entries()) {
        if (index > 0) out.ascii(',');
        writeSeries(series, out);
      }
      out.ascii(']');
      break;
  }
  out.ascii('}');
  out.end();
}

function writeVector(
  { labels, values, histograms, timestampMs }: InstantVector,
  out: JsonWriter,
): void {
  out.ascii('[');
  for (let i = 0; i < labels.length; i++) {
    const histogram = histograms === null ? null : histograms[i]!;
    out.ascii(i > 0 ? ',{"metric":' : '{"metric":');
    writeLabels(labels[i]!, out);
    out.ascii(histogram === null ? ',"value":' : ',"histogram":');
    if (histogram === null) out.sample(timestampMs, values[i]!);
    else writeHistogram(timestampMs, histogram, out);
    out.ascii('}');
  }
  out.ascii(']');
}

function writeSeries(series: MatrixSeries, out: JsonWriter): void {
  const { count, timestampsMs, values, histograms } = series;
  out.ascii('{"metric":');
  writeLabels(series.labels, out);
  if (histograms === null) {
    if (count > 0) {
      out.ascii(',"values":[');
      out.samples(timestampsMs, values, count);
      out.ascii(']');
    }
  } else writeMixed(series, histograms, out);
  out.ascii('}');
}

function writeMixed(
  { count, timestampsMs, values }: MatrixSeries,
  histograms: NonNullable<MatrixSeries['histograms']>,
  out: JsonWriter,
): void {
  let written = 0;
  for (let i = 0; i < count; i++) {
    if (histograms[i] !== null) continue;
    out.ascii(written === 0 ? ',"values":[' : ',');
    out.sample(timestampsMs[i]!, values[i]!);
    written++;
  }
  if (written > 0) out.ascii(']');
  if (written < count) {
    written = 0;
    for (let i = 0; i < count; i++) {
      const histogram = histograms[i]!;
      if (histogram === null) continue;
      out.ascii(written === 0 ? ',"histograms":[' : ',');
      writeHistogram(timestampsMs[i]!, histogram, out);
      written++;
    }
    out.ascii(']');
  }
}

function writeHistogram(timestampMs: number, histogram: FloatHistogram, out: JsonWriter): void {
  out.ascii('[');
  out.timestamp(timestampMs);
  out.ascii(',');
  out.text(histogramJson(histogram));
  out.ascii(']');
}

function writeLabels(labels: Labels, out: JsonWriter): void {
  out.ascii('{');
  for (let i = 0; i < labels.size; i++) {
    if (i > 0) out.ascii(',');
    out.quoted(labels.nameAt(i));
    out.ascii(':');
    out.quoted(labels.valueAt(i));
  }
  out.ascii('}');
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
