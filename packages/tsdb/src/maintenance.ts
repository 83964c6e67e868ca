import { errorText } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Block } from './block/block.ts';
import type { BlockSet } from './block/block-set.ts';
import type { SeriesGuard } from './cardinality/series-guard.ts';
import { rangeEndMs } from './head/chunk-times.ts';
import { cutBlock } from './head/cut-block.ts';
import type { Head } from './head/head.ts';
import { truncateHead, waitForAppenders } from './head/truncate.ts';
import type { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import type { SnapshotSchedule } from './head-snapshot/snapshot-schedule.ts';
import type { TsdbInit } from './init.ts';
import type { TsdbMetrics } from './metrics.ts';
import { compactOoo } from './ooo/compact.ts';
import type { TsdbOptions } from './options.ts';
import { writeCheckpoint } from './wal/checkpoint.ts';
import type { Expiries } from './wal/expiries.ts';
import type { WalCompression } from './wal/segment-writer.ts';
import type { Wal } from './wal/wal.ts';
import type { Zstd } from './wal/zstd.ts';

export type MaintenanceParts = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly chunkFiles: HeadChunkFiles;
  readonly wal: Wal;
  readonly blocks: BlockSet;
  readonly expiries: Expiries;
  readonly compression: WalCompression;
  readonly zstd: Zstd;
  readonly guard: SeriesGuard;
  readonly snapshots: SnapshotSchedule;
};

type Deletion = { readonly range: TimeRange; readonly matchers: readonly Matcher[] };

/** How often the directory is searched for blocks that somebody else has put there or taken away. */
const RELOAD_INTERVAL_MS = 60_000;

/** Moves the head into blocks, cuts the log and enforces retention; one such run at a time. */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #lastReloadMs: number;
  /** Deletions that came while a block was being written: they are repeated on it before it is shown. */
  #deletions: Deletion[] | null = null;
  /** Since a block was cut from the head, as in Prometheus, until the out-of-order samples are in blocks too. */
  #isOutOfOrderDue = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    this.#lastReloadMs = parts.init.env.clock.monotonic();
  }

  /** Does what is due; a call during a run waits for that one. Failures are logged and counted, and tried again later. */
  run(): Promise<void> {
    this.#running ??= this.#runOnce().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /**
   * Ends waiting and resolves when no run is under way. If the head is whole, its last snapshot is written then; one that
   * is still being replayed must leave none.
   */
  async close(isHeadWhole: boolean): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#running;
    if (isHeadWhole) await this.#parts.snapshots.runAtClose(new AbortController().signal);
  }

  /** To be called for each deletion, at the same time as it is applied to the head and the blocks. */
  noteDeletion(range: TimeRange, matchers: readonly Matcher[]): void {
    this.#deletions?.push({ range, matchers });
  }

  async #runOnce(): Promise<void> {
    const { log } = this.#parts.init;
    try {
      while (this.#isBlockDue() && !this.#closing.signal.aborted) await this.#moveHeadToBlock();
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        log.error('moving the head to a block failed', { err: errorText(error) });
      }
    }
    try {
      if (this.#isOutOfOrderDue && !this.#closing.signal.aborted) await this.#moveOutOfOrder();
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#parts.metrics.compactionFailures.inc();
        log.error('moving out-of-order samples to blocks failed', { err: errorText(error) });
      }
    }
    if (!this.#closing.signal.aborted) await this.#parts.snapshots.runIfDue(this.#closing.signal);
    try {
      this.#reloadIfDue();
      this.#enforceRetention();
    } catch (error) {
      log.error('maintenance of blocks failed', { err: errorText(error) });
    }
  }

  /** As Prometheus: the head spans one and a half block durations. */
  #isBlockDue(): boolean {
    const { head, options } = this.#parts;
    return !head.isEmpty && head.maxMs - head.minMs > options.minBlockDurationMs * 1.5;
  }

  async #moveHeadToBlock(): Promise<void> {
    const { head, options, metrics, init, blocks } = this.#parts;
    const { env, directory, log } = init;
    const startedMs = env.clock.monotonic();
    const { signal } = this.#closing;
    await waitForAppenders(head, env.clock, options.maxReaderHoldMs, signal);
    const minTime = head.minMs;
    const maxTime = rangeEndMs(minTime, options.minBlockDurationMs);
    this.#deletions = [];
    let block: Block | null = null;
    try {
      const path = await cutBlock({ env, directory, head, minTime, maxTime, signal });
      if (path !== null) {
        block = blocks.open(path);
        for (const { range, matchers } of this.#deletions) block.deleteSamples(range, matchers);
        metrics.compactions.inc();
      }
    } catch (error) {
      blocks.noteStale();
      block?.release();
      if (!signal.aborted) metrics.compactionFailures.inc();
      throw error;
    } finally {
      this.#deletions = null;
    }
    // In one step: the block answers for the time, and the head no longer does.
    if (block !== null) blocks.add(block);
    head.raiseMinimum(maxTime);
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

  async #moveOutOfOrder(): Promise<void> {
    const { head, options, metrics, init, blocks } = this.#parts;
    const { env, directory, log } = init;
    this.#deletions = [];
    /** Blocks that are open and not shown. */
    const opened: Block[] = [];
    try {
      const written = await compactOoo({
        env,
        directory,
        head,
        metrics,
        maxReaderHoldMs: options.maxReaderHoldMs,
        signal: this.#closing.signal,
        show: (paths) => {
          for (const path of paths) {
            const block = blocks.open(path);
            opened.push(block);
            for (const { range, matchers } of this.#deletions ?? []) {
              block.deleteSamples(range, matchers);
            }
          }
          for (const block of opened) blocks.add(block);
          // From here on deletions find the blocks themselves.
          this.#deletions = null;
          return opened.splice(0);
        },
      });
      if (written.length > 0) {
        const ulids = written.map(({ ulid }) => ulid).join(' ');
        log.info('wrote blocks of out-of-order samples', { ulids });
      }
    } catch (error) {
      blocks.noteStale();
      for (const block of opened) block.release();
      throw error;
    } finally {
      this.#deletions = null;
    }
    this.#isOutOfOrderDue = false;
  }

  async #truncate(minMs: number): Promise<void> {
    const { head, metrics, init, options, wal, expiries, guard } = this.#parts;
    try {
      await truncateHead({
        head,
        clock: init.env.clock,
        metrics,
        minMs,
        maxReaderHoldMs: options.maxReaderHoldMs,
        signal: this.#closing.signal,
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
    const { head, wal, init, options, metrics, expiries } = this.#parts;
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
        compression: this.#parts.compression,
        zstd: this.#parts.zstd,
        minMs,
        signal: this.#closing.signal,
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
    wal.truncate(last);
    expiries.prune(last, minMs);
  }

  #reloadIfDue(): void {
    const { init, blocks } = this.#parts;
    const nowMs = init.env.clock.monotonic();
    if (!blocks.isStale && nowMs - this.#lastReloadMs < RELOAD_INTERVAL_MS) return;
    this.#lastReloadMs = nowMs;
    blocks.reload();
  }

  #enforceRetention(): void {
    const { blocks, options, metrics, init, wal, head, chunkFiles } = this.#parts;
    const newest = blocks.maxTime;
    for (const block of blocks.blocks) {
      if (options.retentionMs === 0 || newest - block.meta.maxTime < options.retentionMs) continue;
      blocks.delete(block);
      metrics.timeRetentions.inc();
      init.log.info('deleted a block beyond the retention time', { ulid: block.ulid });
    }
    if (options.retentionBytes === 0) return;
    let bytes = wal.sizeBytes() + (head.outOfOrder.log?.sizeBytes() ?? 0);
    bytes += chunkFiles.sizeBytes + blocks.sizeBytes;
    for (const block of blocks.blocks) {
      if (bytes <= options.retentionBytes) break;
      bytes -= block.sizeBytes;
      blocks.delete(block);
      metrics.sizeRetentions.inc();
      init.log.info('deleted a block beyond the retention size', { ulid: block.ulid });
    }
  }
}
