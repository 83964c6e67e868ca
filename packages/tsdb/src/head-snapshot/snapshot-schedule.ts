import { errorText } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { TsdbMetrics } from '../metrics.ts';
import type { TsdbOptions } from '../options.ts';
import { segmentName } from '../wal/segment.ts';
import {
  type HeadSnapshotSource,
  type WrittenSnapshot,
  writeHeadSnapshot,
} from './write-head-snapshot.ts';

/** A snapshot is worth writing when the log has grown by this part of the last one: both cost a start much the same time. */
const WORTH = 1 / 4;
/** Series are what a replay takes longest for: without waiting for its time a snapshot is written when there are so many more. */
const GROWN = 1.5;
/** As long as the number of series grows by more than this part from one look to the next, the next snapshot would be worth more. */
const CALM = 1 / 50;
/** Turns of the event loop in which a moment without an open commit is looked for. */
const MAX_TURNS = 1000;

export type SnapshotScheduleParts = {
  readonly source: Omit<HeadSnapshotSource, 'signal'>;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly log: Log;
  /** The one that the head was restored from. */
  readonly loaded: WrittenSnapshot | null;
};

/** Decides when the head snapshot is replaced. Calls must not overlap each other or a truncation of the head. */
export class SnapshotSchedule {
  readonly #parts: SnapshotScheduleParts;
  #last: WrittenSnapshot | null;
  #triedMs: number;
  /** After a failure the growth of series is no reason until the interval is over. */
  #isFailing = false;
  /** Series at the last look. */
  #seenSeries = 0;

  constructor(parts: SnapshotScheduleParts) {
    this.#parts = parts;
    this.#last = parts.loaded;
    this.#triedMs = parts.source.clock.monotonic();
  }

  /** Writes a snapshot if it is time for one. Failures are logged and counted. */
  async runIfDue(signal: AbortSignal): Promise<void> {
    const { options, source } = this.#parts;
    const nowMs = source.clock.monotonic();
    if (options.snapshotIntervalMs === 0) return;
    const isTime = nowMs - this.#triedMs >= options.snapshotIntervalMs;
    const hasGrown = this.#hasGrown();
    if (isTime) {
      this.#triedMs = nowMs;
      this.#isFailing = false;
    }
    const isForGrowth =
      hasGrown && !this.#isFailing && this.#logBytes() >= options.snapshotLogBytes;
    if (!isForGrowth && !(isTime && this.#isWorthwhile())) return;
    this.#triedMs = nowMs;
    await this.#write(signal);
  }

  /** The last one, when nothing is appended any more. */
  async runAtClose(signal: AbortSignal): Promise<void> {
    if (this.#parts.options.snapshotIntervalMs > 0 && this.#isWorthwhile()) {
      await this.#write(signal);
    }
  }

  /** Whether many series have come since the last snapshot, and no more are coming. */
  #hasGrown(): boolean {
    const { options, source } = this.#parts;
    const { count } = source.head.table;
    const isCalm = count - this.#seenSeries <= this.#seenSeries * CALM;
    this.#seenSeries = count;
    const known = this.#last?.seriesCount ?? 0;
    return isCalm && count >= known * GROWN && count - known >= options.snapshotSeries;
  }

  #isWorthwhile(): boolean {
    const least = Math.max(this.#parts.options.snapshotLogBytes, (this.#last?.bytes ?? 0) * WORTH);
    return this.#logBytes() >= least;
  }

  /** Bytes of the log behind the last snapshot. */
  #logBytes(): number {
    const from = this.#last?.position ?? null;
    const { files, wal } = this.#parts.source;
    const { first, last } = wal.segments();
    let bytes = 0;
    for (let segment = Math.max(first, from?.segment ?? 0); segment <= last; segment++) {
      const path = `${wal.walDirectory}/${segmentName(segment)}`;
      if (files.exists(path)) bytes += files.stat(path).size;
    }
    return bytes - (from !== null && from.segment >= first ? from.offset : 0);
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { source, metrics, log } = this.#parts;
    const { head, clock } = source;
    const startedMs = clock.monotonic();
    try {
      for (let turn = 0; head.openCommits > 0; turn++) {
        if (turn === MAX_TURNS) return;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      this.#last = await writeHeadSnapshot({ ...source, signal });
      metrics.snapshots.inc();
      log.info('wrote a head snapshot', {
        segment: this.#last.position.segment,
        bytes: this.#last.bytes,
        duration_ms: Math.round(clock.monotonic() - startedMs),
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#isFailing = true;
      metrics.snapshotFailures.inc();
      log.error('writing a head snapshot failed', { err: errorText(error) });
    }
  }
}
