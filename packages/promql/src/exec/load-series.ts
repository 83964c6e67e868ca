import { LimitError, OperatingError } from '@pollux/base';
import type {
  SampleNeed,
  SampleWindows,
  SelectHints,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
} from '@pollux/storage';
import { QueryError } from '../errors.ts';
import type { VectorSelector } from '../parser/ast.ts';
import type { SelectHint, Sharing } from '../plan/nodes.ts';
import type { ExecContext } from './context.ts';
import type { SeriesRead } from './shared-series.ts';

/** A timestamp and a value. */
const BYTES_PER_SAMPLE = 16;

export type LoadRequest = {
  readonly selector: VectorSelector;
  readonly minMs: number;
  readonly maxMs: number;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly hint: SelectHint;
  readonly need: SampleNeed;
  /** Only the newest sample of each series is looked at. */
  readonly isNewestOnly?: boolean;
  /** Only these are looked at. */
  readonly windows?: SampleWindows | null;
  /** Other selectors read the same. */
  readonly sharing?: Sharing | null;
};

/** Begins to read the series of a selector, sorted by labels. With `isLent` a batch's columns are good until the next. */
export function openSeries(
  context: ExecContext,
  request: LoadRequest,
  isLent: boolean,
): SeriesRead {
  const read = (): SeriesRead => new SeriesReader(context, request, isLent);
  const { sharing, minMs, maxMs, isNewestOnly, need, rangeMs } = request;
  if (sharing === undefined || sharing === null) return read();
  // Buckets stand for the samples of one function alone.
  const key = `${minMs} ${maxMs} ${isNewestOnly ?? false} ${need.kind === 'windows' ? need.func : ''}`;
  return context.shared.open({ sharing, key, isLent, isRange: rangeMs > 0 }, read);
}

/** Reads all series of a selector over a time range, sorted by labels. */
export async function loadSeries(
  context: ExecContext,
  request: LoadRequest,
): Promise<readonly SeriesColumns[]> {
  const reader = openSeries(context, request, false);
  const loaded: SeriesColumns[] = [];
  try {
    for (;;) {
      const batch = await reader.next();
      if (batch === null) return loaded;
      for (const series of batch) {
        context.holdMemory(series.count * BYTES_PER_SAMPLE);
        loaded.push(series);
      }
    }
  } finally {
    reader.close();
  }
}

/** Reads from storage. */
class SeriesReader implements SeriesRead {
  readonly #context: ExecContext;
  readonly #source: SeriesSource;
  readonly #isLent: boolean;
  /** Of the batch that is lent. */
  #lentBytes = 0;

  constructor(context: ExecContext, request: LoadRequest, isLent: boolean) {
    this.#context = context;
    this.#isLent = isLent;
    const { minMs, maxMs, stepMs, rangeMs, selector, need } = request;
    const hints: SelectHints = {
      startMs: minMs,
      endMs: maxMs,
      stepMs,
      rangeMs,
      func: request.hint.func,
      grouping: request.hint.grouping,
      by: request.hint.by,
      limit: 0,
      labels: request.hint.labels,
    };
    const wanted: SelectRequest = {
      range: { minMs, maxMs },
      matchers: selector.matchers,
      hints,
      sorted: true,
      need,
      isLent,
      isNewestOnly: request.isNewestOnly ?? false,
      windows: request.windows ?? null,
    };
    context.throwIfOver();
    this.#source = context.queryable.select(wanted, context.read);
  }

  /** The next series that have samples; null at the end. */
  async next(): Promise<readonly SeriesColumns[] | null> {
    const context = this.#context;
    await context.checkpoint();
    this.#giveBack();
    try {
      const batch = await this.#source.next();
      if (batch !== null) {
        const found = batch.filter(({ count }) => count > 0);
        if (this.#isLent) this.#borrow(found);
        return found;
      }
      context.annotations.addAll(this.#source.warnings);
      return null;
    } catch (error) {
      if (error instanceof QueryError) throw error;
      context.throwIfOver();
      // Storage errors reach the user with their own text, as "expanding series: …" in Prometheus.
      if (error instanceof LimitError) throw error;
      if (OperatingError.is(error)) {
        throw new QueryError('execution', `expanding series: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  close(): void {
    this.#giveBack();
    this.#source.close();
  }

  #borrow(batch: readonly SeriesColumns[]): void {
    let samples = 0;
    for (const { count } of batch) samples += count;
    this.#lentBytes = samples * BYTES_PER_SAMPLE;
    this.#context.read.budget.take(this.#lentBytes);
  }

  #giveBack(): void {
    this.#context.read.budget.give(this.#lentBytes);
    this.#lentBytes = 0;
  }
}
