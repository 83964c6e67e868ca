import { type Clock, errorText, InputError, OperatingError } from '@pollux/base';
import { MemoryBudget, type Queryable } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { Annotations } from './annotations.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { QueryError } from './errors.ts';
import { buildOperator } from './exec/build-operator.ts';
import { collectInstant, collectMatrixSource, collectRange } from './exec/collect.ts';
import { ExecContext, type ExecOptions } from './exec/context.ts';
import { gridBetween } from './exec/grid.ts';
import { sum } from './exec/query-counts.ts';
import { ActiveQueries } from './life/active-queries.ts';
import { INTERNAL_ORIGIN, type QueryLife, type QueryOrigin } from './life/query-life.ts';
import { type Expr, typeOf } from './parser/ast.ts';
import { type QueryTimes, resolveDurations } from './parser/duration-expr.ts';
import { ParseError } from './parser/parse-error.ts';
import { type ParserOptions, parseExpr } from './parser/parser.ts';
import { printExpr } from './parser/printer.ts';
import { documentedType } from './parser/value-type.ts';
import { buildPlan } from './plan/build.ts';
import type { Plan } from './plan/nodes.ts';
import { planText } from './plan/plan-text.ts';
import { QueryGate } from './query-gate.ts';
import type { QueryAnswer, QueryResult, QueryStats, RangeMatrix } from './result.ts';

export type EngineOptions = {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Log;
  /** `--query.lookback-delta`; 5 m. */
  readonly lookbackMs?: number;
  /** `--query.max-samples`; 50 million. */
  readonly maxSamples?: number;
  /** `--query.timeout`; 2 m. */
  readonly timeoutMs?: number;
  /** `--query.max-concurrency`; 20. */
  readonly maxConcurrency?: number;
  /** Queries that may wait for a slot; 1,000. */
  readonly maxQueued?: number;
  /** Step of subqueries that name none: the global evaluation interval; 1 m. */
  readonly defaultStepMs?: () => number;
  /** Bytes that one query may hold in columns; unlimited unless set. */
  readonly maxMemoryBytes?: number;
  /** Feature flags; all off by default, as in Prometheus. */
  readonly features?: EngineFeatures;
  /** Where queries are listed and killed, if they are not this engine's secret. */
  readonly active?: ActiveQueries;
};

export type EngineFeatures = ParserOptions & {
  readonly delayedNameRemoval?: boolean;
  readonly useStartTimestamps?: boolean;
  readonly typeAndUnitLabels?: boolean;
  readonly perStepStats?: boolean;
};

/** What every query brings. */
export type QueryRequest = {
  readonly query?: string;
  /** A parsed expression instead of a text. */
  readonly expr?: Expr;
  readonly queryable: Queryable;
  /** Overrides the engine's lookback for this query. */
  readonly lookbackMs?: number;
  /** Overrides the engine's limit when it is shorter. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly budget?: MemoryBudget;
  /** Who asked; the program itself unless told. */
  readonly origin?: QueryOrigin;
  /** Samples of each step in the stats; takes the feature `promql-per-step-stats` as well. */
  readonly perStepStats?: boolean;
};

export type InstantRequest = QueryRequest & { readonly timeMs: number };

export type RangeRequest = QueryRequest & {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
};

/** Runs PromQL. One engine serves all queries of a role; it keeps nothing between them but its limits and metrics. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #gate: QueryGate;
  readonly #metrics: EngineMetrics;
  readonly #features: EngineFeatures;
  readonly #timeoutMs: number;
  readonly #active: ActiveQueries;

  constructor(options: EngineOptions) {
    const maxConcurrency = options.maxConcurrency ?? 20;
    this.#options = options;
    this.#features = options.features ?? {};
    this.#timeoutMs = options.timeoutMs ?? 120_000;
    this.#active = options.active ?? new ActiveQueries(options.clock);
    this.#gate = new QueryGate(options.clock, maxConcurrency, options.maxQueued ?? 1_000);
    this.#metrics = new EngineMetrics(options.registry, maxConcurrency);
  }

  /** Parses with the engine's features. Throws QueryError of kind `bad_data`. */
  parse(query: string): Expr {
    try {
      return parseExpr(query, this.#features);
    } catch (error) {
      throw badData(error);
    }
  }

  /** How a query would be run, on one line; the reason for a query that has no plan. */
  explain(query: string, times: QueryTimes): string {
    try {
      return planText(this.#plan(resolveDurations(this.parse(query), times, query), times));
    } catch (error) {
      return errorText(error);
    }
  }

  /** Evaluates at one time. A range selector gives its samples as a matrix. Rejects with {@link QueryError}. */
  instant(request: InstantRequest): Promise<QueryAnswer> {
    const times = { startMs: request.timeMs, endMs: request.timeMs, stepMs: 0 };
    return this.#run(request, times, true);
  }

  /** Evaluates at each step from start to end, both included. Rejects with {@link QueryError}. */
  async range(request: RangeRequest): Promise<QueryAnswer<RangeMatrix>> {
    const { startMs, endMs, stepMs } = request;
    if (!(stepMs > 0)) {
      throw new QueryError(
        'bad_data',
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
      );
    }
    if (endMs < startMs)
      throw new QueryError('bad_data', 'end timestamp must not be before start time');
    const answer = await this.#run(request, { startMs, endMs, stepMs }, false);
    return answer as QueryAnswer<RangeMatrix>;
  }

  async #run(request: QueryRequest, times: QueryTimes, isInstant: boolean): Promise<QueryAnswer> {
    const query = request.query ?? (request.expr === undefined ? '' : printExpr(request.expr));
    const origin = request.origin ?? INTERNAL_ORIGIN;
    // What does not parse takes no slot and is no query yet, in logs neither.
    const parsed = this.#prepare(request, query, times, isInstant);
    const life = this.#active.begin({ query, ...times, origin }, request.signal);
    const timeoutMs = Math.min(request.timeoutMs ?? this.#timeoutMs, this.#timeoutMs);
    const isPerStep = (request.perStepStats ?? false) && (this.#features.perStepStats ?? false);
    const watch = new QueryWatch(this.#options.clock, isPerStep ? times : null);
    this.#metrics.queries.inc();
    let release: (() => void) | null = null;
    try {
      release = await this.#enter(life.signal, timeoutMs);
      watch.started();
      const context = this.#context(request, { query, times, isInstant, timeoutMs, life, watch });
      watch.context = context;
      life.running(() => context.samples.total);
      const plan = this.#plan(parsed, times);
      watch.prepared();
      const result = await this.#evaluate(plan, context);
      const stats = watch.stats();
      this.#metrics.observe(stats);
      life.end({ error: null, stats });
      return { result, annotations: context.annotations.list(), stats };
    } catch (error) {
      const known = this.#queryError(error);
      const text = known instanceof QueryError ? known.message : errorText(known);
      life.end({ error: text, stats: watch.stats() });
      throw known;
    } finally {
      watch.context?.releaseMemory();
      release?.();
      this.#metrics.queries.dec();
    }
  }

  async #enter(signal: AbortSignal, timeoutMs: number): Promise<() => void> {
    const entered = this.#gate.enter(signal, timeoutMs);
    this.#metrics.queued.set(this.#gate.waiting);
    try {
      return await entered;
    } finally {
      this.#metrics.queued.set(this.#gate.waiting);
    }
  }

  #context(
    request: QueryRequest,
    run: {
      readonly query: string;
      readonly times: QueryTimes;
      readonly isInstant: boolean;
      readonly timeoutMs: number;
      readonly life: QueryLife;
      readonly watch: QueryWatch;
    },
  ): ExecContext {
    const { query, times, isInstant, life } = run;
    const budget = request.budget ?? new MemoryBudget(this.#options.maxMemoryBytes ?? Infinity);
    const options: ExecOptions = {
      lookbackMs: request.lookbackMs ?? this.#options.lookbackMs ?? 300_000,
      delayedNameRemoval: this.#features.delayedNameRemoval ?? false,
      useStartTimestamps: this.#features.useStartTimestamps ?? false,
      typeAndUnitLabels: this.#features.typeAndUnitLabels ?? false,
    };
    return new ExecContext({
      query,
      queryable: request.queryable,
      read: { signal: life.signal, budget },
      annotations: new Annotations(query),
      options,
      times,
      isInstant,
      maxSamples: this.#options.maxSamples ?? 50_000_000,
      clock: this.#options.clock,
      // One limit for waiting and running, as in Prometheus.
      timeoutMs: Math.max(0, run.timeoutMs - run.watch.queueMs),
      build: buildOperator,
    });
  }

  #prepare(request: QueryRequest, query: string, times: QueryTimes, isInstant: boolean): Expr {
    const expr = request.expr ?? this.parse(query);
    const type = typeOf(expr);
    if (!isInstant && type !== 'vector' && type !== 'scalar') {
      throw new QueryError(
        'bad_data',
        `invalid expression type "${documentedType(type)}" for range query, must be Scalar or instant Vector`,
      );
    }
    try {
      return resolveDurations(expr, times, query);
    } catch (error) {
      throw this.#queryError(error);
    }
  }

  #plan(expr: Expr, times: QueryTimes): Plan {
    const defaultStepMs = this.#options.defaultStepMs?.() ?? 60_000;
    return buildPlan(expr, { times, defaultStepMs });
  }

  async #evaluate(plan: Plan, context: ExecContext): Promise<QueryResult> {
    const { times } = context;
    if (plan.kind === 'matrix') return collectMatrixSource(plan.source, context);
    if (context.isInstant) return collectInstant(plan, context);
    return collectRange(plan, gridBetween(times.startMs, times.endMs, times.stepMs), context);
  }

  #queryError(error: unknown): unknown {
    if (error instanceof QueryError) return error;
    if (error instanceof ParseError) return badData(error);
    if (error instanceof InputError || OperatingError.is(error))
      return new QueryError('execution', error.message, { cause: error });
    this.#options.log.error('query ended by a fault of the program', { error: errorText(error) });
    return error;
  }
}

/** Reads the clock at the turns of a query's life. */
class QueryWatch {
  context: ExecContext | null = null;
  readonly #clock: Clock;
  readonly #arrivedMs: number;
  #startedMs: number | null = null;
  #preparedMs: number | null = null;
  readonly #perStep: QueryTimes | null;

  /** With `perStep`, the query's times, samples are told for each step. */
  constructor(clock: Clock, perStep: QueryTimes | null) {
    this.#perStep = perStep;
    this.#clock = clock;
    this.#arrivedMs = clock.monotonic();
  }

  started(): void {
    this.#startedMs = this.#clock.monotonic();
  }

  prepared(): void {
    this.#preparedMs = this.#clock.monotonic();
  }

  get queueMs(): number {
    return (this.#startedMs ?? this.#clock.monotonic()) - this.#arrivedMs;
  }

  stats(): QueryStats {
    const nowMs = this.#clock.monotonic();
    const startedMs = this.#startedMs ?? nowMs;
    const preparedMs = this.#preparedMs ?? nowMs;
    const counts = this.context?.counts.finish() ?? null;
    const perStep = this.#perStep;
    return {
      queueMs: startedMs - this.#arrivedMs,
      prepareMs: preparedMs - startedMs,
      evalMs: nowMs - preparedMs,
      totalQueryableSamples: counts === null ? 0 : sum(counts.queryable),
      samplesRead: counts === null ? 0 : sum(counts.read),
      peakSamples: this.context?.samples.peak ?? 0,
      perStep: counts === null || perStep === null ? null : { ...perStep, ...counts },
    };
  }
}

function badData(error: unknown): unknown {
  if (!(error instanceof ParseError)) return error;
  return new QueryError('bad_data', error.message, { cause: error });
}
