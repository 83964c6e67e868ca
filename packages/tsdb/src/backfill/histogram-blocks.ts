import type { Env } from '@pollux/base';
import { compareText, type FloatHistogram, type Labels } from '@pollux/model';
import { BlockWriter } from '../block/block-writer.ts';
import { FROM_OUT_OF_ORDER } from '../format/meta.ts';
import { OooChunkEncoder } from '../ooo/ooo-chunk-encoder.ts';
import { SampleRun } from '../ooo/sample-run.ts';
import { DEFAULT_TSDB_OPTIONS } from '../options.ts';
import type { TimedHistogram } from '../query/histogram-run.ts';
import { Slices } from '../slices.ts';

/** Held before a block is written: some hundred bytes each. */
const MAX_HELD = 50_000;

type Held = { readonly labels: Labels; readonly samples: TimedHistogram[] };

/**
 * Histograms of any series, as blocks of out-of-order samples. Use: `add` many, `await write()` whenever `isFull` and at the end.
 * Histograms are rarer than floats and do not stand in columns, so they are held as they come and not sorted on the disk.
 */
export class HistogramBlocks {
  readonly #env: Env;
  readonly #directory: string;
  readonly #slices: Slices;
  #series = new Map<string, Held>();
  #count = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #maxMs = Number.NEGATIVE_INFINITY;

  /** `directory`: of blocks. */
  constructor(options: {
    readonly env: Env;
    readonly directory: string;
    readonly signal: AbortSignal;
  }) {
    this.#env = options.env;
    this.#directory = options.directory;
    this.#slices = new Slices(options.env.clock, options.signal);
  }

  /** `key` names the series. */
  add(key: string, labels: Labels, timestampMs: number, histogram: FloatHistogram): void {
    let held = this.#series.get(key);
    if (held === undefined) {
      held = { labels, samples: [] };
      this.#series.set(key, held);
    }
    held.samples.push({ timestampMs, startTimestampMs: 0, histogram });
    this.#count++;
    this.#minMs = Math.min(this.#minMs, timestampMs);
    this.#maxMs = Math.max(this.#maxMs, timestampMs);
  }

  get isFull(): boolean {
    return this.#count >= MAX_HELD;
  }

  /** Writes what is held and returns the block's directory; null when nothing is. After an error nothing of it is left on the disk. */
  async write(): Promise<string | null> {
    if (this.#count === 0) return null;
    const series = [...this.#series.values()].sort((a, b) => a.labels.compare(b.labels));
    const writer = new BlockWriter({
      env: this.#env,
      directory: this.#directory,
      slices: this.#slices,
      minTime: this.#minMs,
      maxTime: this.#maxMs + 1,
      compaction: { level: 1, sources: [], hints: [FROM_OUT_OF_ORDER] },
    });
    let path: string | null;
    try {
      await this.#writeSeries(writer, series);
      path = await writer.finish();
    } catch (error) {
      writer.abandon();
      throw error;
    }
    this.#series = new Map();
    this.#count = 0;
    this.#minMs = Number.POSITIVE_INFINITY;
    this.#maxMs = Number.NEGATIVE_INFINITY;
    return path;
  }

  async #writeSeries(writer: BlockWriter, series: readonly Held[]): Promise<void> {
    // The empty string is a symbol of every index.
    const texts = new Set(['']);
    for (const { labels } of series)
      for (const pair of labels) for (const one of pair) texts.add(one);
    const symbols = [...texts].sort(compareText);
    const numbers = new Map(symbols.map((text, index) => [text, index]));
    await writer.writeSymbols(symbols);
    const { samplesPerChunk } = DEFAULT_TSDB_OPTIONS;
    const encoder = new OooChunkEncoder(writer, { hasStartTimes: false, samplesPerChunk });
    const run = new SampleRun();
    for (const { labels, samples } of series) {
      run.clear();
      for (const sample of samples) run.addHistogram(sample);
      run.sort();
      const chunks = await encoder.write(run);
      const words = Uint32Array.from([...labels].flat(), (text) => numbers.get(text)!);
      writer.addSeries(words, words.length, chunks);
      if (this.#slices.isOver) await this.#slices.pause();
    }
  }
}
