import { LimitError, packError, type StopSignal } from '@pollux/base';
import { Matcher } from '@pollux/model';
import {
  type Annotation,
  type LabelProjection,
  MemoryBudget,
  type Queryable,
  type RawSource,
  type SelectRequest,
  type SeriesSource,
} from '@pollux/storage';
import { buffersOf, type PackedSeries, packLabels, packSeries } from './pack-series.ts';
import {
  BATCHES_AHEAD,
  type PackedRaw,
  type PackedRequest,
  type ToQueryWorker,
} from './query.protocol.ts';

export type PumpLine = {
  readonly id: number;
  readonly select: number;
  readonly queryable: Queryable;
  readonly signal: StopSignal;
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
  /** Of the batches that the worker has, oldest first. */
  readonly #giveBacks: (() => void)[] = [];

  constructor(line: PumpLine) {
    this.#line = line;
    this.#budget = new MemoryBudget(line.maxMemoryBytes);
  }

  /** The worker has read the oldest batch that it has. */
  next(): void {
    this.#giveBacks.shift()?.();
    this.#credit++;
    this.#onCredit();
  }

  /** Nothing is given any more. What the worker has it may still be reading, so that is left to it. */
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
    const context = { signal, budget: this.#budget };
    const raw = queryable.selectRaw?.(request, context) ?? null;
    const labels = request.hints.labels ?? null;
    const source =
      raw === null ? inColumns(queryable.select(request, context), labels) : undecoded(raw, labels);
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
        const { batch, transfer, giveBack } = given;
        this.#giveBacks.push(giveBack);
        post({ kind: 'batch', id, select, batch, takenBytes }, transfer);
      }
      post({ kind: 'end', id, select, warnings: source.warnings(), error: null });
    } finally {
      source.close();
    }
  }
}

type PackedSource = {
  next(): Promise<{
    readonly batch: PackedSeries | PackedRaw;
    readonly transfer: readonly ArrayBuffer[];
    readonly giveBack: () => void;
  } | null>;
  warnings(): readonly Annotation[];
  close(): void;
};

function inColumns(source: SeriesSource, projection: LabelProjection | null): PackedSource {
  return {
    next: async () => {
      const given = await source.next();
      if (given === null) return null;
      const batch = packSeries(given, projection);
      return { batch, transfer: buffersOf(batch), giveBack: () => {} };
    },
    warnings: () => source.warnings,
    close: () => source.close(),
  };
}

function undecoded(source: RawSource, projection: LabelProjection | null): PackedSource {
  return {
    next: async () => {
      const given = await source.next();
      if (given === null) return null;
      const labels = packLabels(given.labels, projection);
      const transfer = [labels.items.buffer as ArrayBuffer];
      const giveBack = (): void => given.giveBack();
      return { batch: { kind: 'raw', labels, samples: given.samples }, transfer, giveBack };
    },
    warnings: () => source.warnings,
    close: () => source.close(),
  };
}
