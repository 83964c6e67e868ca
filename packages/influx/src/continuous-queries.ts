import {
  CanceledError,
  type Clock,
  errorText,
  OperatingError,
  type StopSignal,
  sleep,
} from '@pollux/base';
import type { Counter, Log } from '@pollux/telemetry';
import { formatTime } from './http/time-text.ts';
import type { SelectStatement } from './influxql/ast.ts';
import type { MetaStore } from './meta/meta-store.ts';
import { dueRun } from './query/continuous-query.ts';
import type { ResultSeries } from './query/result.ts';

export type ContinuousQueriesOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly meta: MetaStore;
  readonly runIntervalMs: number;
  readonly logsRuns: boolean;
  readonly succeeded: Counter;
  readonly failed: Counter;
  readonly execute: (
    statement: SelectStatement,
    database: string,
    signal: StopSignal,
  ) => Promise<readonly ResultSeries[]>;
};

/**
 * Runs the continuous queries of all databases when their windows end. One runs at a time, so that they take turns with users. When a
 * query last ran is not kept over a restart: it then runs once for its current windows, as in influxd.
 */
export class ContinuousQueries {
  readonly #options: ContinuousQueriesOptions;
  readonly #stop = new AbortController();
  /** By database, name and text: a query that was made anew starts anew. */
  #lastRuns = new Map<string, bigint>();
  #loop: Promise<void> | null = null;
  #running: Promise<number> | null = null;

  constructor(options: ContinuousQueriesOptions) {
    this.#options = options;
  }

  /** For SHOW STATS. */
  get counts(): { readonly queryOk: number; readonly queryFail: number } {
    return { queryOk: this.#options.succeeded.value, queryFail: this.#options.failed.value };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Runs what is due now; returns how many ran. Waits for the run that is under way instead, when one is. */
  runDue(): Promise<number> {
    this.#running ??= this.#runAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #runAll(): Promise<number> {
    const { meta, clock, log, succeeded, failed } = this.#options;
    const before = this.#lastRuns;
    // Dropped queries are forgotten with the old map.
    this.#lastRuns = new Map();
    let count = 0;
    for (const { name: database, continuousQueries } of meta.databases()) {
      for (const { name, query } of continuousQueries) {
        const key = `${database}\ud800${name}\ud800${query}`;
        const last = before.get(key) ?? null;
        if (last !== null) this.#lastRuns.set(key, last);
        try {
          const due = dueRun(query, BigInt(clock.now()) * 1_000_000n, last);
          if (due === null) continue;
          this.#lastRuns.set(key, due.boundaryNanos);
          if (due.run === null) continue;
          const series = await this.#options.execute(
            due.run.statement,
            database,
            this.#stop.signal,
          );
          count++;
          succeeded.inc();
          if (!this.#options.logsRuns) continue;
          log.info('ran a continuous query', {
            name,
            database,
            start: formatTime(due.run.fromNanos, null),
            end: formatTime(due.run.toNanos, null),
            written: String(series[0]?.rows[0]?.[1] ?? 0),
          });
        } catch (error) {
          if (this.#stop.signal.aborted) return count;
          if (!OperatingError.is(error)) throw error;
          failed.inc();
          log.warn('a continuous query failed', { name, database, error: error.message });
        }
      }
    }
    return count;
  }

  async #run(): Promise<void> {
    const { clock, log, runIntervalMs } = this.#options;
    for (;;) {
      try {
        await sleep(clock, runIntervalMs, this.#stop.signal);
        await this.runDue();
      } catch (error) {
        if (error instanceof CanceledError) return;
        log.error('cannot run continuous queries', { error: errorText(error) });
      }
    }
  }
}
