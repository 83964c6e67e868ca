import {
  assert,
  type Clock,
  errorText,
  InputError,
  OperatingError,
  type StopSignal,
} from '@pollux/base';
import { MemoryBudget, type Queryable } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { Annotations } from './annotations.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { QueryError } from './errors.ts';
import { buildOperator } from './exec/build-operator.ts';
import { ExecContext, type ExecOptions } from './exec/context.ts';
import { LabelReplacements } from './exec/label-replacements.ts';
import { figuresOf, NO_FIGURES, type QueryFigures } from './exec/query-figures.ts';
import { runPlan } from './exec/run-plan.ts';
import { ActiveQueries } from './life/active-queries.ts';
import { INTERNAL_ORIGIN, type QueryLife, type QueryOrigin } from './life/query-life.ts';
import { type Expr, typeOf } from './parser/ast.ts';
import { type QueryTimes, resolveDurations } from './parser/duration-expr.ts';
import { ParseError } from './parser/parse-error.ts';
import { ParsedQueries } from './parser/parsed-queries.ts';
import type { ParserOptions } from './parser/parser.ts';
import { printExpr } from './parser/printer.ts';
import { documentedType } from './parser/value-type.ts';
import { buildPlan, passesLeftOut } from './plan/build.ts';
import type { Plan } from './plan/nodes.ts';
import { planText } from './plan/plan-text.ts';
import { QueryGate } from './query-gate.ts';
import type { EncodedAnswer, QueryAnswer, QueryStats, RangeMatrix } from './result.ts';
import { writeResultJson } from './result-json.ts';
import type { QueryJob } from './workers/query.protocol.ts';
import type { QueryWorkers } from './workers/query-workers.ts';
import { isSmallQuery } from './workers/small-query.ts';
import { splitRange } from './workers/split-range.ts';
import { truncate } from './workers/truncate.ts';
import { TurnShare } from './workers/turn-share.ts';
import type { WorkerAnswer, WorkerFailure } from './workers/worker-line.ts';

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
  /** Parses with these features, if somebody else parses the same queries. */
  readonly parsed?: ParsedQueries;
  /** Where queries are listed and killed, if they are not this engine's secret. */
  readonly active?: ActiveQueries;
  /** Threads that evaluate; without them, queries run in this one. */
  readonly workers?: QueryWorkers;
  /** Queries known to look at no more points run in this thread all the same; 0 unless set. */
  readonly maxPointsHere?: number;
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
  readonly lookbackMs?: number | undefined;
  /** Overrides the engine's limit when it is shorter. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: StopSignal;
  readonly budget?: MemoryBudget;
  /** Who asked; the program itself unless told. */
  readonly origin?: QueryOrigin;
  /** Samples of each step in the stats; takes the feature `promql-per-step-stats` as well. */
  readonly perStepStats?: boolean;
  /** For who looks at the stats: counts all samples that Prometheus would, though the answer needs fewer. */
  readonly countsAll?: boolean;
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
  readonly #parsed: ParsedQueries;
  readonly #replacements = new LabelReplacements();
  readonly #turn: TurnShare;

  constructor(options: EngineOptions) {
    const maxConcurrency = options.maxConcurrency ?? 20;
    this.#options = options;
    this.#features = options.features ?? {};
    this.#timeoutMs = options.timeoutMs ?? 120_000;
    this.#active = options.active ?? new ActiveQueries(options.clock);
    this.#parsed = options.parsed ?? new ParsedQueries(this.#features);
    this.#turn = new TurnShare(options.clock, SMALL_QUERIES_A_TURN_MS);
    this.#gate = new QueryGate(options.clock, maxConcurrency, options.maxQueued ?? 1_000);
    this.#metrics = new EngineMetrics(options.registry, maxConcurrency);
  }

  /** Parses with the engine's features. Throws QueryError of kind `bad_data`. */
  parse(query: string): Expr {
    try {
      return this.#parsed.parse(query);
    } catch (error) {
      throw badData(error);
    }
  }

  /** How a query would be run, on one line; the reason for a query that has no plan. */
  explain(query: string, times: QueryTimes): string {
    try {
      const expr = resolveDurations(this.parse(query), times, query);
      return planText(this.#plan(expr, times, { countsAll: false }));
    } catch (error) {
      return errorText(error);
    }
  }

  /** Evaluates at one time. A range selector gives its samples as a matrix. Rejects with {@link QueryError}. */
  async instant(request: InstantRequest): Promise<QueryAnswer> {
    return columnsOf(await this.#run(request, timesOf(request), true, COLUMNS));
  }

  /** Evaluates at each step from start to end, both included. Rejects with {@link QueryError}. */
  async range(request: RangeRequest): Promise<QueryAnswer<RangeMatrix>> {
    checkRange(request);
    const answer = columnsOf(await this.#run(request, timesOf(request), false, COLUMNS));
    return answer as QueryAnswer<RangeMatrix>;
  }

  /** As {@link instant} and {@link range}, as JSON of at most `limit` series; 0 for all. */
  async encoded(
    request: (InstantRequest | RangeRequest) & { readonly limit: number },
  ): Promise<EncodedAnswer> {
    const isInstant = 'timeMs' in request;
    if (!isInstant) checkRange(request);
    const form = { kind: 'json', limit: request.limit } as const;
    const answer = await this.#run(request, timesOf(request), isInstant, form);
    const { body, isTruncated, annotations, stats } = answer;
    assert(body.kind === 'whole' || body.kind === 'parts', 'BUG: columns instead of JSON');
    return { body, isTruncated, annotations, stats };
  }

  async #run(
    request: QueryRequest,
    times: QueryTimes,
    isInstant: boolean,
    form: QueryJob['form'],
  ): Promise<WorkerAnswer> {
    const query = request.query ?? (request.expr === undefined ? '' : printExpr(request.expr));
    const origin = request.origin ?? INTERNAL_ORIGIN;
    // What does not parse takes no slot and is no query yet, in logs neither.
    const parsed = this.#prepare(request, query, times, isInstant);
    const { startMs, endMs, stepMs } = times;
    const life = this.#active.begin({ query, startMs, endMs, stepMs, origin }, request.signal);
    const timeoutMs = Math.min(request.timeoutMs ?? this.#timeoutMs, this.#timeoutMs);
    const isPerStep = (request.perStepStats ?? false) && (this.#features.perStepStats ?? false);
    const watch = new QueryWatch(this.#options.clock);
    this.#metrics.queries.inc();
    let release: (() => void) | null = null;
    try {
      release = await this.#enter(life.signal, timeoutMs, origin.kind === 'rule');
      watch.started();
      watch.prepared();
      // One limit for waiting and running, as in Prometheus.
      const leftMs = Math.max(0, timeoutMs - watch.queueMs);
      const run = { query, times, isInstant, timeoutMs: leftMs, life, watch, form, isPerStep };
      const { workers } = this.#options;
      // A parsed expression and a caller's account stay in this thread.
      const isBound = request.expr !== undefined || request.budget !== undefined;
      const answer =
        workers === undefined || isBound
          ? await this.#here(request, parsed, run)
          : this.#isSmall(request, parsed, run)
            ? await this.#turn.spend(() => this.#here(request, parsed, run))
            : await this.#inWorker(request, parsed, workers, run);
      const stats = watch.stats();
      this.#metrics.observe(stats);
      life.end({ error: null, stats });
      // Written out here and below: what is spread into an object of more members has a hidden class of its own each time, so
      // that all code which reads it looks its members up anew.
      const { body, isTruncated, annotations } = answer;
      return { body, isTruncated, annotations, stats };
    } catch (error) {
      const known = this.#queryError(error);
      const text = known instanceof QueryError ? known.message : errorText(known);
      life.end({ error: text, stats: watch.stats() });
      throw known;
    } finally {
      release?.();
      this.#metrics.queries.dec();
    }
  }

  #isSmall(request: QueryRequest, expr: Expr, { times }: Run): boolean {
    const { maxPointsHere = 0 } = this.#options;
    if (maxPointsHere === 0 || this.#turn.isSpent) return false;
    const { queryable, lookbackMs = this.#lookbackMs } = request;
    const defaultStepMs = this.#defaultStepMs();
    const question = { expr, times, lookbackMs, defaultStepMs, queryable };
    return isSmallQuery(question, maxPointsHere);
  }

  /** Evaluates in this thread. */
  async #here(request: QueryRequest, expr: Expr, run: Run): Promise<Omit<WorkerAnswer, 'stats'>> {
    const { times, life, watch, form, isPerStep } = run;
    const context = this.#context(request, run);
    watch.figures = () => figuresOf(context, isPerStep ? times : null);
    life.running(() => context.held.total);
    try {
      const whole = await runPlan(this.#plan(expr, times, request), context);
      const annotations = context.annotations.list();
      if (form.kind !== 'json') {
        return { body: { kind: 'columns', result: whole }, isTruncated: false, annotations };
      }
      const { result, isTruncated } = truncate(whole, form.limit);
      const pieces: Uint8Array[] = [];
      writeResultJson(result, { write: (piece) => pieces.push(piece) });
      return { body: { kind: 'whole', pieces }, isTruncated, annotations };
    } finally {
      context.releaseMemory();
    }
  }

  async #inWorker(
    request: QueryRequest,
    expr: Expr,
    workers: QueryWorkers,
    run: Run,
  ): Promise<Omit<WorkerAnswer, 'stats'>> {
    const { query, times, isInstant, timeoutMs, life, watch, form, isPerStep } = run;
    const job: QueryJob = {
      query,
      times,
      isInstant,
      timeoutMs,
      maxSamples: this.#maxSamples,
      maxMemoryBytes: this.#options.maxMemoryBytes ?? Infinity,
      defaultStepMs: this.#defaultStepMs(),
      parser: this.#features,
      options: this.#execOptions(request),
      isPerStep,
      countsAll: request.countsAll ?? false,
      form,
      share: null,
    };
    const { queryable } = request;
    const delivery = { queryable, signal: life.signal };
    const { lookbackMs } = job.options;
    // Of shares it is not known what one evaluation would hold at most.
    const shares =
      workers.maySplit(query) && !job.countsAll
        ? splitRange(expr, { times, lookbackMs }, queryable, workers.idle)
        : null;
    const started =
      shares === null ? workers.run(job, delivery) : workers.runSplit(job, delivery, shares);
    life.running(() => started.samples);
    const told = ({
      totalQueryableSamples,
      samplesRead,
      peakSamples,
      perStep,
    }: QueryStats): void => {
      watch.figures = () => ({ totalQueryableSamples, samplesRead, peakSamples, perStep });
    };
    try {
      const answer = await started.answer;
      told(answer.stats);
      // The life ends here, but who reads the answer may still go away.
      if (answer.body.kind === 'parts') answer.body.parts.dropWith(request.signal);
      return answer;
    } catch (failure) {
      const { error, stats } = failure as WorkerFailure;
      if (stats !== null) told(stats);
      throw error;
    }
  }

  async #enter(signal: StopSignal, timeoutMs: number, isUrgent: boolean): Promise<() => void> {
    const entered = this.#gate.enter(signal, timeoutMs, isUrgent);
    this.#metrics.queued.set(this.#gate.waiting);
    try {
      return await entered;
    } finally {
      this.#metrics.queued.set(this.#gate.waiting);
    }
  }

  get #maxSamples(): number {
    return this.#options.maxSamples ?? 50_000_000;
  }

  get #lookbackMs(): number {
    return this.#options.lookbackMs ?? 300_000;
  }

  #defaultStepMs(): number {
    return this.#options.defaultStepMs?.() ?? 60_000;
  }

  #execOptions(request: QueryRequest): ExecOptions {
    return {
      lookbackMs: request.lookbackMs ?? this.#lookbackMs,
      delayedNameRemoval: this.#features.delayedNameRemoval ?? false,
      useStartTimestamps: this.#features.useStartTimestamps ?? false,
      typeAndUnitLabels: this.#features.typeAndUnitLabels ?? false,
    };
  }

  #context(request: QueryRequest, run: Run): ExecContext {
    const { query, times, isInstant, timeoutMs, life } = run;
    const budget = request.budget ?? new MemoryBudget(this.#options.maxMemoryBytes ?? Infinity);
    return new ExecContext({
      query,
      queryable: request.queryable,
      read: { signal: life.signal, budget },
      annotations: new Annotations(query),
      options: this.#execOptions(request),
      times,
      isInstant,
      maxSamples: this.#maxSamples,
      clock: this.#options.clock,
      timeoutMs,
      build: buildOperator,
      replacements: this.#replacements,
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

  #plan(
    expr: Expr,
    times: QueryTimes,
    { lookbackMs, countsAll }: Pick<QueryRequest, 'lookbackMs' | 'countsAll'>,
  ): Plan {
    return buildPlan(expr, {
      times,
      defaultStepMs: this.#defaultStepMs(),
      lookbackMs: lookbackMs ?? this.#lookbackMs,
      without: passesLeftOut(countsAll ?? false),
    });
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

/** What is at hand while a query runs. */
type Run = {
  readonly query: string;
  readonly times: QueryTimes;
  readonly isInstant: boolean;
  /** What is left. */
  readonly timeoutMs: number;
  readonly life: QueryLife;
  readonly watch: QueryWatch;
  readonly form: QueryJob['form'];
  readonly isPerStep: boolean;
};

const COLUMNS = { kind: 'columns' } as const;
/** Small queries that find more taken are handed to threads, so that timers are not late by more. */
const SMALL_QUERIES_A_TURN_MS = 4;

function timesOf(request: InstantRequest | RangeRequest): QueryTimes {
  if ('timeMs' in request) return { startMs: request.timeMs, endMs: request.timeMs, stepMs: 0 };
  const { startMs, endMs, stepMs } = request;
  return { startMs, endMs, stepMs };
}

function checkRange({ startMs, endMs, stepMs }: RangeRequest): void {
  if (!(stepMs > 0)) {
    throw new QueryError(
      'bad_data',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if (endMs < startMs) {
    throw new QueryError('bad_data', 'end timestamp must not be before start time');
  }
}

function columnsOf({ body, annotations, stats }: WorkerAnswer): QueryAnswer {
  assert(body.kind === 'columns', 'BUG: JSON instead of columns');
  return { result: body.result, annotations, stats };
}

/** Reads the clock at the turns of a query's life. */
class QueryWatch {
  figures: () => QueryFigures = () => NO_FIGURES;
  readonly #clock: Clock;
  readonly #arrivedMs: number;
  #startedMs: number | null = null;
  #preparedMs: number | null = null;

  constructor(clock: Clock) {
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
    const { totalQueryableSamples, samplesRead, peakSamples, perStep } = this.figures();
    return {
      queueMs: startedMs - this.#arrivedMs,
      prepareMs: preparedMs - startedMs,
      evalMs: nowMs - preparedMs,
      totalQueryableSamples,
      samplesRead,
      peakSamples,
      perStep,
    };
  }
}

function badData(error: unknown): unknown {
  if (!(error instanceof ParseError)) return error;
  return new QueryError('bad_data', error.message, { cause: error });
}
