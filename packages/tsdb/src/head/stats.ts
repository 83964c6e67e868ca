import type { Head } from './head.ts';

export type NamedCount = { readonly name: string; readonly value: number };

/** What `/api/v1/status/tsdb` shows of the head. Times are whole milliseconds. */
export type HeadStats = {
  readonly numSeries: number;
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  /** Prometheus' way to say "empty": the largest and the smallest 64-bit integer, here as doubles. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
};

const EMPTY_MIN = 2 ** 63;

/** Counts over the whole label index: time is proportional to the number of label pairs. */
export function headStats(head: Head, top: number): HeadStats {
  const { table } = head;
  const { symbols } = table;
  const metricName = symbols.find('__name__');
  const metrics: NamedCount[] = [];
  const pairs: NamedCount[] = [];
  const valueCounts = new Map<number, number>();
  const bytes = new Map<number, number>();
  table.postings.forEachPair((name, value, seriesCount) => {
    const text = symbols.text(value);
    if (name === metricName) metrics.push({ name: text, value: seriesCount });
    pairs.push({ name: `${symbols.text(name)}=${text}`, value: seriesCount });
    valueCounts.set(name, (valueCounts.get(name) ?? 0) + 1);
    bytes.set(name, (bytes.get(name) ?? 0) + text.length * seriesCount);
  });
  const named = (counts: Map<number, number>): NamedCount[] =>
    [...counts].map(([name, value]) => ({ name: symbols.text(name), value }));
  return {
    numSeries: table.count,
    numLabelPairs: table.postings.pairCount,
    chunkCount: head.chunkCount + head.outOfOrder.samples.chunkCount,
    minTime: head.isEmpty ? EMPTY_MIN : head.minMs,
    maxTime: head.isEmpty ? -EMPTY_MIN : head.maxMs,
    seriesCountByMetricName: largest(metrics, top),
    labelValueCountByLabelName: largest(named(valueCounts), top),
    memoryInBytesByLabelName: largest(named(bytes), top),
    seriesCountByLabelValuePair: largest(pairs, top),
  };
}

function largest(counts: NamedCount[], top: number): NamedCount[] {
  return counts.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, top);
}
