import type { StopSignal } from '@pollux/base';
import type { QueryStats } from '../result.ts';

/** Who asked. */
export type QueryOrigin =
  | {
      readonly kind: 'http';
      readonly method: string;
      readonly path: string;
      readonly clientIp: string;
      /** Empty when the client names none. */
      readonly userAgent: string;
    }
  | { readonly kind: 'rule'; readonly file: string; readonly group: string }
  /** The program itself: restoring alerts, tests, tools. */
  | { readonly kind: 'internal' };

export const INTERNAL_ORIGIN: QueryOrigin = { kind: 'internal' };

/** What is asked; of an instant query start and end are its time and the step is 0. */
export type QueryAbout = {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly origin: QueryOrigin;
};

/** How a query ended. */
export type QueryOutcome = {
  /** Null for an answer. */
  readonly error: string | null;
  /** Of a query that failed: as far as it came. */
  readonly stats: QueryStats;
};

/** A query that waits or runs, as told to who looks on. */
export type ActiveQuery = QueryAbout & {
  readonly id: string;
  readonly phase: 'queued' | 'running';
  /** Wall clock, ms. */
  readonly arrivedMs: number;
  /** Since it arrived, ms. */
  readonly ageMs: number;
  /** Times at which it is evaluated. */
  readonly stepCount: number;
  /** Samples taken so far; 0 while it waits. */
  readonly samples: number;
};

/** Looks on at queries; must not throw. Each query that is started is ended, in any order among queries. */
export interface QueryObserver {
  /** It left the queue. */
  started?(query: ActiveQuery): void;
  /** Also for a query that never left the queue. */
  ended?(query: ActiveQuery, outcome: QueryOutcome): void;
}

/** The life of one query in the hands of who runs it, in this thread or for a worker. */
export interface QueryLife {
  readonly id: string;
  /** Aborts with the caller's signal, and when the query is killed. */
  readonly signal: StopSignal;
  /** The wait for a slot is over. `samples` is called when somebody wants to know how far the query is. */
  running(samples: () => number): void;
  /** Once, in whatever way the query ends; later calls change nothing. */
  end(outcome: QueryOutcome): void;
}
