import { LimitError, packError } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { MemoryBudget, type Queryable, type SelectRequest } from '@pollux/storage';
import { buffersOf, packSeries } from './pack-series.ts';
import { BATCHES_AHEAD, type PackedRequest, type ToQueryWorker } from './query.protocol.ts';

export type PumpLine = {
  readonly id: number;
  readonly select: number;
  readonly queryable: Queryable;
  readonly signal: AbortSignal;
  readonly maxMemoryBytes: number;
  readonly post: (message: ToQueryWorker, transfer?: readonly ArrayBuffer[]) => void;
};

/** Gives a worker the series that it asked for, no faster than it takes them. */
export class SelectPump {
  /** Why the storage failed, if it did. */
  error: unknown = null;
  readonly #line: PumpLine;
  readonly #budget: MemoryBudget;
  #credit = BATCHES_AHEAD;
  #onCredit: () => void = () => {};
  #isClosed = false;

  constructor(line: PumpLine) {
    this.#line = line;
    this.#budget = new MemoryBudget(line.maxMemoryBytes);
  }

  next(): void {
    this.#credit++;
    this.#onCredit();
  }

  /** Nothing is given any more. */
  close(): void {
    this.#isClosed = true;
    this.#onCredit();
  }

  /** Never rejects: the worker is told of errors. */
  async run(packed: PackedRequest): Promise<void> {
    const { id, select, post } = this.#line;
    try {
      const { need, matchers, ...rest } = packed;
      const request: SelectRequest = {
        ...rest,
        matchers: matchers.map(({ name, operator, value }) => new Matcher(name, operator, value)),
        ...(need === null ? {} : { need }),
      };
      await this.#pump(request);
    } catch (error) {
      if (this.#isClosed) return;
      this.error = error;
      const told = { error: packError(error), isLimit: error instanceof LimitError };
      post({ kind: 'end', id, select, warnings: [], error: told });
    }
  }

  async #pump(request: SelectRequest): Promise<void> {
    const { id, select, queryable, signal, post } = this.#line;
    const source = queryable.select(request, { signal, budget: this.#budget });
    let toldBytes = 0;
    try {
      for (;;) {
        while (this.#credit === 0 && !this.#isClosed) {
          await new Promise<void>((resolve) => {
            this.#onCredit = resolve;
          });
        }
        if (this.#isClosed) return;
        const given = await source.next();
        if (this.#isClosed) return;
        if (given === null) break;
        this.#credit--;
        const takenBytes = this.#budget.usedBytes - toldBytes;
        toldBytes += takenBytes;
        const batch = packSeries(given);
        post({ kind: 'batch', id, select, batch, takenBytes }, buffersOf(batch));
      }
      post({ kind: 'end', id, select, warnings: source.warnings, error: null });
    } finally {
      source.close();
    }
  }
}
