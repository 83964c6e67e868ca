import type { Labels, Matcher } from '@pollux/model';
import {
  type ChunkSink,
  MemoryBudget,
  NO_HINTS,
  type SeriesColumns,
  type TimeRange,
} from '@pollux/storage';
import type { Tsdb } from '../db.ts';
import { ColumnBuilder } from '../query/column-builder.ts';

export type GivenChunks = {
  /** By the text of the labels, decoded, and within the range. */
  readonly series: ReadonlyMap<string, SeriesColumns>;
  readonly chunks: number;
  /** Samples that did not come in chunks. */
  readonly samples: number;
};

/** What `Tsdb.selectChunks` gives, in the order in which a reader puts it together. Checks that it ascends in time. */
export async function givenChunks(
  db: Tsdb,
  range: TimeRange,
  matchers: readonly Matcher[],
  onOpen: () => Promise<void> = async () => {},
): Promise<GivenChunks | null> {
  const budget = new MemoryBudget(1e9, 'test');
  const context = { signal: new AbortController().signal, budget };
  const source = db.selectChunks({ range, matchers, hints: NO_HINTS, sorted: true }, context);
  if (source === null) return null;
  await onOpen();
  const series = new Map<string, SeriesColumns>();
  const builder = new ColumnBuilder(range, budget);
  let current: Labels | null = null;
  let lastMs = Number.NEGATIVE_INFINITY;
  let chunks = 0;
  let samples = 0;
  const ascend = (minMs: number, maxMs: number): void => {
    if (minMs <= lastMs || maxMs < minMs) throw new Error(`${minMs} behind ${lastMs}`);
    lastMs = maxMs;
  };
  const sink: ChunkSink = {
    begin: (labels) => {
      current = labels;
      lastMs = Number.NEGATIVE_INFINITY;
    },
    chunk: (encoding, bytes, { minMs, maxMs }) => {
      ascend(minMs, maxMs);
      chunks++;
      const own = bytes.slice();
      const chunk = { encoding, bytes: own, offset: 0, length: own.length, hidden: 0 };
      builder.addChunk(chunk, [], () => 'a chunk that was given');
    },
    samples: ({ count, timestampsMs, values, histograms, startTimestampsMs }) => {
      ascend(timestampsMs[0]!, timestampsMs[count - 1]!);
      samples += count;
      for (let i = 0; i < count; i++) {
        const histogram = histograms?.[i] ?? null;
        const timestampMs = timestampsMs[i]!;
        const startTimestampMs = startTimestampsMs?.[i] ?? 0;
        if (histogram !== null) {
          builder.addHistograms([{ timestampMs, startTimestampMs, histogram }]);
          continue;
        }
        const words = new Uint32Array(values.buffer, values.byteOffset + i * 8, 2);
        const starts = startTimestampsMs === null ? null : Float64Array.of(startTimestampMs);
        builder.addSamples(Float64Array.of(timestampMs), words, 1, starts);
      }
    },
    end: () => {
      if (builder.count > 0) series.set(String(current), builder.take(current!));
    },
  };
  while (await source.next(sink));
  return { series, chunks, samples };
}
