import { CanceledError, type Clock, type StopSignal, StopSource } from '@pollux/base';
import { formatGoDuration } from '../influxql/duration.ts';
import { QueryError } from '../influxql/errors.ts';

export type RunningQuery = {
  readonly id: number;
  readonly text: string;
  readonly database: string;
  readonly startedMs: number;
  readonly isKilled: boolean;
};

/** A query in the hands of who runs it. `end` must be called once, whatever became of it. */
export type Attached = { readonly id: number; readonly signal: StopSignal; end(): void };

type Entry = Omit<RunningQuery, 'isKilled'> & { readonly stop: StopSource; isKilled: boolean };

/** The queries that run now, by number: for SHOW QUERIES, KILL QUERY, the limit of their number and of their time. */
export class RunningQueries {
  executed = 0;
  finished = 0;
  durationMs = 0;
  readonly #clock: Clock;
  readonly #maxConcurrent: number;
  readonly #timeoutMs: number;
  readonly #entries = new Map<number, Entry>();
  #nextId = 1;

  /** 0 = no limit, as in influxdb.conf. */
  constructor(clock: Clock, maxConcurrent: number, timeoutMs: number) {
    this.#clock = clock;
    this.#maxConcurrent = maxConcurrent;
    this.#timeoutMs = timeoutMs;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Throws QueryError when too many run. The signal aborts with `parent`, when the query is killed, and when its time is up. */
  attach(text: string, database: string, parent: StopSignal): Attached {
    const running = this.#entries.size + 1;
    if (this.#maxConcurrent > 0 && running > this.#maxConcurrent) {
      throw new QueryError(
        `max-concurrent-queries limit exceeded(${running}, ${this.#maxConcurrent})`,
      );
    }
    const id = this.#nextId++;
    const stop = new StopSource();
    const startedMs = this.#clock.monotonic();
    this.#entries.set(id, { id, text, database, startedMs, stop, isKilled: false });
    this.executed++;
    const timer =
      this.#timeoutMs > 0
        ? this.#clock.after(this.#timeoutMs, () =>
            stop.abort(new QueryError('query-timeout limit exceeded')),
          )
        : null;
    const end = (): void => {
      if (!this.#entries.delete(id)) return;
      timer?.cancel();
      parent.removeEventListener('abort', onParent);
      this.finished++;
      this.durationMs += this.#clock.monotonic() - startedMs;
    };
    // Nobody may come to `end` a query whose answer was never asked for.
    const onParent = (): void => {
      stop.abort(parent.reason);
      end();
    };
    if (parent.aborted) onParent();
    else parent.addEventListener('abort', onParent, { once: true });
    return { id, signal: stop, end };
  }

  list(): RunningQuery[] {
    return [...this.#entries.values()];
  }

  /** Throws `no such query id: n`. The query ends at its next look at the signal. */
  kill(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new QueryError(`no such query id: ${id}`);
    if (entry.isKilled) throw new QueryError('already killed');
    entry.isKilled = true;
    entry.stop.abort(new CanceledError('query interrupted'));
  }

  /** As SHOW QUERIES shows it. */
  age(query: RunningQuery): string {
    const nanos = BigInt(Math.round((this.#clock.monotonic() - query.startedMs) * 1e6));
    const SECOND = 1_000_000_000n;
    const unit = nanos >= SECOND ? SECOND : nanos >= 1_000_000n ? 1_000_000n : 1_000n;
    return formatGoDuration(nanos < 1_000n ? nanos : (nanos / unit) * unit);
  }
}
