import { type Clock, Slices } from '@pollux/base';
import { ShardClosedError, ShardLimitError } from './errors.ts';
import type { ShardGroup } from './shard-group.ts';
import type { StoreMetrics } from './store-metrics.ts';

/** A batch on its way through the commit: staged, made durable with all others, made visible. */
export interface WaitingWrite {
  readonly rowCount: number;
  /** Why the write cannot be stored any more, asked for before it is staged; null when it can. */
  refusal(): Error | null;
  /**
   * Stages all of it, piece by piece (a large one must not hold the thread), and adds the groups that it touches before it
   * changes them. A failure here, of a new group's directory, fails the whole commit.
   */
  stage(touched: Set<ShardGroup>, slices: Slices): Promise<void>;
  /** Puts what was staged into memory, piece by piece; readers see it when the groups publish it. Returns the number of rows. */
  apply(slices: Slices): Promise<number>;
}

type Pending = {
  readonly write: WaitingWrite;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

/** Rows waiting at most; beyond it writers are told to come back. */
const MAX_WAITING_ROWS = 2_000_000;
/** Rows committed together at most, so that a sync is never far away. */
const MAX_ROWS_PER_COMMIT = 500_000;

/**
 * Group commit: all batches that arrive while a sync is running go into the next one. No timer is needed, the disk sets the
 * pace, and an idle store acknowledges after a single sync.
 */
export class CommitQueue {
  readonly #clock: Clock;
  readonly #metrics: StoreMetrics;
  #waiting: Pending[] = [];
  #waitingRows = 0;
  #jobs: (() => void)[] = [];
  #running: Promise<void> | null = null;
  #isClosed = false;

  constructor(clock: Clock, metrics: StoreMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Resolves when the write is synced and visible. */
  write(write: WaitingWrite): Promise<void> {
    if (this.#isClosed) return Promise.reject(new ShardClosedError('the store'));
    if (this.#waitingRows + write.rowCount > MAX_WAITING_ROWS && this.#waiting.length > 0) {
      this.#metrics.refused.inc();
      const text = `${this.#waitingRows} rows are waiting for the disk (limit ${MAX_WAITING_ROWS}); write again later`;
      return Promise.reject(new ShardLimitError('waiting-rows', text));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      this.#waitingRows += write.rowCount;
      this.#run();
    });
  }

  /** Runs `job` when no commit is on its way. */
  between(job: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push(() => {
        try {
          job();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      this.#run();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  #run(): void {
    this.#running ??= this.#loop();
  }

  async #loop(): Promise<void> {
    // Callers of the same turn share the first sync.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#jobs.length > 0) {
      for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) job();
      if (this.#waiting.length > 0) await this.#commit(this.#take());
    }
    // In the same turn as the check above: a writer that comes later starts the loop anew.
    this.#running = null;
  }

  #take(): Pending[] {
    const taken: Pending[] = [];
    let rows = 0;
    for (const pending of this.#waiting) {
      if (taken.length > 0 && rows + pending.write.rowCount > MAX_ROWS_PER_COMMIT) break;
      taken.push(pending);
      rows += pending.write.rowCount;
    }
    this.#waiting = this.#waiting.slice(taken.length);
    this.#waitingRows -= rows;
    return taken;
  }

  async #commit(taken: readonly Pending[]): Promise<void> {
    const startMs = this.#clock.monotonic();
    const touched = new Set<ShardGroup>();
    const staged: Pending[] = [];
    const slices = new Slices(this.#clock);
    try {
      for (const pending of taken) {
        const refusal = pending.write.refusal();
        if (refusal !== null) {
          pending.reject(refusal);
          continue;
        }
        staged.push(pending);
        await pending.write.stage(touched, slices);
      }
      for (const group of touched) group.writeLog();
      await Promise.all([...touched].map((group) => group.syncLog()));
    } catch (error) {
      for (const group of touched) group.abandonLog();
      this.#metrics.failures.inc(taken.length);
      for (const pending of taken) pending.reject(error);
      return;
    }
    for (const group of touched) group.acceptLog();
    for (const { write, resolve } of staged) {
      this.#metrics.rows.inc(await write.apply(slices));
      // In one turn: a reader sees all of a batch or nothing of it, in whatever groups it lies.
      for (const group of touched) group.publish();
      this.#metrics.batches.inc();
      resolve();
    }
    this.#metrics.commitSeconds.observe((this.#clock.monotonic() - startMs) / 1000);
  }
}
