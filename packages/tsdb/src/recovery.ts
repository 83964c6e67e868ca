import { errorText, type OperatingError } from '@pollux/base';
import { type TimeRange, UnavailableError } from '@pollux/storage';
import type { SeriesGuard } from './cardinality/series-guard.ts';
import type { Head } from './head/head.ts';
import type { TimeSpan } from './head/lost-times.ts';
import type { LogReplay, ReplayProgress } from './head/replay.ts';
import { ReplayGate } from './head/replay-gate.ts';
import type { TsdbInit } from './init.ts';
import type { TsdbMetrics } from './metrics.ts';
import type { OooWindow } from './ooo/window.ts';
import type { Wal } from './wal/wal.ts';

export type RecoveryStatus = ReplayProgress & {
  /** `replaying` → `ready`, or → `failed`, which stays. */
  readonly state: 'replaying' | 'ready' | 'failed';
  /** Time of the newest sample that the last process left, −Infinity for none; not told before it is found. */
  readonly newestFoundMs: number;
};

export type RecoveryParts = {
  readonly init: TsdbInit;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly wal: Wal;
  readonly window: OooWindow;
  readonly guard: SeriesGuard;
  readonly replay: LogReplay;
  readonly abort: AbortController;
  readonly outOfOrderWindowMs: number;
  /** When the start began, on the monotonic clock. */
  readonly startedMs: number;
};

/**
 * The start of a database: brings the head back from the logs while blocks are answered and batches are taken. Until it is
 * over nothing is said about times that the head may hold, since an answer without them would be wrong.
 */
export class Recovery {
  readonly gate = new ReplayGate();
  readonly #parts: RecoveryParts;
  /** A window that was asked for while replaying; opened at the end. */
  #windowMs: number;
  #state: RecoveryStatus['state'] = 'replaying';
  #failure: unknown = null;
  #newestFoundMs = Number.NEGATIVE_INFINITY;
  #run: Promise<void> | null = null;
  #search: Promise<void> | null = null;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#windowMs = parts.outOfOrderWindowMs;
  }

  get status(): RecoveryStatus {
    const { replay } = this.#parts;
    return { state: this.#state, newestFoundMs: this.#newestFoundMs, ...replay.progress };
  }

  /** Times in which samples of the log were lost to damage. */
  get lostTimes(): readonly TimeSpan[] {
    return this.#parts.replay.lostTimes;
  }

  /** Resolves when everything acknowledged answers; rejects with why it never will. Begins with the first call. */
  run(): Promise<void> {
    this.#run ??= this.#recover();
    return this.#run;
  }

  /**
   * Looks, before the replay goes on, for the time from which on samples are in order whatever the log brings; the gate is told. Who
   * never needs it does not pay for it. Begins with the first call.
   */
  seekLogEnd(): void {
    if (this.#state === 'replaying') this.#search ??= this.#findNewest();
  }

  async #findNewest(): Promise<void> {
    const { replay, abort, init } = this.#parts;
    try {
      this.gate.logNewestMs = await replay.newestMs();
    } catch (error) {
      // The replay meets the same and ends with it; until then senders are told to send again.
      if (abort.signal.aborted) return;
      const err = errorText(error);
      init.log.warn('the newest time of the log cannot be told while it is replayed', { err });
    }
  }

  /** Ends it where it stands and resolves then. */
  async close(): Promise<void> {
    this.#parts.abort.abort();
    await this.#search;
    // Who waits for the recovery is told how it failed.
    await this.#run?.catch(() => {});
  }

  /** Throws UnavailableError while times of the range may be missing. */
  checkRange(range: TimeRange): void {
    if (this.#state === 'ready') return;
    // Late samples may belong to any time before the head.
    const isBefore =
      range.maxMs < this.#parts.head.minValidMs && this.#parts.window.storedBytes() === 0;
    if (!isBefore) throw this.unavailable();
  }

  /** Throws UnavailableError until it is over. */
  checkReady(): void {
    if (this.#state !== 'ready') throw this.unavailable();
  }

  /** Throws when batches will never be visible. */
  checkTaking(): void {
    if (this.#state === 'failed') throw this.unavailable();
  }

  /** As {@link OooWindow.prepare}, at the end of the replay: before, nobody can tell what is late. */
  prepareWindow(windowMs: number): () => void {
    if (this.#state === 'ready') return this.#parts.window.prepare(windowMs);
    return () => {
      if (this.#state === 'ready') this.#parts.window.prepare(windowMs)();
      else this.#windowMs = windowMs;
    };
  }

  async #recover(): Promise<void> {
    const { replay, wal, window, head } = this.#parts;
    try {
      await replay.runAndFollow(
        {
          position: () => wal.position(),
          gate: this.gate,
          onFoundRead: async () => {
            this.#newestFoundMs = head.maxMs;
            await window.restore((ref) => replay.slotOf(ref));
          },
        },
        () => this.#end(),
      );
    } catch (error) {
      this.#state = 'failed';
      this.#failure = error;
      throw error;
    }
  }

  #end(): void {
    const { init, metrics, window, guard, startedMs } = this.#parts;
    window.prepare(this.#windowMs)();
    guard.recount();
    this.gate.open();
    this.#state = 'ready';
    const seconds = (init.env.clock.monotonic() - startedMs) / 1000;
    metrics.replaySeconds.set(seconds);
    init.log.info('the log was replayed', { duration_ms: Math.round(seconds * 1000) });
  }

  /** Why not, and how far it is. */
  unavailable(): OperatingError {
    if (this.#state === 'failed') {
      return new UnavailableError(
        `the log could not be replayed: ${errorText(this.#failure)}; see the log of this process`,
      );
    }
    const { currentSegment, lastSegment, fraction } = this.#parts.replay.progress;
    return new UnavailableError(
      `the log is being replayed: segment ${currentSegment} of ${lastSegment}, ${Math.floor(fraction * 100)} %; only times before the head block are answered, only samples newer than the log taken`,
    );
  }
}
