import { type Clock, type StopSignal, sleep } from '@pollux/base';
import type { OwnProcess } from '../../runtime/role.ts';

/** Work of so much at a time delays others by no more. */
const SLICE_MS = 5;
/** Between slices, so that the thread has four fifths of its time for others. */
const PAUSE_MS = 20;
/** A thread that works for more of a pause than this part has work of its own. */
const MOST_BUSY = 0.25;
/** How long such a thread is left alone. */
const BUSY_PAUSE_MS = 1_000;

type Load = Pick<OwnProcess, 'busyMs' | 'processorMs'>;

/** How the turns ended. */
export type TurnsEnd = 'done' | 'spent' | 'busy';

/** Gives out turns to work that nobody waits for: a slice of the thread at a time, and only while it has hardly anything else to do. */
export class IdleTurns {
  readonly #clock: Clock;
  readonly #process: Load;
  readonly #limits: { readonly mostMs: number; readonly mostWaitMs: number };
  readonly #signal: StopSignal;
  #sliceStartMs = Number.NEGATIVE_INFINITY;
  #processorAtStartMs = 0;
  #spentMs = 0;
  #waitedMs = 0;

  /** The turns take `mostMs` of processor time in all, and wait for `mostWaitMs` in all while the thread is busy. */
  constructor(
    clock: Clock,
    process: Load,
    limits: { readonly mostMs: number; readonly mostWaitMs: number },
    signal: StopSignal,
  ) {
    this.#clock = clock;
    this.#process = process;
    this.#limits = limits;
    this.#signal = signal;
  }

  /** Processor time of the turns that are over. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** Resolves when it is time for the next step: null, or why there is none. Rejects with CanceledError when the signal aborts. */
  async next(): Promise<'spent' | 'busy' | null> {
    if (this.#clock.monotonic() - this.#sliceStartMs < SLICE_MS) return null;
    const { busyMs, processorMs } = this.#process;
    if (Number.isFinite(this.#sliceStartMs)) {
      this.#spentMs += processorMs() - this.#processorAtStartMs;
    }
    if (this.#spentMs >= this.#limits.mostMs) return 'spent';
    for (let pauseMs = PAUSE_MS; ; pauseMs = BUSY_PAUSE_MS) {
      const startMs = this.#clock.monotonic();
      const busyBeforeMs = busyMs();
      await sleep(this.#clock, pauseMs, this.#signal);
      const pausedMs = this.#clock.monotonic() - startMs;
      this.#sliceStartMs = this.#clock.monotonic();
      this.#processorAtStartMs = processorMs();
      if (busyMs() - busyBeforeMs <= pausedMs * MOST_BUSY) return null;
      this.#waitedMs += pausedMs;
      if (this.#waitedMs >= this.#limits.mostWaitMs) return 'busy';
    }
  }
}
