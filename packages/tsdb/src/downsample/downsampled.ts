import { errorText } from '@pollux/base';
import { matchPostings } from '@pollux/index';
import { formatDuration, type Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { cutoffsIn, type Expiry } from '../retention/expiry.ts';
import type { Slices } from '../slices.ts';
import { addToBitmap, type RawDropped } from './raw-dropped.ts';
import { resolutionOf } from './resolution-name.ts';
import type { DownsamplingRule } from './rule.ts';
import type { Slice } from './slice.ts';
import { SliceSet, type SliceSetOptions } from './slice-set.ts';

/**
 * All down-sampled data of a database, a set of slices for each resolution, coarsest last. Resolutions that are not wanted
 * any more are read as before and not expired; who wants them gone removes their directory.
 */
export class Downsampled {
  readonly #options: SliceSetOptions;
  #sets: readonly SliceSet[] = [];
  #rules: readonly DownsamplingRule[];

  constructor(options: SliceSetOptions, rules: readonly DownsamplingRule[]) {
    this.#options = options;
    this.#rules = rules;
  }

  /** Opens what is on the disk. */
  async open(): Promise<void> {
    const { files, log } = this.#options;
    const root = `${this.#options.directory}/downsampled`;
    if (!files.exists(root)) return;
    for (const name of files.list(root)) {
      const resolutionMs = resolutionOf(name);
      if (resolutionMs === null) {
        log.warn('a directory of down-sampled data is left alone: its name is no duration', {
          name,
        });
      } else await this.#add(resolutionMs);
    }
  }

  /** May change while the database runs; what is there stays. */
  set rules(rules: readonly DownsamplingRule[]) {
    this.#rules = rules;
  }

  get rules(): readonly DownsamplingRule[] {
    return this.#rules;
  }

  get sets(): readonly SliceSet[] {
    return this.#sets;
  }

  /** The set of a rule; made when it is needed first. */
  async setOf({ resolutionMs }: DownsamplingRule): Promise<SliceSet> {
    return this.#sets.find((set) => set.resolutionMs === resolutionMs) ?? this.#add(resolutionMs);
  }

  get sizeBytes(): number {
    return this.#sets.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get sliceCount(): number {
    return this.#sets.reduce((sum, { slices }) => sum + slices.length, 0);
  }

  /** Where the oldest slice begins; infinite without slices. */
  get oldestMs(): number {
    return this.#sets.reduce(
      (min, { slices }) => Math.min(min, slices[0]?.range.minMs ?? min),
      Number.POSITIVE_INFINITY,
    );
  }

  /** Every slice of now. */
  all(): { readonly set: SliceSet; readonly slice: Slice }[] {
    return this.#sets.flatMap((set) => set.slices.map((slice) => ({ set, slice })));
  }

  /** Slices that are all that is left of some samples in the range. */
  droppedIn(range: TimeRange): { readonly set: SliceSet; readonly slice: Slice }[] {
    return this.#sets.flatMap((set) =>
      set
        .in(range)
        .filter((slice) => slice.droppedUntilMs >= range.minMs)
        .map((slice) => ({ set, slice })),
    );
  }

  /** To be called before a block is dropped. */
  noteDropped(block: Block): void {
    for (const set of this.#sets) {
      for (const slice of set.in(rangeOf(block))) {
        try {
          slice.noteDropped(block.meta.maxTime - 1, 'all');
        } catch (error) {
          // A full disk must not keep blocks from being dropped. A restart notices by itself that a whole block is gone.
          const err = errorText(error);
          this.#options.log.warn('a slice cannot be marked', { slice: slice.block.ulid, err });
        }
      }
    }
  }

  /** To be called before blocks are rewritten without what has expired. */
  async noteExpired(blocks: readonly Block[], expiry: Expiry, slices: Slices): Promise<void> {
    const minMs = Math.min(...blocks.map(({ meta }) => meta.minTime));
    const maxMs = Math.max(...blocks.map(({ meta }) => meta.maxTime)) - 1;
    const untilMs = Math.min(maxMs, Math.max(...expiry.cutoffsMs));
    for (const set of this.#sets) {
      for (const slice of set.in({ minMs, maxMs })) {
        // A deletion may have taken it meanwhile.
        if (!set.slices.includes(slice)) continue;
        slice.noteDropped(untilMs, expiredSeries(slice, expiry));
        if (slices.isOver) await slices.pause();
      }
    }
  }

  /**
   * To be called in the step in which one block takes the place of others; `before` are all blocks of the moment before. A
   * failure costs a slice that is made anew.
   */
  noteReplaced(parents: readonly Block[], block: Block | null, before: readonly Block[]): void {
    for (const set of this.#sets) {
      try {
        set.noteReplaced(parents, block, before);
      } catch (error) {
        this.#options.log.error('down-sampled data cannot be kept and are made anew', {
          resolution: formatDuration(set.resolutionMs),
          err: errorText(error),
        });
      }
    }
  }

  /** Opens what could not be opened, and throws where a slice of the range still cannot: nothing can be deleted from it. */
  async retry(range: TimeRange): Promise<void> {
    for (const set of this.#sets) {
      await set.retry();
      set.forDeletion(range);
    }
  }

  /**
   * Hides what was deleted: where all samples are still there the slice goes and is made anew of what is left of them, else
   * the buckets go in which a deleted time lies. To be called before the samples in `blocks` are hidden.
   */
  deleteSamples(range: TimeRange, matchers: readonly Matcher[], blocks: readonly Block[]): void {
    for (const set of this.#sets) {
      for (const slice of set.forDeletion(range)) {
        const { block } = slice;
        const isAllThere =
          slice.droppedUntilMs === Number.NEGATIVE_INFINITY && !set.stateOf(slice, blocks).isOrphan;
        if (!isAllThere) block.deleteSamples(range, matchers);
        else if (matchPostings(block.index, matchers).length > 0) set.delete(slice);
      }
      // A start after a power loss must not find a slice by its name and take it to be as good as the samples.
      set.settleDeletions();
    }
  }

  close(): void {
    for (const set of this.#sets) set.close();
  }

  async #add(resolutionMs: number): Promise<SliceSet> {
    const set = new SliceSet(this.#options, resolutionMs);
    await set.open();
    this.#sets = [...this.#sets, set].sort((a, b) => a.resolutionMs - b.resolutionMs);
    return set;
  }
}

function rangeOf({ meta }: Block): TimeRange {
  return { minMs: meta.minTime, maxMs: meta.maxTime - 1 };
}

function expiredSeries({ block, range }: Slice, expiry: Expiry): RawDropped['series'] {
  const refs = block.index.all();
  const cutoffMs = cutoffsIn(block, expiry);
  const bitmap = new Uint8Array(Math.ceil(refs.length / 8));
  for (let index = 0; index < refs.length; index++) {
    if (cutoffMs(index) >= range.minMs) addToBitmap(bitmap, index);
  }
  return bitmap;
}
