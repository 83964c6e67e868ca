import type { Clock, WorkerPort } from '@pollux/base';
import { packError } from '@pollux/base';
import {
  MemoryBudget,
  type NamesAnswer,
  type OpenRawReader,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesSource,
} from '@pollux/storage';
import { Annotations } from '../annotations.ts';
import { QueryError } from '../errors.ts';
import { buildOperator } from '../exec/build-operator.ts';
import { ExecContext } from '../exec/context.ts';
import { figuresOf, NO_FIGURES } from '../exec/query-figures.ts';
import { runPlan } from '../exec/run-plan.ts';
import { resolveDurations } from '../parser/duration-expr.ts';
import { parseExpr } from '../parser/parser.ts';
import { buildPlan, passesLeftOut } from '../plan/build.ts';
import { joinedMatrix } from '../range-cache/matrix-parts.ts';
import type { QueryResult, QueryStats, RangeMatrix } from '../result.ts';
import { writeResultJson } from '../result-json.ts';
import { AskedSource, packRequest } from './asked-source.ts';
import { buffersOfResult, type PackedResult, packResult, unpackResult } from './pack-result.ts';
import {
  CONTROL_ABORT,
  CONTROL_SAMPLES,
  type FromQueryWorker,
  PARTS_AHEAD,
  type QueryJob,
  type ToQueryWorker,
  WHOLE_BYTES,
} from './query.protocol.ts';
import { truncate } from './truncate.ts';

export type QueryWorkerPort = WorkerPort<ToQueryWorker, FromQueryWorker>;

/**
 * The worker's side: runs the queries that it is told, several at a time by turns, until the port is closed. Rejects with
 * CanceledError then. `openRaw` reads what the storage gives undecoded.
 */
export async function serveQueries(
  port: QueryWorkerPort,
  clock: Clock,
  openRaw: OpenRawReader,
): Promise<never> {
  const queries = new Map<number, WorkerQuery>();
  for (;;) {
    const message = await port.receive();
    if (message.kind !== 'run') {
      queries.get(message.id)?.deliver(message);
      continue;
    }
    const { id, job, control } = message;
    const query = new WorkerQuery({ id, port, clock, openRaw, control });
    queries.set(id, query);
    // Never rejects: how the query fails is part of what it tells.
    void query.run(job).finally(() => queries.delete(id));
  }
}

type QueryLine = {
  readonly id: number;
  readonly port: QueryWorkerPort;
  readonly clock: Clock;
  readonly openRaw: OpenRawReader;
  readonly control: SharedArrayBuffer;
};

class WorkerQuery implements Queryable {
  readonly #line: QueryLine;
  readonly #abort = new AbortController();
  readonly #flags: Int32Array;
  readonly #figures: Float64Array;
  readonly #sources = new Map<number, AskedSource>();
  #nextSelect = 1;
  #partsAhead = 0;
  #onMore: () => void = () => {};
  /** Of the other shares of the query, by their numbers. */
  readonly #shares = new Map<number, PackedResult>();
  #onShare: () => void = () => {};

  constructor(line: QueryLine) {
    this.#line = line;
    this.#flags = new Int32Array(line.control);
    this.#figures = new Float64Array(line.control);
  }

  deliver(message: Exclude<ToQueryWorker, { kind: 'run' }>): void {
    switch (message.kind) {
      case 'abort':
        this.#end();
        return;
      case 'more':
        this.#partsAhead--;
        this.#onMore();
        return;
      case 'share':
        this.#shares.set(message.index, message.result);
        this.#onShare();
        return;
      default:
        this.#sources.get(message.select)?.deliver(message);
    }
  }

  async run(job: QueryJob): Promise<void> {
    const { clock } = this.#line;
    const startedMs = clock.monotonic();
    let preparedMs = startedMs;
    let context: ExecContext | null = null;
    const stats = (): QueryStats => ({
      queueMs: 0,
      prepareMs: preparedMs - startedMs,
      evalMs: clock.monotonic() - preparedMs,
      ...(context === null ? NO_FIGURES : figuresOf(context, job.isPerStep ? job.times : null)),
    });
    try {
      context = this.#context(job);
      const { query, times, defaultStepMs } = job;
      const expr = resolveDurations(parseExpr(query, job.parser), times, query);
      const { lookbackMs } = job.options;
      const without = passesLeftOut(job.countsAll);
      const plan = buildPlan(expr, { times, defaultStepMs, lookbackMs, without });
      preparedMs = clock.monotonic();
      const own = await runPlan(plan, context);
      const result = await this.#joined(job, own);
      await this.#answer(job, result, { context, stats: stats() });
    } catch (error) {
      const kind = error instanceof QueryError ? error.kind : null;
      this.#post({ kind: 'failed', error: { kind, error: packError(error) }, stats: stats() });
    } finally {
      context?.releaseMemory();
      for (const source of this.#sources.values()) source.close();
    }
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const { id, port, openRaw } = this.#line;
    const select = this.#nextSelect++;
    const source = new AskedSource({
      id,
      select,
      post: (message) => port.post(message),
      context,
      openRaw: () => openRaw(request, context),
    });
    this.#sources.set(select, source);
    port.post({ kind: 'select', id, select, request: packRequest(request) });
    return source;
  }

  labelNames(): Promise<NamesAnswer> {
    return Promise.reject(QueryError.execution('a query worker is asked for series only'));
  }

  labelValues(): Promise<NamesAnswer> {
    return this.labelNames();
  }

  #context(job: QueryJob): ExecContext {
    const { query, times, isInstant, options, maxSamples, timeoutMs } = job;
    const budget = new MemoryBudget(job.maxMemoryBytes);
    const context: ExecContext = new ExecContext({
      query,
      queryable: this,
      read: { signal: this.#abort.signal, budget },
      annotations: new Annotations(query),
      options,
      times,
      isInstant,
      isContinued: (job.share?.index ?? 0) > 0,
      maxSamples,
      clock: this.#line.clock,
      timeoutMs,
      build: buildOperator,
      interrupt: () => {
        this.#figures[CONTROL_SAMPLES] = context.held.total;
        if (Atomics.load(this.#flags, CONTROL_ABORT) !== 0) this.#end();
      },
    });
    return context;
  }

  #end(): void {
    this.#abort.abort();
    for (const source of this.#sources.values()) source.wake();
    this.#onMore();
    this.#onShare();
  }

  /** With the other shares, where this is the first of several. */
  async #joined({ share }: QueryJob, own: QueryResult): Promise<QueryResult> {
    if (share === null || share.index > 0) return own;
    const parts = [own as RangeMatrix];
    for (let index = 1; index < share.count; index++) {
      while (!this.#shares.has(index)) {
        this.#abort.signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          this.#onShare = resolve;
        });
      }
      parts.push(unpackResult(this.#shares.get(index)!) as RangeMatrix);
    }
    return joinedMatrix(parts);
  }

  async #answer(
    { form }: QueryJob,
    whole: QueryResult,
    { context, stats }: { readonly context: ExecContext; readonly stats: QueryStats },
  ): Promise<void> {
    const annotations = context.annotations.list();
    if (form.kind !== 'json') {
      const result = packResult(whole);
      this.#post(
        {
          kind: 'result',
          body: { kind: form.kind, result },
          isTruncated: false,
          annotations,
          stats,
        },
        buffersOfResult(result),
      );
      return;
    }
    const { result, isTruncated } = truncate(whole, form.limit);
    const pieces: Uint8Array[] = [];
    let length = 0;
    writeResultJson(result, {
      write: (piece) => {
        pieces.push(piece);
        length += piece.length;
      },
    });
    const told = { isTruncated, annotations, stats };
    if (length <= WHOLE_BYTES) {
      const transfer = pieces.map(({ buffer }) => buffer as ArrayBuffer);
      this.#post({ kind: 'result', body: { kind: 'whole', pieces }, ...told }, transfer);
      return;
    }
    this.#post({ kind: 'result', body: { kind: 'parts' }, ...told });
    await this.#giveParts(pieces);
  }

  /** Gives the pieces, without the brace at the end, as fast as they are taken. */
  async #giveParts(pieces: readonly Uint8Array[]): Promise<void> {
    for (const [i, piece] of pieces.entries()) {
      while (this.#partsAhead >= PARTS_AHEAD && !this.#abort.signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#onMore = resolve;
        });
      }
      this.#abort.signal.throwIfAborted();
      this.#partsAhead++;
      const isLast = i === pieces.length - 1;
      const bytes = isLast ? piece.subarray(0, -1) : piece;
      this.#post({ kind: 'part', bytes, isLast }, [piece.buffer as ArrayBuffer]);
    }
  }

  #post(message: OwnMessage, transfer: readonly ArrayBuffer[] = []): void {
    const { id, port } = this.#line;
    port.post({ ...message, id } as FromQueryWorker, transfer);
  }
}

type OwnMessage = {
  [K in FromQueryWorker['kind']]: Omit<Extract<FromQueryWorker, { kind: K }>, 'id'>;
}['result' | 'part' | 'failed'];
