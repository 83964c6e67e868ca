import { errorText } from '@pollux/base';
import type { Block } from './block/block.ts';
import type { DeletionFollower } from './deletion-log.ts';
import { rangeEndMs } from './head/chunk-times.ts';
import { cutBlock } from './head/cut-block.ts';
import { raiseHeadFloor } from './head/head-floor.ts';
import { truncateHead, waitForAppenders } from './head/truncate.ts';
import type { MaintenanceContext } from './maintenance-context.ts';
import { compactOoo } from './ooo/compact.ts';
import { Slices } from './slices.ts';
import { writeCheckpoint } from './wal/checkpoint.ts';

/** Moves the head into blocks and cuts the log behind it. */
export class HeadMaintenance {
  readonly #context: MaintenanceContext;
  /** Since a block was cut from the head, as in Prometheus, until the out-of-order samples are in blocks too. */
  #isOutOfOrderDue = false;

  constructor(context: MaintenanceContext) {
    this.#context = context;
  }

  async run(): Promise<void> {
    const { init, signal, metrics } = this.#context;
    try {
      while (this.#isBlockDue() && !signal.aborted) await this.#moveToBlock();
    } catch (error) {
      if (signal.aborted) return;
      init.log.error('moving the head to a block failed', { err: errorText(error) });
    }
    try {
      if (this.#isOutOfOrderDue && !signal.aborted) await this.#moveOutOfOrder();
    } catch (error) {
      if (signal.aborted) return;
      metrics.compactionFailures.inc();
      init.log.error('moving out-of-order samples to blocks failed', { err: errorText(error) });
    }
    if (!signal.aborted) await this.#context.snapshots.runIfDue(signal);
  }

  /** As Prometheus: the head spans one and a half block durations. */
  #isBlockDue(): boolean {
    const { head, options } = this.#context;
    return !head.isEmpty && head.maxMs - head.minMs > options.minBlockDurationMs * 1.5;
  }

  async #moveToBlock(): Promise<void> {
    const { head, options, metrics, init, signal } = this.#context;
    const { env, log } = init;
    const startedMs = env.clock.monotonic();
    metrics.compactionsTriggered.inc();
    await waitForAppenders(head, env.clock, options.maxReaderHoldMs, signal);
    const minTime = head.minMs;
    const maxTime = rangeEndMs(minTime, options.minBlockDurationMs);
    let block: Block | null = null;
    try {
      block = await this.#writeBlock(minTime, maxTime);
    } catch (error) {
      if (!signal.aborted) metrics.compactionFailures.inc();
      throw error;
    }
    metrics.compactionSeconds.observe((env.clock.monotonic() - startedMs) / 1000);
    log.info('wrote a block', {
      ulid: block?.ulid ?? 'none',
      mint: minTime,
      maxt: maxTime,
      duration_ms: Math.round(env.clock.monotonic() - startedMs),
    });
    this.#isOutOfOrderDue = true;
    await this.#truncate(maxTime);
  }

  /** After it the block answers for the time and the head no longer does, from one moment on. Null when there is no sample. */
  async #writeBlock(minTime: number, maxTime: number): Promise<Block | null> {
    const { head, init, metrics, deletions, signal } = this.#context;
    const { env, directory } = init;
    const deleted = deletions.follow();
    try {
      const path = await cutBlock({ env, directory, head, minTime, maxTime, signal, metrics });
      if (path === null) {
        raiseHeadFloor(env.files, directory, maxTime);
        head.raiseMinimum(maxTime);
        return null;
      }
      const [block = null] = await this.#publish([path], deleted);
      head.raiseMinimum(maxTime);
      metrics.compactions.inc();
      return block;
    } finally {
      deleted.end();
    }
  }

  async #moveOutOfOrder(): Promise<void> {
    const { head, options, metrics, init, deletions, signal } = this.#context;
    const { env, directory, log } = init;
    const deleted = deletions.follow();
    try {
      const written = await compactOoo({
        env,
        directory,
        head,
        metrics,
        maxReaderHoldMs: options.maxReaderHoldMs,
        signal,
        show: (paths) => this.#publish(paths, deleted),
      });
      if (written.length > 0) {
        const ulids = written.map(({ ulid }) => ulid).join(' ');
        log.info('wrote blocks of out-of-order samples', { ulids });
      }
    } finally {
      deleted.end();
    }
    this.#isOutOfOrderDue = false;
  }

  /** Names complete blocks and shows them, all in one step; from then on deletions find the blocks themselves. */
  async #publish(paths: readonly string[], deleted: DeletionFollower): Promise<readonly Block[]> {
    const { init, blocks, signal } = this.#context;
    const opened: Block[] = [];
    let published = 0;
    try {
      for (const path of paths) {
        opened.push(await blocks.open(path, new Slices(init.env.clock, signal)));
      }
      for (const block of opened) deleted.repeatOn(block);
      for (; published < opened.length; published++) blocks.publish(opened[published]!, []);
    } catch (error) {
      for (const block of opened.slice(published)) block.release();
      for (const path of paths) init.env.files.removeTree(path);
      throw error;
    }
    deleted.end();
    return opened;
  }

  async #truncate(minMs: number): Promise<void> {
    const { head, metrics, init, options, wal, expiries, guard, signal } = this.#context;
    try {
      await truncateHead({
        head,
        clock: init.env.clock,
        metrics,
        minMs,
        maxReaderHoldMs: options.maxReaderHoldMs,
        signal,
        onRemoved: (slot, maxMs) => {
          guard.noteRemoved(slot);
          expiries.note(head.table.refs[slot]!, wal.position().segment, maxMs);
        },
      });
    } catch (error) {
      metrics.headTruncationFailures.inc();
      throw error;
    }
    await this.#truncateWal(minMs);
  }

  /** Replaces the older two thirds of the log by a checkpoint. */
  async #truncateWal(minMs: number): Promise<void> {
    const { head, wal, init, options, metrics, expiries, compression, zstd, signal } =
      this.#context;
    // A small log still gets shorter when each truncation begins a segment.
    wal.cut();
    const { first, last: current } = wal.segments();
    const last = first + Math.floor(((current - 1 - first) * 2) / 3);
    if (last <= first) return;
    metrics.checkpoints.inc();
    try {
      await writeCheckpoint({
        files: init.env.files,
        clock: init.env.clock,
        walDirectory: wal.walDirectory,
        first,
        last,
        segmentBytes: options.walSegmentBytes,
        compression,
        zstd,
        minMs,
        signal,
        keepSeries: (ref) => head.table.slotOf(ref) >= 0 || expiries.isNeeded(ref, last, minMs),
        onDamage: ({ place, offset, endOffset, reason }) => {
          metrics.walCorruptions.inc();
          const bytes = endOffset - offset;
          init.log.warn('damage in the log is left out of the checkpoint', {
            file: place,
            offset,
            bytes,
            err: reason,
          });
        },
      });
    } catch (error) {
      metrics.checkpointFailures.inc();
      throw error;
    }
    await wal.shorten(last);
    expiries.prune(last, minMs);
  }
}
