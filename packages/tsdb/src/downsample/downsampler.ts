import { errorText } from '@pollux/base';
import { formatDuration } from '@pollux/model';
import { intervalSet, subtract } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { isDamage } from '../block/block-cursor.ts';
import { compactBlocks } from '../compaction/compact-blocks.ts';
import { mergedCompaction } from '../compaction/merged-meta.ts';
import type { BlockCompaction } from '../format/meta.ts';
import type { MaintenanceContext } from '../maintenance-context.ts';
import { classOfSeries } from '../retention/series-classes.ts';
import type { RetentionSettings } from '../retention/settings.ts';
import { Slices } from '../slices.ts';
import { edgeBefore, type Piece, piecesToGather } from './holes.ts';
import { encodeRawDropped } from './raw-dropped.ts';
import type { DownsamplingRule } from './rule.ts';
import { RAW_DROPPED_FILE, type Slice } from './slice.ts';
import type { SliceSet } from './slice-set.ts';
import { BucketCopier, BucketGatherer } from './slice-writer.ts';

/** Slices written in one round; the next round comes soon. */
const MAX_PIECES = 16;

/**
 * What was damaged when samples were about to be dropped is believed to be so when it was in so many attempts, so long apart:
 * a disk may fail for a moment, and what is left out then is lost.
 */
const DAMAGE_ATTEMPTS = 3;
const DAMAGE_RETRY_MS = 10 * 60_000;

/** Gathers samples of blocks into slices, makes slices anew where blocks have come, and deletes what is old. */
export class Downsampler {
  readonly #context: MaintenanceContext;
  /** Times without any sample, by resolution, while the blocks are these. */
  readonly #empty = new Map<number, Piece[]>();
  #emptyOf: readonly Block[] | null = null;
  /** Slices whose series under dropping rules are hidden, with what that was decided by. */
  readonly #swept = new WeakMap<Slice, { settings: RetentionSettings; untilMs: number }>();

  /** Pieces of blocks that could not be read, by their resolution and start. */
  readonly #doubts = new Map<string, Piece & { attempts: number; retryAtMs: number }>();

  constructor(context: MaintenanceContext) {
    this.#context = context;
  }

  /** One round of what is due. */
  async run(): Promise<void> {
    const { downsampled, signal } = this.#context;
    const slices = this.#slices();
    for (const set of downsampled.sets) {
      for (const slice of set.slices) {
        // A deletion may have taken it meanwhile.
        if (set.slices.includes(slice)) this.#review(set, slice);
        if (slices.isOver) await slices.pause();
      }
    }
    await this.#gather(Number.NEGATIVE_INFINITY, MAX_PIECES);
    for (const set of downsampled.sets) if (!signal.aborted) await set.sweep(this.#slices());
  }

  /**
   * True when every interval that the block's samples lie in is over, so that {@link gatherAll} leaves none of them out.
   * Coarse intervals keep blocks a little longer, and so do samples that can perhaps be read later.
   */
  canGather({ meta }: Pick<Block, 'meta'>): boolean {
    const { downsampled, blocks } = this.#context;
    if (downsampled.rules.length === 0) return true;
    const isWaiting = [...this.#doubts.values()].some(
      ({ startMs, endMs, retryAtMs }) =>
        meta.minTime <= endMs && meta.maxTime > startMs && this.#nowMs < retryAtMs,
    );
    if (isWaiting) return false;
    return downsampled.rules.every(
      ({ resolutionMs }) => meta.maxTime - 1 <= edgeBefore(blocks.inOrderMaxTime - 1, resolutionMs),
    );
  }

  /** Gathers all samples of the blocks, because they are about to be dropped. */
  async gatherAll(blocks: readonly Block[]): Promise<void> {
    if (this.#context.downsampled.rules.length === 0 || blocks.length === 0) return;
    const dueMs = Math.max(...blocks.map(({ meta }) => meta.maxTime - 1));
    await this.#gather(dueMs, Number.POSITIVE_INFINITY);
  }

  /** Rewrites one slice from which much was deleted. */
  async reclaim(isDue: (slice: Block) => boolean): Promise<void> {
    for (const set of this.#context.downsampled.sets) {
      const slice = set.slices.find(({ block }) => isDue(block));
      if (slice === undefined) continue;
      await this.#copy(set, slice);
      return;
    }
  }

  #review(set: SliceSet, slice: Slice): void {
    const { blocks, downsampled, init } = this.#context;
    const newestMs = blocks.maxTime;
    const rule = downsampled.rules.find(({ resolutionMs }) => resolutionMs === set.resolutionMs);
    const keepMs = rule?.retentionMs ?? 0;
    if (keepMs > 0 && newestMs - slice.block.meta.maxTime >= keepMs) {
      set.delete(slice);
      return;
    }
    if (slice.droppedUntilMs > Number.NEGATIVE_INFINITY) {
      this.#hideExpired(slice, newestMs);
      return;
    }
    // What a damaged block has is not gone: it may be opened again.
    if (this.#isDamagedIn(slice)) return;
    const { isOrphan, isOverrun } = set.stateOf(slice, blocks.blocks);
    // Other blocks of all of its time: they were made of those that are gone, by somebody who did not tell.
    const isRewritten = isOrphan && isOverrun && this.#isCovered(slice);
    if (isOrphan && !isRewritten) slice.noteDropped(slice.range.maxMs, 'all');
    if (!isOverrun || (isOrphan && !isRewritten)) return;
    set.delete(slice);
    init.log.info('down-sampled data are made anew, since blocks have come', {
      resolution: formatDuration(set.resolutionMs),
      ulid: slice.block.ulid,
    });
  }

  /** Hides series that a rule keeps for a shorter time than others, when that is over and their samples are dropped. */
  #hideExpired(slice: Slice, newestMs: number): void {
    const { settings } = this.#context.retention;
    const { rules, timeMs } = settings;
    const isDropping = rules.map(
      ({ keepMs }) =>
        (timeMs === 0 || keepMs < timeMs) && newestMs - slice.block.meta.maxTime >= keepMs,
    );
    if (!isDropping.includes(true)) return;
    const swept = this.#swept.get(slice);
    if (swept?.settings === settings && swept.untilMs === slice.droppedUntilMs) return;
    const { block } = slice;
    const refs = block.index.all();
    const classes = classOfSeries(block, rules);
    const hidden = refs.filter(
      (ref, index) =>
        isDropping[classes[index]!] === true &&
        slice.isDropped(ref) &&
        block.tombstonesOf(ref).length === 0,
    );
    if (hidden.length > 0) block.deleteSamples(slice.range, hidden);
    this.#swept.set(slice, { settings, untilMs: slice.droppedUntilMs });
  }

  /** Writes at most `most` pieces that are old enough, or that lie before `dueMs`. */
  async #gather(dueMs: number, most: number): Promise<void> {
    const { downsampled, signal, metrics } = this.#context;
    let left = most;
    for (const rule of downsampled.rules) {
      const set = await downsampled.setOf(rule);
      // What was written and not shown must not be written again.
      await set.retry();
      for (const piece of this.#pieces(set, rule, dueMs)) {
        if (left-- <= 0 || signal.aborted) return;
        const isDue = piece.startMs < dueMs;
        if (!isDue && this.#isDamagedIn({ range: rangeOf(piece) })) continue;
        const key = `${set.resolutionMs} ${piece.startMs}`;
        const attempts = this.#doubts.get(key)?.attempts ?? 0;
        const isBelieved = isDue && attempts >= DAMAGE_ATTEMPTS - 1;
        try {
          await this.#write(set, piece, isBelieved);
          this.#doubts.delete(key);
        } catch (error) {
          if (!signal.aborted) metrics.downsamplingFailures.inc();
          if (!isDue || !isDamage(error)) throw error;
          if (!isBelieved) {
            const retryAtMs = this.#nowMs + DAMAGE_RETRY_MS;
            this.#doubts.set(key, { ...piece, attempts: attempts + 1, retryAtMs });
            throw error;
          }
          // Waiting would not mend it, and retention must go on.
          this.#doubts.delete(key);
          this.#context.init.log.error('samples of damaged blocks cannot be down-sampled', {
            resolution: formatDuration(set.resolutionMs),
            err: errorText(error),
          });
        }
      }
    }
  }

  #pieces(set: SliceSet, { afterMs, retentionMs }: DownsamplingRule, dueMs: number): Piece[] {
    const { blocks } = this.#context;
    if (this.#emptyOf !== blocks.blocks) this.#empty.clear();
    this.#emptyOf = blocks.blocks;
    // The sample at the very end of the newest block is still in the head.
    const wholeMs = edgeBefore(blocks.inOrderMaxTime - 1, set.resolutionMs);
    if (!Number.isFinite(wholeMs)) return [];
    const newestMs = blocks.maxTime;
    const pieces = piecesToGather({
      resolutionMs: set.resolutionMs,
      spanMs: set.spanMs,
      blocks: blocks.blocks.map(({ meta }) => meta),
      done: [
        ...set.slices.map(({ range }) => ({ startMs: range.minMs - 1, endMs: range.maxMs })),
        ...(this.#empty.get(set.resolutionMs) ?? []),
      ],
      limitMs: Math.min(newestMs - afterMs, wholeMs),
      dueMs: Math.min(dueMs, wholeMs),
    });
    return pieces.filter(({ endMs }) => retentionMs === 0 || newestMs - endMs < retentionMs);
  }

  /** `leavesDamage`: what cannot be read is left out. */
  async #write(set: SliceSet, piece: Piece, leavesDamage: boolean): Promise<void> {
    const { init, blocks, deletions, metrics } = this.#context;
    const { env, log } = init;
    const startedMs = env.clock.monotonic();
    const range = rangeOf(piece);
    const parents = blocks.blocks.filter((block) => block.overlaps(range));
    const sources = [...new Set(parents.flatMap(({ meta }) => meta.compaction.sources))].sort();
    const slices = this.#slices();
    // A block that cannot be opened is none of the parents.
    let isIncomplete = blocks.isBrokenIn(range);
    const onDamage = leavesDamage
      ? (error: unknown): void => {
          isIncomplete = true;
          log.error('samples are missing from down-sampled data', { err: errorText(error) });
        }
      : null;
    const deleted = deletions.follow();
    for (const parent of parents) parent.hold();
    try {
      const path = await compactBlocks({
        env,
        directory: set.directory,
        parents,
        compaction: { level: 1, sources, resolutionMs: set.resolutionMs },
        expiry: null,
        slices,
        time: { minTime: range.minMs, maxTime: range.maxMs + 1 },
        merger: (writer) =>
          new BucketGatherer({ writer, slices, resolutionMs: set.resolutionMs, range, onDamage }),
      });
      if (path === null) {
        const known = this.#empty.get(set.resolutionMs) ?? [];
        this.#empty.set(set.resolutionMs, [...known, piece]);
        return;
      }
      await set.publish(path, null, {
        slices,
        isWanted: () => !deleted.touches(range),
        prepare: async (slice) => {
          if (isIncomplete) slice.setCompaction({ isIncomplete });
        },
      });
    } finally {
      deleted.end();
      for (const parent of parents) parent.release();
    }
    metrics.slicesWritten.inc();
    metrics.downsamplingSeconds.observe((env.clock.monotonic() - startedMs) / 1000);
    log.info('down-sampled blocks', {
      resolution: formatDuration(set.resolutionMs),
      mint: range.minMs,
      maxt: range.maxMs,
      duration_ms: Math.round(env.clock.monotonic() - startedMs),
    });
  }

  /** Writes the slice without what was deleted from it, in its place. */
  async #copy(set: SliceSet, slice: Slice): Promise<void> {
    const { init, deletions } = this.#context;
    const { block, range } = slice;
    const slices = this.#slices();
    const { parents, ...rest } = mergedCompaction([block.meta]);
    const compaction: BlockCompaction = {
      ...rest,
      ...(parents === undefined ? {} : { parents }),
      resolutionMs: set.resolutionMs,
      ...(slice.isIncomplete ? { isIncomplete: true } : {}),
    };
    const deleted = deletions.follow();
    block.hold();
    try {
      const path = await compactBlocks({
        env: init.env,
        directory: set.directory,
        parents: [block],
        compaction,
        expiry: null,
        slices,
        merger: (writer) => new BucketCopier(writer, set.resolutionMs, range),
      });
      if (path === null) {
        set.delete(slice);
        return;
      }
      await set.publish(path, slice, {
        slices,
        isWanted: () => !deleted.touches(range),
        prepare: async (copy) => {
          const dropped = await slice.droppedOfCopy(copy, slices);
          if (dropped === null) return;
          init.env.files.replaceFile(`${path}/${RAW_DROPPED_FILE}`, encodeRawDropped(dropped));
        },
      });
    } finally {
      deleted.end();
      block.release();
    }
  }

  /** True when blocks reach over all of the slice's time. */
  #isCovered({ range }: Slice): boolean {
    const blocks = this.#context.blocks.blocks.map(({ meta }) => ({
      startMs: meta.minTime,
      endMs: meta.maxTime,
    }));
    const wanted = intervalSet([{ startMs: range.minMs, endMs: range.maxMs + 1 }]);
    return subtract(wanted, intervalSet(blocks)).length === 0;
  }

  #isDamagedIn({ range }: Pick<Slice, 'range'>): boolean {
    return this.#context.blocks
      .damagedTimes()
      .some((time) => time === null || (time.minTime <= range.maxMs && time.maxTime > range.minMs));
  }

  get #nowMs(): number {
    return this.#context.init.env.clock.monotonic();
  }

  #slices(): Slices {
    return new Slices(this.#context.init.env.clock, this.#context.signal);
  }
}

/** Both ends included. */
function rangeOf({ startMs, endMs }: Piece): Slice['range'] {
  return { minMs: startMs + 1, maxMs: endMs };
}
