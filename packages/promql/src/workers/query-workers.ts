import {
  assert,
  CanceledError,
  type Clock,
  errorText,
  type WorkerEntry,
  WorkerMemoryError,
  type Workers,
} from '@pollux/base';
import type { Counter, Gauge, Log, Registry } from '@pollux/telemetry';
import { QueryError } from '../errors.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import type { FromQueryWorker, QueryJob, ToQueryWorker } from './query.protocol.ts';
import { SplitQuery } from './split-query.ts';
import { type QueryDelivery, type RunningQuery, WorkerLine } from './worker-line.ts';

export type QueryWorkerEntry = WorkerEntry<null, ToQueryWorker, FromQueryWorker>;

export type QueryWorkersOptions = {
  readonly workers: Workers;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** What the threads run: it calls `serveQueries`. */
  readonly entry: QueryWorkerEntry;
  /** Most threads. */
  readonly count: number;
  /** Of JavaScript objects, for each thread; columns are counted by `--query.max-memory`. */
  readonly maxHeapMegabytes?: number;
};

const MAX_HEAP_MEGABYTES = 2048;
/** Labels and the texts of answers are many; with twice as much and more, queries took no less processor time. */
const MAX_YOUNG_MEGABYTES = 6;
/** Texts of queries that are remembered. */
const MAX_UNSPLIT = 1_000;
/** The last thread ends when it has had no query for so long: it would keep some 20 MB for nothing. */
const MAX_IDLE_MS = 600_000;
/** Of several, one ends after this, longer than dashboards wait for the next refresh; a new one has to compile its code again. */
const MAX_IDLE_OF_SEVERAL_MS = 150_000;
/** A worker that nobody asks has nothing to say; the longest that a timer takes. */
const NO_SILENCE_MS = 2 ** 31 - 1;

/**
 * Threads that evaluate queries and write their answers. A query goes to the worker with the fewest; each evaluates several by
 * turns. A thread is started when those that are there have work, replaced when it is lost, and ended when it has long been idle.
 * Shares of a query are given to threads that are there anyway, and start none: a second thread is a tenth of the memory of a server,
 * which who asks one query after the other would have for heavy ones that are over a tenth to a quarter sooner.
 */
export class QueryWorkers {
  readonly #options: QueryWorkersOptions;
  readonly #lines: WorkerLine[] = [];
  readonly #stop = new AbortController();
  readonly #alive = new Set<Promise<void>>();
  readonly #threads: Gauge;
  readonly #losses: Counter;
  readonly #splits: Counter;
  readonly #rejoins: Counter;
  /** Queries of which one thread had to evaluate the whole. */
  readonly #unsplit = new Set<string>();

  constructor(options: QueryWorkersOptions) {
    this.#options = options;
    const { registry } = options;
    this.#threads = registry.gauge('pollux_query_workers', 'Threads that evaluate queries.');
    this.#losses = registry.counter(
      'pollux_query_workers_lost_total',
      'Query workers that ended before their time: memory, faults, queries that would not end.',
    );
    this.#splits = registry.counter(
      'pollux_query_workers_split_total',
      'Range queries whose steps were shared among several query workers.',
    );
    this.#rejoins = registry.counter(
      'pollux_query_workers_split_in_vain_total',
      'Of those, such as had to be evaluated by one worker all the same.',
    );
  }

  run(job: QueryJob, delivery: QueryDelivery): RunningQuery {
    return this.#leastBusy().start(job, delivery);
  }

  /** How many threads have nothing to do. */
  get idle(): number {
    return this.#lines.filter((line) => line.running === 0).length;
  }

  /** As {@link run}, each of the shares in a thread of its own; no more than are {@link idle}. */
  runSplit(job: QueryJob, delivery: QueryDelivery, shares: readonly QueryTimes[]): RunningQuery {
    const lines = this.#lines.filter((line) => line.running === 0).slice(0, shares.length);
    assert(lines.length === shares.length, 'BUG: more shares than idle threads');
    this.#splits.inc();
    return new SplitQuery({
      job,
      delivery,
      shares,
      lines,
      clock: this.#options.clock,
      runWhole: (whole) => this.run(whole, delivery),
      onWhole: () => this.#remember(job.query),
    });
  }

  /** False for a query that was split in vain before. */
  maySplit(query: string): boolean {
    return !this.#unsplit.has(query);
  }

  #remember(query: string): void {
    if (this.#unsplit.size >= MAX_UNSPLIT) this.#unsplit.clear();
    this.#unsplit.add(query);
    this.#rejoins.inc();
  }

  #leastBusy(): WorkerLine {
    let best = this.#lines.reduce<WorkerLine | null>(
      (least, line) => (least === null || line.running < least.running ? line : least),
      null,
    );
    if (best === null || (best.running > 0 && this.#lines.length < this.#options.count)) {
      best = this.#add();
    }
    return best;
  }

  /** Ends the threads; queries that are in them fail. */
  async close(): Promise<void> {
    this.#stop.abort(new CanceledError('the program ends'));
    await Promise.all(this.#alive);
  }

  #add(): WorkerLine {
    const { workers, clock, log, entry, maxHeapMegabytes } = this.#options;
    const line = new WorkerLine(clock, {
      firstIdleMs: MAX_IDLE_OF_SEVERAL_MS,
      onHang: () => {
        log.error('a query would not end; its worker is replaced');
        lose(
          new QueryError('execution', 'the query worker was replaced, since a query hung in it'),
        );
        void handle.stop();
      },
      onIdle: (idleMs) => {
        const mostMs = this.#lines.length > 1 ? MAX_IDLE_OF_SEVERAL_MS : MAX_IDLE_MS;
        if (idleMs < mostMs) return mostMs - idleMs;
        remove();
        void handle.stop();
        return null;
      },
    });
    const handle = workers.start(entry, {
      data: null,
      onMessage: line.deliver,
      signal: this.#stop.signal,
      maxSilenceMs: NO_SILENCE_MS,
      maxHeapMegabytes: maxHeapMegabytes ?? MAX_HEAP_MEGABYTES,
      maxYoungMegabytes: MAX_YOUNG_MEGABYTES,
    });
    const remove = (): boolean => {
      const index = this.#lines.indexOf(line);
      if (index < 0) return false;
      this.#lines.splice(index, 1);
      this.#threads.set(this.#lines.length);
      return true;
    };
    const lose = (error: Error): void => {
      if (!remove()) return;
      if (!this.#stop.signal.aborted) this.#losses.inc();
      line.lose(error);
    };
    line.attach(handle);
    this.#lines.push(line);
    this.#threads.set(this.#lines.length);
    const over: Promise<void> = handle.ended.then(
      () => lose(workerLost('it ended')),
      (error: unknown) => {
        if (!this.#stop.signal.aborted && this.#lines.includes(line)) {
          log.error('a query worker was lost', { err: errorText(error), queries: line.running });
        }
        lose(lossOf(error));
      },
    );
    this.#alive.add(over);
    void over.finally(() => this.#alive.delete(over));
    return line;
  }
}

function lossOf(error: unknown): Error {
  if (error instanceof CanceledError) {
    return new QueryError('canceled', 'query was canceled in query execution', { cause: error });
  }
  if (error instanceof WorkerMemoryError) {
    return new QueryError(
      'execution',
      'the queries that ran together in a query worker needed more memory than it may have; narrow the selector or the time range, or lower --query.max-memory or --query.max-concurrency so that less runs together',
      { cause: error },
    );
  }
  return workerLost(errorText(error), error);
}

function workerLost(why: string, cause?: unknown): QueryError {
  const text = `the query worker that evaluated the query was lost (${why}); try again`;
  return new QueryError('execution', text, cause === undefined ? {} : { cause });
}
