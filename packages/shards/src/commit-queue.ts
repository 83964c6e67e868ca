import { assert, type Clock, Slices } from '@pollux/base';
import { ShardClosedError, ShardLimitError } from './errors.ts';
import type { FieldConflict, PointColumns, WriteOutcome } from './point-columns.ts';
import type { ShardGroup, StagedBatch } from './shard-group.ts';
import type { StoreMetrics } from './store-metrics.ts';

export type WriteTarget = {
  readonly database: string;
  readonly retentionPolicy: string;
  /** Span of shard groups that are created for this write. */
  readonly groupDurationMs: number;
  /** Points older than this are refused; null takes all. */
  readonly oldestMs: number | null;
};

type Pending = {
  readonly target: WriteTarget;
  readonly batch: PointColumns;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
};

type Prepared = {
  readonly pending: Pending;
  readonly parts: { readonly group: ShardGroup; readonly staged: StagedBatch }[];
  readonly outcome: WriteOutcome;
};

/** Rows waiting at most; beyond it writers are told to come back. */
const MAX_WAITING_ROWS = 2_000_000;
/** Rows staged or made visible between two looks at the clock. */
const ROWS_PER_PIECE = 2_048;
/** Rows committed together at most, so that a sync is never far away. */
const MAX_ROWS_PER_COMMIT = 500_000;

/**
 * Group commit: all batches that arrive while a sync is running go into the next one. No timer is needed, the disk sets the
 * pace, and an idle store acknowledges after a single sync.
 */
export class CommitQueue {
  readonly #clock: Clock;
  readonly #metrics: StoreMetrics;
  readonly #groupFor: (target: WriteTarget, ms: number) => ShardGroup;
  #waiting: Pending[] = [];
  #waitingRows = 0;
  #jobs: (() => void)[] = [];
  #running: Promise<void> | null = null;
  #isClosed = false;

  constructor(
    clock: Clock,
    metrics: StoreMetrics,
    groupFor: (target: WriteTarget, ms: number) => ShardGroup,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#groupFor = groupFor;
  }

  write(target: WriteTarget, batch: PointColumns): Promise<WriteOutcome> {
    if (this.#isClosed) return Promise.reject(new ShardClosedError('the store'));
    if (this.#waitingRows + batch.count > MAX_WAITING_ROWS && this.#waiting.length > 0) {
      this.#metrics.refused.inc();
      const text = `${this.#waitingRows} rows are waiting for the disk (limit ${MAX_WAITING_ROWS}); write again later`;
      return Promise.reject(new ShardLimitError('waiting-rows', text));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ target, batch, resolve, reject });
      this.#waitingRows += batch.count;
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
      if (taken.length > 0 && rows + pending.batch.count > MAX_ROWS_PER_COMMIT) break;
      taken.push(pending);
      rows += pending.batch.count;
    }
    this.#waiting = this.#waiting.slice(taken.length);
    this.#waitingRows -= rows;
    return taken;
  }

  async #commit(taken: readonly Pending[]): Promise<void> {
    const startMs = this.#clock.monotonic();
    const touched = new Set<ShardGroup>();
    const prepared: Prepared[] = [];
    const slices = new Slices(this.#clock);
    try {
      for (const pending of taken) {
        prepared.push(await this.#prepare(pending, touched, slices));
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
    for (const { pending, parts, outcome } of prepared) {
      for (const { group, staged } of parts) {
        group.apply(pending.batch, staged);
        this.#metrics.rows.inc(staged.count);
        if (slices.isOver) await slices.pause();
      }
      this.#metrics.batches.inc();
      pending.resolve(outcome);
    }
    this.#metrics.commitSeconds.observe((this.#clock.monotonic() - startMs) / 1000);
  }

  /**
   * Stages a batch in all groups it touches, piece by piece: a large one must not hold the thread. A failure here (a new
   * group's directory) fails the whole commit.
   */
  async #prepare(pending: Pending, touched: Set<ShardGroup>, slices: Slices): Promise<Prepared> {
    const { batch, target } = pending;
    const { byGroup, expiredPoints } = this.#split(target, batch);
    const parts: { group: ShardGroup; staged: StagedBatch }[] = [];
    let conflictPoints = 0;
    let firstConflict: FieldConflict | null = null;
    for (const [group, rows] of byGroup) {
      touched.add(group);
      const seriesRefs = new Int32Array(batch.series.length).fill(-1);
      for (let from = 0; from < rows.length; ) {
        const to = endOfPiece(batch, rows, from);
        const staged = group.stage(batch, rows.subarray(from, to), seriesRefs);
        conflictPoints += staged.conflictPoints;
        firstConflict ??= staged.firstConflict;
        if (staged.count > 0) parts.push({ group, staged });
        from = to;
        if (slices.isOver) await slices.pause();
      }
    }
    return { pending, parts, outcome: { conflictPoints, firstConflict, expiredPoints } };
  }

  #split(
    target: WriteTarget,
    batch: PointColumns,
  ): { readonly byGroup: Map<ShardGroup, Uint32Array>; readonly expiredPoints: number } {
    const counts = new Map<ShardGroup, number>();
    const groups: (ShardGroup | null)[] = new Array(batch.count).fill(null);
    let current: ShardGroup | null = null;
    let inCurrent = 0;
    let expired = 0;
    let lastExpired = -1;
    for (let row = 0; row < batch.count; row++) {
      const ms = batch.timesMs[row]!;
      if (target.oldestMs !== null && ms < target.oldestMs) {
        const point = batch.pointOf === null ? row : batch.pointOf[row]!;
        if (point !== lastExpired) expired++;
        lastExpired = point;
        continue;
      }
      if (current === null || ms < current.identity.startMs || ms >= current.identity.endMs) {
        if (current !== null) counts.set(current, inCurrent);
        current = this.#groupFor(target, ms);
        assert(
          ms >= current.identity.startMs && ms < current.identity.endMs,
          'time outside its shard group',
        );
        inCurrent = counts.get(current) ?? 0;
      }
      groups[row] = current;
      inCurrent++;
    }
    if (current !== null) counts.set(current, inCurrent);
    const byGroup = new Map<ShardGroup, Uint32Array>();
    for (const [group, count] of counts) byGroup.set(group, rowsOf(groups, group, count));
    return { byGroup, expiredPoints: expired };
  }
}

function rowsOf(
  groups: readonly (ShardGroup | null)[],
  group: ShardGroup,
  count: number,
): Uint32Array {
  const rows = new Uint32Array(count);
  let at = 0;
  for (let row = 0; at < count; row++) if (groups[row] === group) rows[at++] = row;
  return rows;
}

/** Where a piece of the rows ends: rows of one point stay together, as a point is refused whole. */
function endOfPiece(batch: PointColumns, rows: Uint32Array, from: number): number {
  let to = Math.min(rows.length, from + ROWS_PER_PIECE);
  if (batch.pointOf === null) return to;
  const { pointOf } = batch;
  while (to < rows.length && pointOf[rows[to]!] === pointOf[rows[to - 1]!]) to++;
  return to;
}
