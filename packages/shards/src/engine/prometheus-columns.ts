import { type FloatHistogram, type Labels, wordsOf } from '@pollux/model';
import type { ColumnData, SeriesColumns } from '@pollux/storage';
import { histogramOfText } from '../samples/histogram-text.ts';

/** Of a histogram beside its buckets. */
const HISTOGRAM_BYTES = 320;
const BYTES_PER_SAMPLE = 16;

/** About what the columns hold. */
export function bytesOf({ count, histograms }: SeriesColumns): number {
  let bytes = count * BYTES_PER_SAMPLE;
  for (const histogram of histograms ?? []) {
    if (histogram === null) continue;
    const { positiveBuckets, negativeBuckets } = histogram;
    bytes += HISTOGRAM_BYTES + positiveBuckets.byteLength + negativeBuckets.byteLength;
  }
  return bytes;
}

/** One replica's copy of a series: its floats and its histograms, of which a histogram goes before a float of the same time. */
export function columnsOfCopy(
  copy: { readonly labels: Labels; readonly replica: string },
  floats: ColumnData | null,
  texts: ColumnData | null,
): SeriesColumns {
  const common = { labels: copy.labels, startTimestampsMs: null, replica: copy.replica };
  const held = texts === null ? [] : histogramsOf(texts);
  if (floats !== null && held.length === 0) {
    const { count, timesMs, cells } = wholeMilliseconds(floats);
    return { ...common, count, timestampsMs: timesMs, values: cells, histograms: null };
  }
  const given = floats === null ? null : wholeMilliseconds(floats);
  const most = held.length + (given?.count ?? 0);
  const timestampsMs = new Float64Array(most);
  const values = new Float64Array(most);
  const histograms: (FloatHistogram | null)[] = [];
  const source = given === null ? new Uint32Array(0) : wordsOf(given.cells);
  const target = wordsOf(values);
  let count = 0;
  let row = 0;
  let next = 0;
  while (next < held.length || row < (given?.count ?? 0)) {
    const floatMs = row < (given?.count ?? 0) ? given!.timesMs[row]! : Infinity;
    const heldMs = held[next]?.timeMs ?? Infinity;
    if (heldMs <= floatMs) {
      timestampsMs[count] = heldMs;
      histograms.push(held[next++]!.histogram);
      if (heldMs === floatMs) row++;
    } else {
      timestampsMs[count] = floatMs;
      histograms.push(null);
      target[count * 2] = source[row * 2]!;
      target[count * 2 + 1] = source[row * 2 + 1]!;
      row++;
    }
    count++;
  }
  return { ...common, count, timestampsMs, values, histograms };
}

function histogramsOf(
  texts: ColumnData,
): { readonly timeMs: number; readonly histogram: FloatHistogram }[] {
  const { count, timesMs, cells, texts: of } = wholeMilliseconds(texts);
  const found: { timeMs: number; histogram: FloatHistogram }[] = [];
  for (let i = 0; i < count; i++) {
    const histogram = histogramOfText(of?.[cells[i]!] ?? '');
    if (histogram !== null) found.push({ timeMs: timesMs[i]!, histogram });
  }
  return found;
}

/** Prometheus' times are milliseconds: of several values in one, the last is shown. */
function wholeMilliseconds(data: ColumnData): ColumnData {
  const { nanos, count, timesMs } = data;
  if (nanos === null) return data;
  const kept: number[] = [];
  for (let i = 0; i < count; i++)
    if (i + 1 === count || timesMs[i + 1] !== timesMs[i]) kept.push(i);
  const cells = new Float64Array(kept.length);
  const source = wordsOf(data.cells);
  const target = wordsOf(cells);
  for (const [at, row] of kept.entries()) {
    target[at * 2] = source[row * 2]!;
    target[at * 2 + 1] = source[row * 2 + 1]!;
  }
  const times = Float64Array.from(kept, (row) => timesMs[row]!);
  return { ...data, count: kept.length, timesMs: times, nanos: null, cells };
}
