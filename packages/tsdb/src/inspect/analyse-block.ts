import type { Clock, Files } from '@pollux/base';
import { matchPostings } from '@pollux/index';
import { decodeHistograms, denseCount, histogramValueCount } from '@pollux/kernels';
import {
  compareText,
  isStaleAt,
  type Labels,
  type Matcher,
  METRIC_NAME,
  wordsOf,
} from '@pollux/model';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';
import { CHUNK_ENCODING, isHistogramEncoding } from '../format/chunk-file.ts';
import { isFloatEncoding } from '../format/float-chunk.ts';
import { chunkSampleCount } from '../format/rewrite-chunk.ts';
import { DEFAULT_TSDB_OPTIONS } from '../options.ts';
import { Slices } from '../slices.ts';

export type AnalyseOptions = {
  readonly files: Files;
  readonly clock: Clock;
  /** Of the block. */
  readonly directory: string;
  /** Empty for all series. */
  readonly matchers: readonly Matcher[];
  /** Length of each list. */
  readonly top: number;
  /** Reads the chunks too. */
  readonly readsChunks: boolean;
};

export type CountedText = { readonly text: string; readonly count: number };

/** How often each of some whole numbers occurs. */
export type Spread = ReadonlyMap<number, number>;

export type AnalysedBlock = {
  readonly ulid: string;
  readonly minMs: number;
  readonly maxMs: number;
  readonly seriesCount: number;
  readonly matchedSeries: number;
  readonly labelNames: number;
  readonly labelPairs: number;
  /** Label pairs of all series together. */
  readonly entries: number;
  /** Lists are sorted by count, greatest first, then by text. Churn counts in blocks' lengths that series do not fill. */
  readonly churnByPair: readonly CountedText[];
  readonly churnByName: readonly CountedText[];
  readonly commonPairs: readonly CountedText[];
  readonly valueBytesByName: readonly CountedText[];
  readonly valuesByName: readonly CountedText[];
  readonly seriesByMetric: readonly CountedText[];
  /** Null unless chunks were read. */
  readonly chunks: {
    readonly count: number;
    readonly floatSamples: Spread;
    readonly floatBytes: Spread;
    readonly histogramSamples: Spread;
    readonly histogramBytes: Spread;
    /** Of all histograms of a chunk together. */
    readonly histogramBuckets: Spread;
  } | null;
};

/** Which labels fill the index of a block, which churn, and how full its chunks are. Throws CorruptionError. */
export async function analyseBlock(options: AnalyseOptions): Promise<AnalysedBlock> {
  const { files, clock, directory, matchers, top } = options;
  const block = Block.open(files, directory, new FileCache(DEFAULT_TSDB_OPTIONS.fileCacheBytes));
  try {
    const slices = new Slices(clock);
    const { meta, index } = block;
    const refs = matchPostings(index, matchers);
    const labels = new LabelCounts(meta.maxTime - meta.minTime);
    const chunkCounts = options.readsChunks ? new ChunkCounts() : null;
    for (const ref of refs) {
      const series = index.series(ref);
      const first = series.chunks[0];
      const last = series.chunks.at(-1);
      const spanMs = first === undefined || last === undefined ? 0 : last.maxMs - first.minMs;
      labels.add(series.labels, spanMs);
      if (chunkCounts !== null) {
        for (const { ref } of series.chunks) {
          const { encoding, bytes, offset, length } = block.chunk(ref);
          chunkCounts.add(encoding, bytes.subarray(offset, offset + length));
        }
      }
      if (slices.isOver) await slices.pause();
    }
    return {
      ulid: block.ulid,
      minMs: meta.minTime,
      maxMs: meta.maxTime,
      seriesCount: meta.stats.numSeries,
      matchedSeries: refs.length,
      ...labels.lists(top),
      chunks: chunkCounts,
    };
  } finally {
    block.release();
  }
}

type PairCount = { series: number; uncoveredMs: number };

/** Collects names, values and how often they occur. */
class LabelCounts {
  readonly #blockMs: number;
  readonly #byName = new Map<
    string,
    { readonly values: Map<string, PairCount>; uncoveredMs: number }
  >();
  #entries = 0;

  constructor(blockMs: number) {
    this.#blockMs = blockMs;
  }

  add(labels: Labels, spanMs: number): void {
    const uncoveredMs = this.#blockMs - spanMs;
    for (const [name, value] of labels) {
      this.#entries++;
      let ofName = this.#byName.get(name);
      if (ofName === undefined) {
        ofName = { values: new Map(), uncoveredMs: 0 };
        this.#byName.set(name, ofName);
      }
      ofName.uncoveredMs += uncoveredMs;
      const pair = ofName.values.get(value);
      if (pair === undefined) ofName.values.set(value, { series: 1, uncoveredMs });
      else {
        pair.series++;
        pair.uncoveredMs += uncoveredMs;
      }
    }
  }

  lists(
    top: number,
  ): Pick<
    AnalysedBlock,
    | 'labelNames'
    | 'labelPairs'
    | 'entries'
    | 'churnByPair'
    | 'churnByName'
    | 'commonPairs'
    | 'valueBytesByName'
    | 'valuesByName'
    | 'seriesByMetric'
  > {
    const names = [...this.#byName];
    const blocks = (uncoveredMs: number): number => Math.trunc(uncoveredMs / this.#blockMs);
    const pairs = (count: (pair: PairCount) => number): CountedText[] =>
      names.flatMap(([name, { values }]) =>
        [...values].map(([value, pair]) => ({ text: `${name}=${value}`, count: count(pair) })),
      );
    const perName = (
      count: (of: { values: Map<string, PairCount>; uncoveredMs: number }) => number,
    ): CountedText[] => names.map(([text, of]) => ({ text, count: count(of) }));
    const metrics = this.#byName.get(METRIC_NAME)?.values ?? new Map<string, PairCount>();
    return {
      labelNames: names.length,
      labelPairs: names.reduce((sum, [, { values }]) => sum + values.size, 0),
      entries: this.#entries,
      churnByPair: greatest(
        pairs(({ uncoveredMs }) => blocks(uncoveredMs)),
        top,
      ),
      churnByName: greatest(
        perName(({ uncoveredMs }) => blocks(uncoveredMs)),
        top,
      ),
      commonPairs: greatest(
        pairs(({ series }) => series),
        top,
      ),
      valueBytesByName: greatest(
        perName(({ values }) => byteSum(values.keys())),
        top,
      ),
      valuesByName: greatest(
        perName(({ values }) => values.size),
        top,
      ),
      seriesByMetric: greatest(
        [...metrics].map(([text, { series }]) => ({ text, count: series })),
        top,
      ),
    };
  }
}

function byteSum(texts: Iterable<string>): number {
  let sum = 0;
  for (const text of texts) sum += Buffer.byteLength(text);
  return sum;
}

function greatest(list: CountedText[], top: number): CountedText[] {
  return list.sort((a, b) => b.count - a.count || compareText(a.text, b.text)).slice(0, top);
}

class ChunkCounts {
  count = 0;
  readonly floatSamples = new Map<number, number>();
  readonly floatBytes = new Map<number, number>();
  readonly histogramSamples = new Map<number, number>();
  readonly histogramBytes = new Map<number, number>();
  readonly histogramBuckets = new Map<number, number>();

  add(encoding: number, bytes: Uint8Array): void {
    this.count++;
    const samples = samplesIn(encoding, bytes);
    const isFloat = isFloatEncoding(encoding);
    bump(isFloat ? this.floatSamples : this.histogramSamples, samples);
    bump(isFloat ? this.floatBytes : this.histogramBytes, bytes.length);
    if (isHistogramEncoding(encoding)) bump(this.histogramBuckets, bucketsIn(encoding, bytes));
  }
}

function samplesIn(encoding: number, bytes: Uint8Array): number {
  if (encoding === CHUNK_ENCODING.dense) return denseCount(bytes, 0, bytes.length);
  return bytes.length < 2 ? 0 : chunkSampleCount(bytes, 0, encoding);
}

/** Values of a histogram before those of its buckets: count, count of the zero bucket, sum. */
const HISTOGRAM_HEAD_VALUES = 3;
const HISTOGRAM_SUM = 2;

/** Buckets of the histograms of a chunk, all counted; a stale marker has none. */
function bucketsIn(encoding: number, bytes: Uint8Array): number {
  const { count, layout, values, starts } = decodeHistograms(bytes, 0, bytes.length, encoding);
  const buckets = histogramValueCount(layout) - HISTOGRAM_HEAD_VALUES;
  const words = wordsOf(values);
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (!isStaleAt(words, starts[i]! + HISTOGRAM_SUM)) total += buckets;
  }
  return total;
}

function bump(spread: Map<number, number>, key: number): void {
  spread.set(key, (spread.get(key) ?? 0) + 1);
}
