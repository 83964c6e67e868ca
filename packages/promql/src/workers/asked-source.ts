import { LimitError, unpackError } from '@pollux/base';
import type {
  Annotation,
  MemoryBudget,
  RawReader,
  ReadContext,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
} from '@pollux/storage';
import { unpackLabels, unpackSeries } from './pack-series.ts';
import type { FromQueryWorker, PackedRequest, ToQueryWorker } from './query.protocol.ts';

type Reply = Extract<ToQueryWorker, { kind: 'batch' | 'end' }>;

type AskedLine = {
  readonly id: number;
  readonly select: number;
  readonly post: (message: FromQueryWorker) => void;
  readonly context: ReadContext;
  readonly openRaw: () => RawReader;
};

/** Series that the main thread is asked for. */
export class AskedSource implements SeriesSource {
  #warnings: readonly Annotation[] = [];
  readonly #line: AskedLine;
  readonly #replies: Reply[] = [];
  #waiting: { readonly resolve: () => void } | null = null;
  #raw: RawReader | null = null;
  /** A batch lies in memory of the storage, which wants it back. */
  #isReading = false;
  #isOver = false;

  constructor(line: AskedLine) {
    this.#line = line;
  }

  get warnings(): readonly Annotation[] {
    return this.#raw === null ? this.#warnings : [...this.#warnings, ...this.#raw.warnings];
  }

  deliver(reply: Reply): void {
    if (this.#isOver) return;
    this.#replies.push(reply);
    this.wake();
  }

  /** Lets a wait look whether the query is over. */
  wake(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    for (;;) {
      const read = this.#raw?.next() ?? null;
      if (read !== null) return read;
      if (this.#isReading) this.#next();
      if (this.#isOver) return null;
      const reply = await this.#reply();
      if (reply.kind === 'end') {
        this.#end(reply);
        continue;
      }
      this.#budget.take(reply.takenBytes);
      if (reply.batch.kind === 'series') {
        this.#next();
        return unpackSeries(reply.batch);
      }
      this.#isReading = true;
      this.#raw ??= this.#line.openRaw();
      const { labels, samples } = reply.batch;
      this.#raw.begin(unpackLabels(labels), samples);
    }
  }

  close(): void {
    this.#raw?.close();
    this.#raw = null;
    if (this.#isOver) return;
    this.#isOver = true;
    const { id, select, post } = this.#line;
    post({ kind: 'close', id, select });
  }

  /** Asks for a batch in place of the one that was taken. */
  #next(): void {
    this.#isReading = false;
    const { id, select, post } = this.#line;
    post({ kind: 'next', id, select });
  }

  get #budget(): MemoryBudget {
    return this.#line.context.budget;
  }

  #end({ warnings, error }: Extract<Reply, { kind: 'end' }>): void {
    this.#isOver = true;
    this.#warnings = warnings;
    if (error !== null) throw unpackStorageError(error);
  }

  async #reply(): Promise<Reply> {
    const { signal } = this.#line.context;
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined) return reply;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting = { resolve };
      });
    }
  }
}

export function packRequest(request: SelectRequest): PackedRequest {
  const { range, matchers, hints, sorted, need, isLent, isNewestOnly, windows } = request;
  return {
    range,
    matchers: matchers.map(({ name, operator, value }) => ({ name, operator, value })),
    hints,
    sorted,
    need: need ?? null,
    isLent: isLent ?? false,
    isNewestOnly: isNewestOnly ?? false,
    windows: windows ?? null,
  };
}

/** Limits are told apart from other faults of a storage by the engine. */
function unpackStorageError({
  error,
  isLimit,
}: NonNullable<Extract<Reply, { kind: 'end' }>['error']>): Error {
  return isLimit ? new LimitError(error.code, '', error.message) : unpackError(error);
}
