import type { Files, WorkerWorld } from '@pollux/base';
import { ChunkFileWriter, isHistogramEncoding } from '../format/chunk-file.ts';
import {
  type ChunkMeta,
  IndexWriter,
  type SymbolSource,
  symbolsOf,
} from '../format/index-write.ts';
import { type BlockCompaction, encodeMeta } from '../format/meta.ts';
import { encodeTombstonesFile } from '../format/tombstones.ts';
import type { TsdbMetrics } from '../metrics.ts';
import type { Slices } from '../slices.ts';
import { newBlockName } from './block-name.ts';
import { TMP_FOR_CREATION } from './block-set.ts';

export type BlockWriterOptions = {
  readonly env: WorkerWorld;
  /** Of all blocks; the new one becomes a directory in it. */
  readonly directory: string;
  /** Its name; a new one when it is left out. */
  readonly ulid?: string;
  readonly slices: Slices;
  /** The block's time, `maxTime` exclusive; all samples lie inside. */
  readonly minTime: number;
  readonly maxTime: number;
  /** `sources` empty: the block is its own source, as one cut from a head. */
  readonly compaction: BlockCompaction;
  /** Where sizes of chunks are noted that are stored for the first time. */
  readonly metrics?: TsdbMetrics;
};

/**
 * Writes one block, in order: the symbols, then for each series by its labels its chunks and its entry, then {@link finish}.
 * The block has its name only when all of it is on the disk. After an error call {@link abandon}.
 */
export class BlockWriter {
  readonly ulid: string;
  readonly #options: BlockWriterOptions;
  readonly #temporary: string;
  readonly #chunks: ChunkFileWriter;
  readonly #index: IndexWriter;
  #samples = 0;
  #histogramSamples = 0;
  #seriesCount = 0;
  #chunkCount = 0;

  constructor(options: BlockWriterOptions) {
    const { env, directory, slices } = options;
    this.#options = options;
    this.ulid = options.ulid ?? newBlockName(env, directory);
    this.#temporary = `${directory}/${this.ulid}${TMP_FOR_CREATION}`;
    env.files.makeDirectory(`${this.#temporary}/chunks`);
    this.#chunks = new ChunkFileWriter(env.files, `${this.#temporary}/chunks`);
    this.#index = new IndexWriter(env.files, `${this.#temporary}/index`, slices);
  }

  /** The symbols ascend bytewise and hold every name and value of the series, and the empty string first. */
  writeSymbols(symbols: readonly string[] | SymbolSource): Promise<void> {
    return this.#index.writeSymbols('symbols' in symbols ? symbols : symbolsOf(symbols));
  }

  /** Appends the chunk in `bytes[start, end)`, of `samples` samples. Returns its reference for the series' entry. */
  addChunk(
    encoding: number,
    chunk: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    samples: number,
  ): Promise<number> {
    this.#samples += samples;
    if (isHistogramEncoding(encoding)) this.#histogramSamples += samples;
    this.#chunkCount++;
    this.#options.metrics?.chunkSizeBytes.observe(chunk.end - chunk.start);
    this.#options.metrics?.chunkSamples.observe(samples);
    return this.#chunks.add(encoding, chunk.bytes, chunk.start, chunk.end);
  }

  /** `labels[0, labelWords)` are symbol numbers: name, value, name, value …; chunks ascend in time. */
  addSeries(labels: Uint32Array, labelWords: number, chunks: readonly ChunkMeta[]): void {
    this.#index.addSeries(labels, labelWords, chunks);
    this.#seriesCount++;
    const { metrics } = this.#options;
    if (metrics === undefined) return;
    for (const { minMs, maxMs } of chunks)
      metrics.chunkRangeSeconds.observe((maxMs - minMs) / 1000);
  }

  /** Completes the block and returns its directory; null, and nothing left on the disk, when no sample was added. */
  async finish(): Promise<string | null> {
    const { env, directory } = this.#options;
    const temporary = await this.complete();
    if (temporary === null) return null;
    const path = `${directory}/${this.ulid}`;
    env.files.rename(temporary, path);
    await env.files.datasyncDirectory(directory);
    return path;
  }

  /** As {@link finish}, but the block keeps its temporary directory, which is returned: who renames it makes it a block. */
  async complete(): Promise<string | null> {
    const { env, minTime, maxTime, compaction } = this.#options;
    const { files } = env;
    if (this.#samples === 0) {
      this.abandon();
      return null;
    }
    await this.#chunks.finish();
    await this.#index.finish();
    const { sources } = compaction;
    const meta = encodeMeta({
      ulid: this.ulid,
      minTime,
      maxTime,
      stats: {
        numSamples: this.#samples,
        numFloatSamples: this.#samples - this.#histogramSamples,
        numHistogramSamples: this.#histogramSamples,
        numSeries: this.#seriesCount,
        numChunks: this.#chunkCount,
      },
      compaction: { ...compaction, sources: sources.length === 0 ? [this.ulid] : sources },
    });
    await writeSynced(files, `${this.#temporary}/meta.json`, new TextEncoder().encode(meta));
    await writeSynced(files, `${this.#temporary}/tombstones`, encodeTombstonesFile(new Map()));
    await files.datasyncDirectory(`${this.#temporary}/chunks`);
    await files.datasyncDirectory(this.#temporary);
    return this.#temporary;
  }

  /** Removes what was written. */
  abandon(): void {
    this.#chunks.abandon();
    this.#index.abandon();
    this.#options.env.files.removeTree(this.#temporary);
  }
}

/** A small file; the directory that it is in gets its name only later. */
async function writeSynced(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const file = files.open(path, 'wx');
  try {
    file.write(bytes, 0, bytes.length, 0);
    await file.datasync();
  } finally {
    file.close();
  }
}
