import type { WorkerWorld } from '@pollux/base';
import type { Block } from '../block/block.ts';
import { BlockWriter } from '../block/block-writer.ts';
import type { ChunkScan } from '../block/chunk-scan.ts';
import type { IndexScan } from '../format/index-scan.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { BlockCompaction } from '../format/meta.ts';
import type { Interval } from '../head/intervals.ts';
import { cutoffsIn, type Expiry } from '../retention/expiry.ts';
import type { Slices } from '../slices.ts';
import type { FloatEncoding } from './float-families.ts';
import { SeriesMerger, type SeriesPart } from './merge-series.ts';
import { mergeSymbols } from './merge-symbols.ts';

export type CompactOptions = {
  readonly env: WorkerWorld;
  /** Where the new block is written. */
  readonly directory: string;
  /** Its name; a new one when it is left out. */
  readonly ulid?: string;
  /** In the order in which a query reads them: of samples at the same time the first block's stays. */
  readonly parents: readonly Block[];
  readonly compaction: BlockCompaction;
  /** Chunks that are left out; null keeps all. */
  readonly expiry: Expiry | null;
  readonly slices: Slices;
  /** How floats are written; null leaves them as they are in the parents. Default null. */
  readonly floats?: FloatEncoding | null;
  /** Told now and then how many series are written. */
  readonly onProgress?: (series: number) => void;
  /** Only chunks that reach into it are taken, and it becomes the new block's time; `maxTime` exclusive. Default all. */
  readonly time?: { readonly minTime: number; readonly maxTime: number };
  /** What makes chunks of a series' parts. Default: their samples as they are. */
  readonly merger?: (writer: BlockWriter) => PartsMerger;
};

/** Writes the chunks of one series after the other. */
export interface PartsMerger {
  /** Parts in the order of precedence. Returns what the series' entry says; empty when nothing is left. */
  merge(parts: readonly SeriesPart[]): Promise<readonly ChunkMeta[]>;
}

/**
 * Writes one block with all samples of the parents that are not deleted or expired. Returns its temporary directory,
 * complete but for its name, or null when no sample is left. The parents are not changed; the caller holds them. Series
 * are merged one at a time; in memory are four bytes a symbol and series of each parent, and the index writer's part.
 */
export async function compactBlocks(options: CompactOptions): Promise<string | null> {
  const { env, directory, parents, compaction, slices } = options;
  const fronts: Front[] = [];
  for (const block of parents) {
    // Each reads the list of all series of its parent at once.
    await slices.pause();
    fronts.push(new Front(block, options));
  }
  const isFiltered =
    options.expiry !== null ||
    options.time !== undefined ||
    parents.some(({ deletionCount }) => deletionCount > 0);
  const used = isFiltered ? await usedSymbols(fronts, slices) : null;
  const { source, numbers } = await mergeSymbols(
    fronts.map(({ scan }) => scan),
    used,
    slices,
  );
  const writer = new BlockWriter({
    env,
    directory,
    ...(options.ulid === undefined ? {} : { ulid: options.ulid }),
    slices,
    minTime: options.time?.minTime ?? Math.min(...parents.map(({ meta }) => meta.minTime)),
    maxTime: options.time?.maxTime ?? Math.max(...parents.map(({ meta }) => meta.maxTime)),
    compaction,
  });
  try {
    await writer.writeSymbols(source);
    for (const [i, front] of fronts.entries()) front.begin(numbers[i]!);
    const merger =
      options.merger?.(writer) ?? new SeriesMerger(writer, slices, options.floats ?? null);
    await writeSeries(fronts, merger, writer, options);
    return await writer.complete();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function writeSeries(
  fronts: readonly Front[],
  merger: PartsMerger,
  writer: BlockWriter,
  { slices, onProgress }: Pick<CompactOptions, 'slices' | 'onProgress'>,
): Promise<void> {
  for (let series = 0; ; series++) {
    let least: Front | null = null;
    for (const front of fronts) {
      if (!front.isDone && (least === null || front.compare(least) < 0)) least = front;
    }
    if (least === null) return;
    const same = fronts.filter((front) => !front.isDone && front.compare(least) === 0);
    const chunks = await merger.merge(same.map((front) => front.part()));
    if (chunks.length > 0) writer.addSeries(least.labels, least.labelWords, chunks);
    for (const front of same) front.advance();
    if (!slices.isOver) continue;
    onProgress?.(series + 1);
    await slices.pause();
  }
}

/** One parent, and the series that it stands on. Labels are compared as numbers of merged symbols, which ascend as texts do. */
class Front {
  readonly scan: IndexScan;
  labels = new Uint32Array(64);
  labelWords = 0;
  isDone = false;
  readonly #block: Block;
  readonly #chunks: ChunkScan;
  readonly #cutoffMs: ((seriesIndex: number) => number) | null;
  readonly #time: CompactOptions['time'];
  #numbers: Uint32Array = new Uint32Array(0);

  constructor(block: Block, options: Pick<CompactOptions, 'expiry' | 'time'>) {
    this.#block = block;
    this.#time = options.time;
    this.#cutoffMs = options.expiry === null ? null : cutoffsIn(block, options.expiry);
    this.scan = block.index.scan();
    this.#chunks = block.scanChunks();
  }

  /** Stands on the first series. `numbers` gives for a symbol of this parent the merged one. */
  begin(numbers: Uint32Array): void {
    this.#numbers = numbers;
    this.scan.rewind();
    this.advance();
  }

  advance(): void {
    const { scan } = this;
    // Series of which nothing is left may have symbols that were left out.
    do this.isDone = !scan.next();
    while (!this.isDone && this.liveChunks().length === 0);
    if (this.isDone) return;
    this.labelWords = scan.labelWords;
    if (this.labels.length < scan.labelWords) this.labels = new Uint32Array(scan.labels.length);
    for (let i = 0; i < scan.labelWords; i++) {
      this.labels[i] = this.#numbers[scan.labels[i]!]!;
    }
  }

  compare(other: Front): number {
    const shared = Math.min(this.labelWords, other.labelWords);
    for (let i = 0; i < shared; i++) {
      if (this.labels[i] !== other.labels[i]) return this.labels[i]! - other.labels[i]!;
    }
    return this.labelWords - other.labelWords;
  }

  part(): SeriesPart {
    return {
      chunks: this.liveChunks(),
      deleted: this.#deleted,
      scan: this.#chunks,
      place: `${this.#block.directory}/chunks`,
    };
  }

  /** Chunks of the current series that are wanted, not expired and not deleted as a whole. */
  liveChunks(): readonly ChunkMeta[] {
    const time = this.#time;
    const chunks =
      time === undefined
        ? this.scan.chunks
        : this.scan.chunks.filter(
            ({ minMs, maxMs }) => maxMs >= time.minTime && minMs < time.maxTime,
          );
    const deleted = this.#deleted;
    const cutoffMs = this.#cutoffMs?.(this.scan.index) ?? Number.NEGATIVE_INFINITY;
    if (deleted.length === 0 && cutoffMs === Number.NEGATIVE_INFINITY) return chunks;
    return chunks.filter(
      ({ minMs, maxMs }) =>
        maxMs >= cutoffMs &&
        !deleted.some((interval) => interval.minMs <= minMs && interval.maxMs >= maxMs),
    );
  }

  get #deleted(): readonly Interval[] {
    return this.#block.tombstonesOf(this.scan.ref);
  }
}

/** For each parent which symbols the series have that something is left of. */
async function usedSymbols(fronts: readonly Front[], slices: Slices): Promise<Uint8Array[]> {
  const used: Uint8Array[] = [];
  for (const front of fronts) {
    const { scan } = front;
    const marks = new Uint8Array(scan.symbolCount);
    while (scan.next()) {
      if (front.liveChunks().length === 0) continue;
      for (let i = 0; i < scan.labelWords; i++) marks[scan.labels[i]!] = 1;
      if (slices.isOver) await slices.pause();
    }
    used.push(marks);
  }
  return used;
}
