import { errorText, systemCode } from '@pollux/base';
import type { Block } from './block/block.ts';
import { isDamage } from './block/block-cursor.ts';
import { Compactor } from './compaction/compactor.ts';
import { keepsAnswers } from './compaction/keeps-answers.ts';
import { mergedCompaction } from './compaction/merged-meta.ts';
import { planCompaction } from './compaction/plan.ts';
import { Downsampler } from './downsample/downsampler.ts';
import { type BlockCompaction, type BlockMeta, isFromOutOfOrder, originOf } from './format/meta.ts';
import type { MaintenanceContext } from './maintenance-context.ts';
import { Slices } from './slices.ts';

/** How often the directory is searched for blocks that somebody else has put there or taken away. */
const RELOAD_INTERVAL_MS = 60_000;
/** Blocks made in one round; the next round comes soon. */
const MAX_COMPACTIONS = 100;
/** For a compaction of this share of the size limit the oldest blocks make room; a larger one is not done. */
const SCRATCH_SHARE = 0.1;
/** Deleted samples are removed from the files when no deletion came for so long, so that many cause one rewrite. */
const RECLAIM_QUIET_MS = 5 * 60_000;
/** A block with a smaller share of deleted series is rewritten only when it is a day old. */
const RECLAIM_SHARE = 0.05;
const RECLAIM_AGE_MS = 24 * 60 * 60_000;
/** After a failure for want of space or of a sound disk. */
const RETRY_MIN_MS = 60_000;
const RETRY_MAX_MS = 60 * 60_000;

/** Compacts blocks, frees what was deleted and enforces retention. */
export class BlockMaintenance {
  readonly #context: MaintenanceContext;
  readonly #compactor: Compactor;
  readonly #downsampler: Downsampler;
  /** Blocks of which all samples are deleted and that are kept nevertheless. */
  readonly #emptied = new WeakSet<Block>();
  /** What ended the last attempt to gather samples before they are dropped: no fault of the block that has them. */
  #gatherFailure: unknown = null;
  #lastReloadMs: number;
  #lastDeletionMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #retryDelayMs = RETRY_MIN_MS;

  constructor(context: MaintenanceContext) {
    this.#context = context;
    this.#compactor = new Compactor(context);
    this.#downsampler = new Downsampler(context);
    this.#lastReloadMs = context.init.env.clock.monotonic();
  }

  noteDeletion(): void {
    this.#lastDeletionMs = this.#nowMs;
  }

  async run(): Promise<void> {
    const { blocks, init } = this.#context;
    await this.#reloadIfDue();
    try {
      await this.#deleteExpired();
      await this.#downsampler.gatherAll(this.#beyondSize(0));
    } catch (error) {
      if (this.#context.signal.aborted) return;
      // A full disk is only helped by what comes next.
      init.log.error('blocks beyond the retention time wait', {
        err: errorText(error),
      });
    }
    this.#enforceSize(0);
    await blocks.sweep(this.#slices());
    if (this.#nowMs < this.#retryAtMs) return;
    try {
      await this.#compact();
      await this.#reclaim();
      await this.#downsampler.run();
      await this.#downsampler.reclaim((slice) => this.#isReclaimDue(slice));
      this.#retryDelayMs = RETRY_MIN_MS;
    } catch (error) {
      if (this.#context.signal.aborted) return;
      this.#retryAtMs = this.#nowMs + this.#retryDelayMs;
      this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, RETRY_MAX_MS);
      throw error;
    }
  }

  /**
   * Removes deleted samples from the files of all blocks. As in Prometheus the blocks begin anew at level 1; what they came
   * from is kept, so that they answer in the same order.
   */
  async cleanTombstones(): Promise<void> {
    const { blocks, metrics } = this.#context;
    const startedMs = this.#nowMs;
    for (const block of blocks.blocks.filter(({ deletionCount }) => deletionCount > 0)) {
      const { parents, hints } = mergedCompaction([block.meta]);
      await this.#make([block], {
        level: 1,
        sources: [],
        origin: originOf(block.meta),
        ...(parents === undefined ? {} : { parents }),
        ...(hints === undefined ? {} : { hints }),
      });
    }
    metrics.tombstoneCleanupSeconds.observe((this.#nowMs - startedMs) / 1000);
    await blocks.sweep(this.#slices());
  }

  async #reloadIfDue(): Promise<void> {
    const { blocks } = this.#context;
    if (!blocks.isStale && this.#nowMs - this.#lastReloadMs < RELOAD_INTERVAL_MS) return;
    this.#lastReloadMs = this.#nowMs;
    await blocks.reload(this.#slices());
  }

  /** Blocks of which everything is too old go; of those with some series too old one a round is rewritten, in {@link #reclaim}. */
  async #deleteExpired(): Promise<void> {
    const { blocks, metrics, init, retention, downsampled } = this.#context;
    const newestMs = blocks.maxTime;
    const slices = this.#slices();
    const expired: Block[] = [];
    for (const block of blocks.blocks) {
      if (retention.isUnknown(block)) await slices.pause();
      const isDue = !this.#endsLog(block) && this.#verdict(block, newestMs) === 'drop';
      if (isDue && this.#downsampler.canGather(block)) expired.push(block);
    }
    await this.#downsampler.gatherAll(expired);
    let deleted = 0;
    for (const block of expired) {
      downsampled.noteDropped(block);
      blocks.delete(block);
      deleted++;
      init.log.info('deleted a block beyond the retention time', { ulid: block.ulid });
    }
    if (deleted > 0) metrics.timeRetentions.inc();
  }

  /** What is damaged too much to say which series it has is left alone. */
  #verdict(block: Block, newestMs: number): 'keep' | 'rewrite' | 'drop' {
    const { retention, blocks } = this.#context;
    try {
      return retention.verdict(block, newestMs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      blocks.noteDamage(block, error);
      return 'keep';
    }
  }

  /** Deletes the oldest blocks until head, blocks and `scratchBytes` together keep the limit. */
  #enforceSize(scratchBytes: number): void {
    const { blocks, metrics, init, downsampled } = this.#context;
    const excess = this.#beyondSize(scratchBytes);
    for (const block of excess) {
      downsampled.noteDropped(block);
      blocks.delete(block);
      init.log.info('deleted a block beyond the retention size', { ulid: block.ulid });
    }
    if (excess.length > 0) metrics.sizeRetentions.inc();
  }

  /**
   * The oldest blocks, without which head, blocks and `scratchBytes` together keep the limit, as Prometheus counts them: log
   * and head chunks first, then blocks from the newest on. Other than there the block that ends the log stays, whatever the
   * limit: its samples, and those that were deleted from it, would be back with the next start.
   */
  #beyondSize(scratchBytes: number): Block[] {
    const { blocks, retention } = this.#context;
    const limit = retention.limitBytes;
    if (limit === 0) return [];
    let bytes = this.#headBytes + scratchBytes;
    return blocks.blocks
      .toSorted((a, b) => b.meta.maxTime - a.meta.maxTime)
      .filter((block) => {
        bytes += block.sizeBytes;
        return bytes > limit && !this.#endsLog(block);
      });
  }

  async #compact(): Promise<void> {
    const { blocks, options, retention, metrics, signal } = this.#context;
    for (let made = 0; made < MAX_COMPACTIONS && !signal.aborted; made++) {
      const newestMs = blocks.maxTime;
      const metas = planCompaction(this.#settledMetas(), {
        rangesMs: retention.ranges(options.minBlockDurationMs, options.maxBlockDurationMs),
        mayFill: (rangeMs, maxTime) => retention.mayFill(rangeMs, maxTime, newestMs),
        mayMerge: (group) => keepsAnswers(blocks.metas(), group),
      });
      if (metas.length === 0) return;
      const parents = blocks.blocks.filter(({ meta }) => metas.includes(meta));
      if (!this.#makeRoom(parents)) return;
      metrics.compactionsTriggered.inc();
      if (isOverlapping(parents)) metrics.verticalCompactions.inc();
      await this.#make(parents, mergedCompaction(parents.map(({ meta }) => meta)));
    }
  }

  /**
   * Those up to where the head begins. A block of late samples that reaches further must not become part of one that came
   * in order: the next start would take the log to hold nothing before its end.
   */
  #settledMetas(): BlockMeta[] {
    const { blocks } = this.#context;
    const endMs = blocks.inOrderMaxTime;
    return blocks.blocks
      .filter((block) => block.meta.maxTime <= endMs && !this.#isKeptEmpty(block))
      .map(({ meta }) => meta);
  }

  /**
   * Whether the block tells the next start where the log goes on: without it what the log still has of its time would come
   * back, so it stays, hidden by its deletions, until there is a newer one.
   */
  #endsLog({ meta }: Block): boolean {
    return !isFromOutOfOrder(meta) && meta.maxTime === this.#context.blocks.inOrderMaxTime;
  }

  #isKeptEmpty(block: Block): boolean {
    return this.#emptied.has(block) && this.#endsLog(block);
  }

  /** Rewrites one block for what was deleted or has expired in it. */
  async #reclaim(): Promise<void> {
    const { blocks, signal } = this.#context;
    const newestMs = blocks.maxTime;
    const block = blocks.blocks.find(
      (candidate) =>
        candidate.meta.maxTime < newestMs &&
        candidate.meta.compaction.failed !== true &&
        !this.#isKeptEmpty(candidate) &&
        (this.#isReclaimDue(candidate) ||
          (this.#downsampler.canGather(candidate) &&
            this.#verdict(candidate, newestMs) === 'rewrite')),
    );
    if (block === undefined || signal.aborted || !this.#makeRoom([block])) return;
    await this.#make([block], mergedCompaction([block.meta]));
  }

  #isReclaimDue({ deletionCount, meta, ulid }: Block): boolean {
    if (deletionCount === 0 || this.#nowMs - this.#lastDeletionMs < RECLAIM_QUIET_MS) return false;
    const ageMs = this.#context.init.env.clock.now() - ulidTimeMs(ulid);
    return deletionCount > meta.stats.numSeries * RECLAIM_SHARE || ageMs >= RECLAIM_AGE_MS;
  }

  /** True when a block as large as the parents together can be written beside them. */
  #makeRoom(parents: readonly Block[]): boolean {
    const { blocks, retention, init, options, metrics } = this.#context;
    const { log, env, directory } = init;
    const scratch = parents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const skip = (why: string): boolean => {
      metrics.compactionsSkipped.inc();
      log.warn('a compaction is left out', { reason: why, bytes: scratch });
      this.#retryAtMs = this.#nowMs + RETRY_MAX_MS / 4;
      return false;
    };
    const limit = retention.limitBytes;
    if (limit > 0 && this.#headBytes + blocks.sizeBytes + scratch > limit) {
      if (scratch > limit * SCRATCH_SHARE) return skip('it would exceed the retention size');
      this.#enforceSize(scratch);
      // What was to be compacted may itself have been the oldest.
      if (!parents.every((parent) => blocks.blocks.includes(parent))) return false;
    }
    const { freeBytes } = env.files.space(directory);
    // The log must never lack the room that a compaction takes.
    if (freeBytes < scratch + options.walSegmentBytes) return skip('too little free space');
    return true;
  }

  /** Writes one block from the parents and shows it in their place, or nothing when no sample is left. */
  async #make(parents: readonly Block[], compaction: BlockCompaction): Promise<void> {
    const { metrics, init, signal } = this.#context;
    const startedMs = this.#nowMs;
    const sources = parents.map(({ ulid }) => ulid).join(',');
    // Of large blocks it may take hours, or be what the process ends in.
    init.log.info('compacting blocks', { sources });
    metrics.populatingBlock.set(1);
    for (const parent of parents) parent.hold();
    try {
      const block = await this.#write(parents, compaction);
      metrics.compactions.inc();
      metrics.compactionSeconds.observe((this.#nowMs - startedMs) / 1000);
      init.log.info('compacted blocks', {
        ulid: block?.ulid ?? 'none',
        sources,
        duration_ms: Math.round(this.#nowMs - startedMs),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      metrics.compactionFailures.inc();
      const isOfParents = isDamage(error) || systemCode(error) === 'TSDB.NOT_SUPPORTED';
      if (!isOfParents || error === this.#gatherFailure) throw error;
      this.#markFailed(parents, error);
    } finally {
      metrics.populatingBlock.set(0);
      for (const parent of parents) parent.release();
    }
    await this.#context.blocks.sweep(this.#slices());
  }

  async #write(parents: readonly Block[], compaction: BlockCompaction): Promise<Block | null> {
    const { init, blocks, deletions, retention, downsampled } = this.#context;
    const { env } = init;
    const slices = this.#slices();
    const newestMs = blocks.maxTime;
    const canExpire = parents.every((parent) => this.#downsampler.canGather(parent));
    const expiry = canExpire ? retention.expiry(newestMs) : null;
    const shortened =
      expiry === null ? [] : parents.filter((parent) => retention.expiresIn(parent, newestMs));
    try {
      await this.#downsampler.gatherAll(shortened);
    } catch (error) {
      this.#gatherFailure = error;
      throw error;
    }
    const noteExpired = async (): Promise<void> => {
      if (expiry !== null && shortened.length > 0) {
        await downsampled.noteExpired(shortened, expiry, slices);
      }
    };
    const deleted = deletions.follow();
    try {
      const path = await this.#compactor.write(parents, compaction, expiry);
      if (path === null) {
        if (parents.some((parent) => this.#endsLog(parent))) {
          for (const parent of parents) this.#emptied.add(parent);
          return null;
        }
        await noteExpired();
        const before = blocks.blocks;
        for (const parent of parents) {
          parent.setCompaction({ deletable: true });
          blocks.delete(parent);
        }
        downsampled.noteReplaced(parents, null, before);
        return null;
      }
      let block: Block | null = null;
      try {
        block = await blocks.open(path, slices);
        await noteExpired();
        deleted.repeatOn(block);
        const before = blocks.blocks;
        blocks.publish(block, parents);
        downsampled.noteReplaced(parents, block, before);
        return block;
      } catch (error) {
        block?.release();
        env.files.removeTree(path);
        throw error;
      }
    } finally {
      deleted.end();
    }
  }

  /** Blocks that cannot be compacted for what is in them are not tried again; they are read as before. */
  #markFailed(parents: readonly Block[], error: unknown): void {
    const text = errorText(error);
    const named = parents.filter(({ ulid }) => text.includes(ulid));
    const failed = named.length > 0 ? named : parents;
    for (const block of failed) block.setCompaction({ failed: true });
    this.#context.init.log.error('blocks cannot be compacted and are left as they are', {
      blocks: failed.map(({ ulid }) => ulid).join(','),
      err: text,
    });
  }

  /** What the head takes on the disk. */
  get #headBytes(): number {
    const { wal, head, chunkFiles } = this.#context;
    return wal.sizeBytes() + (head.outOfOrder.log?.sizeBytes() ?? 0) + chunkFiles.sizeBytes;
  }

  get #nowMs(): number {
    return this.#context.init.env.clock.monotonic();
  }

  #slices(): Slices {
    return new Slices(this.#context.init.env.clock, this.#context.signal);
  }
}

function isOverlapping(parents: readonly Block[]): boolean {
  return parents.some((block, i) =>
    parents.slice(0, i).some(({ meta }) => meta.maxTime > block.meta.minTime),
  );
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** When a block was made: the first ten characters of its name. */
function ulidTimeMs(ulid: string): number {
  let timeMs = 0;
  for (const character of ulid.slice(0, 10)) timeMs = timeMs * 32 + CROCKFORD.indexOf(character);
  return timeMs;
}
