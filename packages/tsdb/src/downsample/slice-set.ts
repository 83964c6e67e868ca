import type { Files } from '@pollux/base';
import { formatDuration } from '@pollux/model';
import type { Annotation, TimeRange } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import type { Block } from '../block/block.ts';
import { BlockSet } from '../block/block-set.ts';
import type { FileCache } from '../block/file-cache.ts';
import type { TsdbMetrics } from '../metrics.ts';
import type { Slices } from '../slices.ts';
import { Slice } from './slice.ts';

const DAY_MS = 24 * 60 * 60_000;
/** Slices are no longer, whatever the resolution, so that they expire piece by piece. */
const MAX_SPAN_MS = 31 * DAY_MS;

export type SliceSetOptions = {
  readonly files: Files;
  /** Of the database. */
  readonly directory: string;
  readonly cache: FileCache;
  readonly metrics: TsdbMetrics;
  readonly log: Log;
  /** Most buckets of a series in one slice. */
  readonly bucketsPerSlice: number;
};

/** How a slice stands to the blocks that are there now; neither when it tells what they tell. */
export type SliceState = {
  /** Blocks have come since it was made. */
  readonly isOverrun: boolean;
  /** Some of the blocks that it was made of are gone. */
  readonly isOrphan: boolean;
};

/** The slices of one resolution, ascending in time. */
export class SliceSet {
  readonly resolutionMs: number;
  readonly directory: string;
  /** Length of a slice; shorter ones are made before samples are dropped. */
  readonly spanMs: number;
  readonly #set: BlockSet;
  readonly #files: Files;
  readonly #slices = new WeakMap<Block, Slice>();
  readonly #damaged = new WeakSet<Block>();
  #states = new WeakMap<Slice, SliceState>();
  #statesOf: readonly Block[] | null = null;

  constructor(options: SliceSetOptions, resolutionMs: number) {
    const { files, cache, metrics, log } = options;
    this.resolutionMs = resolutionMs;
    this.directory = `${options.directory}/downsampled/${formatDuration(resolutionMs)}`;
    const most = Math.min(options.bucketsPerSlice, Math.floor(MAX_SPAN_MS / resolutionMs));
    this.spanMs = Math.max(1, most) * resolutionMs;
    this.#files = files;
    this.#set = new BlockSet({ files, directory: this.directory, cache, metrics, log });
  }

  /** Makes the directory, clears what a crash has left and opens the slices. */
  async open(): Promise<void> {
    this.#files.makeDirectory(this.directory);
    this.#set.removeLeftovers();
    await this.#set.reload(null);
    this.#deleteDoubles();
  }

  get slices(): Slice[] {
    return this.#set.blocks.map((block) => this.#sliceOf(block));
  }

  in(range: TimeRange): Slice[] {
    return this.#set.blocks
      .filter((block) => block.overlaps(range))
      .map((block) => this.#sliceOf(block));
  }

  get sizeBytes(): number {
    return this.#set.sizeBytes;
  }

  /** How the slice stands to these blocks. */
  stateOf(slice: Slice, blocks: readonly Block[]): SliceState {
    if (this.#statesOf !== blocks) this.#forgetStates(blocks);
    const known = this.#states.get(slice);
    if (known !== undefined) return known;
    const found = stateOf(slice, blocks);
    // What cannot be read is to be made anew, where it can be.
    const state = this.#damaged.has(slice.block) ? { ...found, isOverrun: true } : found;
    this.#states.set(slice, state);
    return state;
  }

  /**
   * One block stands for others with the same samples: slices that told what the blocks told, which were `before`, are as
   * good as then.
   */
  noteReplaced(parents: readonly Block[], block: Block | null, before: readonly Block[]): void {
    for (const slice of this.slices) {
      const { meta } = slice.block;
      if (!parents.some((parent) => parent.overlaps(slice.range))) continue;
      if (this.stateOf(slice, before).isOverrun) continue;
      const gone = new Set(parents.flatMap((parent) => parent.meta.compaction.sources));
      const sources = new Set(meta.compaction.sources.filter((ulid) => !gone.has(ulid)));
      if (block?.overlaps(slice.range)) {
        for (const ulid of block.meta.compaction.sources) sources.add(ulid);
      }
      const isSame =
        sources.size === meta.compaction.sources.length &&
        meta.compaction.sources.every((ulid) => sources.has(ulid));
      if (!isSame) slice.block.setCompaction({ sources: [...sources].sort() });
    }
    this.#forgetStates(null);
  }

  /** Opens and shows what is complete in `path`, in place of another slice when one is given. */
  async publish(
    path: string,
    before: Slice | null,
    options: {
      readonly slices: Slices;
      readonly isWanted: () => boolean;
      /** Completes the directory of the opened slice before it gets its name. */
      readonly prepare?: (copy: Block) => Promise<void>;
    },
  ): Promise<void> {
    let block: Block | null = null;
    try {
      block = await this.#set.open(path, options.slices);
      await options.prepare?.(block);
      if (!options.isWanted()) {
        block.release();
        this.#files.removeTree(path);
        return;
      }
      this.#set.publish(block, before === null ? [] : [before.block]);
    } catch (error) {
      block?.release();
      if (this.#files.exists(path)) this.#files.removeTree(path);
      throw error;
    }
  }

  delete(slice: Slice): void {
    this.#set.delete(slice.block);
  }

  /** See BlockSet. */
  settleDeletions(): void {
    this.#set.settleDeletions();
  }

  /** Removes the files of deleted slices. */
  sweep(slices: Slices): Promise<void> {
    return this.#set.sweep(slices);
  }

  /** Opens what could not be opened before, or what got its name without being shown. */
  async retry(): Promise<void> {
    await this.#set.retry();
    this.#deleteDoubles();
  }

  noteDamage(block: Block, error: unknown): void {
    this.#damaged.add(block);
    this.#set.noteDamage(block, error);
    this.#forgetStates(null);
  }

  /** Names the slices that cannot be opened, and those that were made of damaged blocks. */
  warningsIn(range: TimeRange): Annotation[] {
    const incomplete = this.in(range).filter(({ isIncomplete }) => isIncomplete);
    return [
      ...this.#set.warningsIn(range),
      ...incomplete.map(({ block: { ulid } }): Annotation => {
        const text = `down-sampled data ${ulid} were made of damaged blocks and some samples are missing from them`;
        return { kind: 'warning', text };
      }),
    ];
  }

  /** Throws when a slice of the range cannot be opened, from which nothing can be deleted. */
  forDeletion(range: TimeRange): Slice[] {
    return this.#set.forDeletion(range).map((block) => this.#sliceOf(block));
  }

  close(): void {
    this.#set.close();
  }

  /**
   * One that got its name while a fault kept it from being shown may have been made again. Of those that overlap stays the
   * one that is all that is left of samples, else the newest.
   */
  #deleteDoubles(): void {
    const isDropped = (slice: Slice): boolean => slice.droppedUntilMs > Number.NEGATIVE_INFINITY;
    const byWorth = this.slices.sort(
      (a, b) =>
        Number(isDropped(b)) - Number(isDropped(a)) || (a.block.ulid > b.block.ulid ? -1 : 1),
    );
    const kept: Slice[] = [];
    for (const slice of byWorth) {
      if (kept.some(({ block }) => block.overlaps(slice.range))) this.delete(slice);
      else kept.push(slice);
    }
  }

  #forgetStates(blocks: readonly Block[] | null): void {
    this.#states = new WeakMap();
    this.#statesOf = blocks;
  }

  #sliceOf(block: Block): Slice {
    let slice = this.#slices.get(block);
    if (slice === undefined) {
      slice = new Slice(this.#files, block, this.resolutionMs);
      this.#slices.set(block, slice);
    }
    return slice;
  }
}

function stateOf({ block, range }: Slice, blocks: readonly Block[]): SliceState {
  const present = new Set<string>();
  for (const other of blocks) {
    if (!other.overlaps(range)) continue;
    for (const ulid of other.meta.compaction.sources) present.add(ulid);
  }
  const made = new Set(block.meta.compaction.sources);
  return {
    isOverrun: [...present].some((ulid) => !made.has(ulid)),
    isOrphan: [...made].some((ulid) => !present.has(ulid)),
  };
}
