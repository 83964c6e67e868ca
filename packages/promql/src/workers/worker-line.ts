import {
  assert,
  type Clock,
  type StopSignal,
  type Timer,
  unpackError,
  type WorkerHandle,
} from '@pollux/base';
import type { Annotation, Queryable } from '@pollux/storage';
import { QueryError } from '../errors.ts';
import { timeoutError } from '../exec/context.ts';
import type { QueryResult, QueryStats } from '../result.ts';
import { buffersOfResult, type PackedResult, unpackResult } from './pack-result.ts';
import { PartStream } from './part-stream.ts';
import {
  CONTROL_ABORT,
  CONTROL_BYTES,
  CONTROL_SAMPLES,
  type FromQueryWorker,
  type PackedQueryError,
  type QueryJob,
  type ToQueryWorker,
} from './query.protocol.ts';
import type { SelectMeeting } from './select-meeting.ts';
import { SelectPump } from './select-pump.ts';

/** A worker that was told to end a query must say so within this; else it hangs. */
const END_GRACE_MS = 5_000;
/** One that has said nothing yet may still be loading its code, which takes seconds on a busy machine: it is given so long to begin. */
const BEGIN_GRACE_MS = 60_000;
/** An answer of which nobody takes the next part for so long is given up. */
const STALL_MS = 300_000;
/** Behind the time-out that the worker itself looks after. */
const TIMEOUT_GRACE_MS = 1_000;

export type QueryDelivery = {
  readonly queryable: Queryable;
  readonly signal: StopSignal;
  /** Of a share: when its selections may begin. */
  readonly meeting?: { readonly all: SelectMeeting; readonly share: number };
};

/** A query as who asked for it sees it. */
export type RunningQuery = {
  /** Rejects with a {@link WorkerFailure}. */
  readonly answer: Promise<WorkerAnswer>;
  /** Taken so far. */
  readonly samples: number;
};

export type WorkerAnswer = {
  readonly body:
    | { readonly kind: 'columns'; readonly result: QueryResult }
    /** For {@link LineQuery.give}. */
    | { readonly kind: 'share'; readonly result: PackedResult }
    | { readonly kind: 'whole'; readonly pieces: readonly Uint8Array[] }
    /** Without the closing brace. */
    | { readonly kind: 'parts'; readonly parts: PartStream };
  readonly isTruncated: boolean;
  readonly annotations: readonly Annotation[];
  readonly stats: QueryStats;
};

/** A query that failed in a worker, and how far it came. */
export type WorkerFailure = { readonly error: unknown; readonly stats: QueryStats | null };

type LineCalls = {
  /** The worker does not end a query that it was told to end. */
  readonly onHang: () => void;
  /** It has had no query for so long. Returns after how much longer it is to be called again, null for never. */
  readonly onIdle: (idleMs: number) => number | null;
  /** When that is first called. */
  readonly firstIdleMs: number;
};

/** One worker and the queries that are in it. */
export class WorkerLine {
  readonly #clock: Clock;
  readonly #calls: LineCalls;
  readonly #queries = new Map<number, LineQuery>();
  #handle: WorkerHandle<ToQueryWorker> | null = null;
  #idling: Timer | null = null;
  #isLost = false;
  #hasSpoken = false;
  readonly #begunMs: number;
  #nextId = 1;

  constructor(clock: Clock, calls: LineCalls) {
    this.#clock = clock;
    this.#calls = calls;
    this.#begunMs = clock.monotonic();
  }

  get running(): number {
    return this.#queries.size;
  }

  attach(handle: WorkerHandle<ToQueryWorker>): void {
    this.#handle = handle;
  }

  /** Resolves with the answer or how it failed; samples taken so far are those of `query.samples`. */
  start(job: QueryJob, delivery: QueryDelivery): LineQuery {
    const id = this.#nextId++;
    const query = new LineQuery({
      id,
      job,
      delivery,
      clock: this.#clock,
      post: (message, transfer) => this.#handle?.post(message, transfer),
      onOver: () => this.#over(id),
      onSilence: () => this.#judgeSilence(),
    });
    this.#idling?.cancel();
    this.#queries.set(id, query);
    query.begin();
    return query;
  }

  readonly deliver = (message: FromQueryWorker): void => {
    this.#hasSpoken = true;
    this.#queries.get(message.id)?.deliver(message);
  };

  /** A query was not ended in time. False when the worker may not have heard of it yet. */
  #judgeSilence(): boolean {
    const sinceMs = this.#clock.monotonic() - this.#begunMs;
    if (!this.#hasSpoken && sinceMs < BEGIN_GRACE_MS) return false;
    this.#calls.onHang();
    return true;
  }

  #over(id: number): void {
    this.#queries.delete(id);
    if (this.#queries.size > 0 || this.#isLost) return;
    this.#waitIdle(0, this.#calls.firstIdleMs);
  }

  #waitIdle(sinceMs: number, moreMs: number): void {
    this.#idling?.cancel();
    this.#idling = this.#clock.after(moreMs, () => {
      const idleMs = sinceMs + moreMs;
      const next = this.#calls.onIdle(idleMs);
      if (next !== null) this.#waitIdle(idleMs, next);
    });
  }

  /** The worker has gone. */
  lose(error: Error): void {
    this.#isLost = true;
    this.#idling?.cancel();
    for (const query of [...this.#queries.values()]) query.lose(error);
  }
}

type LineQueryInit = {
  readonly id: number;
  readonly job: QueryJob;
  readonly delivery: QueryDelivery;
  readonly clock: Clock;
  readonly post: (message: ToQueryWorker, transfer?: readonly ArrayBuffer[]) => void;
  readonly onOver: () => void;
  /** The worker was told to end the query and has not; false when it is to be waited for again. */
  readonly onSilence: () => boolean;
};

/** A query in a worker, as the main thread sees it. */
export class LineQuery implements RunningQuery {
  readonly answer: Promise<WorkerAnswer>;
  readonly #init: LineQueryInit;
  readonly #control = new SharedArrayBuffer(CONTROL_BYTES);
  readonly #pumps = new Map<number, SelectPump>();
  #resolve: (answer: WorkerAnswer) => void = () => {};
  #reject: (failure: WorkerFailure) => void = () => {};
  #parts: PartStream | null = null;
  #timer: Timer | null = null;
  #isGivenUp = false;
  #isOver = false;

  constructor(init: LineQueryInit) {
    this.#init = init;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get samples(): number {
    return new Float64Array(this.#control)[CONTROL_SAMPLES]!;
  }

  begin(): void {
    const { id, job, delivery, clock, post } = this.#init;
    delivery.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = clock.after(job.timeoutMs + TIMEOUT_GRACE_MS, () => this.#giveUp(timeoutError()));
    post({ kind: 'run', id, job, control: this.#control });
    if (delivery.signal.aborted) this.#onAbort();
  }

  /** To the first share of a query: what another gave. */
  give(index: number, body: WorkerAnswer['body']): void {
    assert(body.kind === 'share', 'BUG: a share gave something else');
    const { id, post } = this.#init;
    const { result } = body;
    post({ kind: 'share', id, index, result }, buffersOfResult(result));
  }

  deliver(message: FromQueryWorker): void {
    switch (message.kind) {
      case 'select':
        this.#select(message);
        return;
      case 'next':
        this.#pumps.get(message.select)?.next();
        return;
      case 'close':
        this.#pumps.get(message.select)?.close();
        return;
      case 'result':
        this.#result(message);
        return;
      case 'part':
        this.#parts?.deliver(message);
        if (message.isLast) this.#over();
        return;
      case 'failed':
        this.#fail(message.error, message.stats);
    }
  }

  lose(error: Error): void {
    this.#settle({ error, stats: null });
    this.#over();
  }

  #select({ select, request }: Extract<FromQueryWorker, { kind: 'select' }>): void {
    const { id, job, delivery, post } = this.#init;
    const { queryable, signal } = delivery;
    const { maxMemoryBytes } = job;
    const pump = new SelectPump({ id, select, queryable, signal, maxMemoryBytes, post });
    this.#pumps.set(select, pump);
    const { meeting } = delivery;
    if (meeting === undefined) void pump.run(request);
    else void meeting.all.reach(meeting.share).then(() => pump.run(request));
  }

  #result(message: Extract<FromQueryWorker, { kind: 'result' }>): void {
    const { isTruncated, annotations, stats } = message;
    const told = { isTruncated, annotations, stats };
    const { body } = message;
    if (body.kind === 'parts') {
      if (this.#isGivenUp) return;
      const parts = this.#openParts();
      this.#resolve({ body: { kind: 'parts', parts }, ...told });
      return;
    }
    const unpacked =
      body.kind === 'whole' || body.kind === 'share'
        ? body
        : ({ kind: 'columns', result: unpackResult(body.result) } as const);
    this.#resolve({ body: unpacked, ...told });
    this.#over();
  }

  #openParts(): PartStream {
    const { id, post, clock } = this.#init;
    const parts = new PartStream({
      onTaken: () => {
        post({ kind: 'more', id });
        watch();
      },
      onDone: () => this.#giveUp(null),
    });
    const watch = (): void => {
      this.#timer?.cancel();
      if (!this.#isOver) this.#timer = clock.after(STALL_MS, () => parts.drop());
    };
    this.#parts = parts;
    watch();
    return parts;
  }

  #fail({ kind, error }: PackedQueryError, stats: QueryStats): void {
    // The storage's own error tells more than a copy.
    const ofStorage = [...this.#pumps.values()].find((pump) => pump.error !== null)?.error;
    const original =
      ofStorage instanceof Error && error.message.endsWith(ofStorage.message) ? ofStorage : null;
    const copy = unpackError(error);
    const cause = original ?? copy.cause;
    const known =
      kind === null
        ? (original ?? copy)
        : new QueryError(kind, error.message, cause === undefined ? {} : { cause });
    this.#settle({ error: known, stats });
    this.#over();
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#init.delivery.signal;
    if (this.#parts !== null) {
      this.#parts.drop();
      return;
    }
    this.#giveUp(
      reason instanceof QueryError
        ? reason
        : new QueryError('canceled', 'query was canceled in query execution', { cause: reason }),
    );
  };

  /** Tells the worker that nobody waits any more; it must say that it is over. */
  #giveUp(error: QueryError | null): void {
    if (this.#isOver || this.#isGivenUp) return;
    this.#isGivenUp = true;
    const { meeting } = this.#init.delivery;
    meeting?.all.leave(meeting.share);
    const { id, post } = this.#init;
    Atomics.store(new Int32Array(this.#control), CONTROL_ABORT, 1);
    post({ kind: 'abort', id });
    for (const pump of this.#pumps.values()) pump.close();
    if (error !== null) this.#settle({ error, stats: null });
    this.#awaitEnd();
  }

  #awaitEnd(): void {
    const { clock, onSilence } = this.#init;
    this.#timer?.cancel();
    this.#timer = clock.after(END_GRACE_MS, () => {
      if (!onSilence()) this.#awaitEnd();
    });
  }

  #settle(failure: WorkerFailure): void {
    this.#reject(failure);
    this.#parts?.fail(failure.error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    const { meeting } = this.#init.delivery;
    meeting?.all.leave(meeting.share);
    this.#init.delivery.signal.removeEventListener('abort', this.#onAbort);
    for (const pump of this.#pumps.values()) pump.close();
    this.#init.onOver();
  }
}
