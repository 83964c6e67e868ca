import type { Clock } from '@pollux/base';
import type { Queryable, ReadContext } from '@pollux/storage';
import type { Annotations } from '../annotations.ts';
import { QueryError } from '../errors.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import type { PlanNode } from '../plan/nodes.ts';
import type { StepGrid } from './grid.ts';
import { HeldSamples } from './held-samples.ts';
import { LabelReplacements } from './label-replacements.ts';
import type { Operator } from './operator.ts';
import { QueryCounts } from './query-counts.ts';
import { SharedSeries } from './shared-series.ts';

/** Makes the operator of a plan node. */
export type BuildOperator = (node: PlanNode, grid: StepGrid, context: ExecContext) => Operator;

/** How semantics differ between production defaults and feature flags. */
export type ExecOptions = {
  readonly lookbackMs: number;
  readonly delayedNameRemoval: boolean;
  readonly useStartTimestamps: boolean;
  readonly typeAndUnitLabels: boolean;
};

/** Everything that operators of one query share. */
export class ExecContext {
  readonly query: string;
  readonly queryable: Queryable;
  readonly read: ReadContext;
  readonly annotations: Annotations;
  readonly options: ExecOptions;
  readonly times: QueryTimes;
  readonly isInstant: boolean;
  /** The first step follows another of the same query, which is evaluated elsewhere. */
  readonly isContinued: boolean;
  readonly held: HeldSamples;
  /** For `stats`. */
  readonly counts = new QueryCounts();
  /** What several selectors read. */
  readonly shared = new SharedSeries((bytes) => this.holdMemory(bytes));
  readonly replacements: LabelReplacements;
  readonly #build: BuildOperator;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #interrupt: () => void;
  #lastTurnMs: number;
  #heldBytes = 0;

  constructor(settings: {
    readonly query: string;
    readonly queryable: Queryable;
    readonly read: ReadContext;
    readonly annotations: Annotations;
    readonly options: ExecOptions;
    readonly times: QueryTimes;
    readonly isInstant: boolean;
    readonly isContinued?: boolean;
    readonly maxSamples: number;
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly build: BuildOperator;
    /** Kept from query to query, unless left out. */
    readonly replacements?: LabelReplacements;
    /** Called between batches: an abort that comes by shared memory reaches a query that does not let the event loop turn. */
    readonly interrupt?: () => void;
  }) {
    this.query = settings.query;
    this.queryable = settings.queryable;
    this.read = settings.read;
    this.annotations = settings.annotations;
    this.options = settings.options;
    this.times = settings.times;
    this.isInstant = settings.isInstant;
    this.isContinued = settings.isContinued ?? false;
    this.held = new HeldSamples(settings.maxSamples);
    this.replacements = settings.replacements ?? new LabelReplacements();
    this.#build = settings.build;
    this.#interrupt = settings.interrupt ?? (() => {});
    this.#clock = settings.clock;
    this.#lastTurnMs = settings.clock.monotonic();
    this.#deadlineMs = this.#lastTurnMs + settings.timeoutMs;
  }

  /** The operator of a node below the one at hand; operators reach each other only this way, so none imports the builder. */
  build(node: PlanNode, grid: StepGrid): Operator {
    return this.#build(node, grid, this);
  }

  /** Counts memory for columns against the budget until {@link releaseMemory}. Throws LimitError. */
  holdMemory(bytes: number): void {
    this.#heldBytes += bytes;
    this.read.budget.take(bytes);
  }

  /** At the end of the query. */
  releaseMemory(): void {
    this.read.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /**
   * Called between batches: throws when the query was aborted or has run out of time, and now and then lets the event loop
   * turn, so that an abort can arrive at all.
   */
  async checkpoint(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lastTurnMs > MAX_TURN_MS) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#lastTurnMs = this.#clock.monotonic();
    }
    this.throwIfOver();
  }

  throwIfOver(): void {
    this.#interrupt();
    if (this.read.signal.aborted) throw abortError(this.read.signal.reason);
    if (this.#clock.monotonic() > this.#deadlineMs) throw timeoutError();
  }
}

/** Longest time that a query keeps the event loop for itself. */
const MAX_TURN_MS = 10;

export function timeoutError(): QueryError {
  return new QueryError('timeout', 'query timed out in query execution');
}

export function abortError(reason: unknown): QueryError {
  if (reason instanceof QueryError) return reason;
  return new QueryError('canceled', 'query was canceled in query execution', { cause: reason });
}
