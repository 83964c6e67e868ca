import type { SeriesColumns } from '@pollux/storage';
import type { Sharing } from '../plan/nodes.ts';
import { withoutStale } from './series-columns.ts';

/** What reads series batch by batch; null at the end. */
export type SeriesRead = {
  next(): Promise<readonly SeriesColumns[] | null>;
  close(): void;
};

/** Copies of lent columns that a query keeps for its other selectors; what is more is read again. */
const MAX_KEPT_BYTES = 16 * 2 ** 20;
const BYTES_PER_SAMPLE = 16;

type Kept = {
  readonly batches: (readonly SeriesColumns[])[];
  usesLeft: number;
  isComplete: boolean;
};

export type SharedRequest = {
  readonly sharing: Sharing;
  /** What else tells one request of the selectors from another: times, and which samples are left out. */
  readonly key: string;
  readonly isLent: boolean;
  /** Windows are taken of the samples: stale markers are left out. */
  readonly isRange: boolean;
};

/**
 * What selectors of one query have read and others of it will read again (the pass selector-merging). The first reads from
 * storage and leaves its series here; who comes before it has come to the end reads for itself. Kept columns are not written to.
 */
export class SharedSeries {
  readonly #kept = new Map<string, Kept>();
  readonly #hold: (bytes: number) => void;
  #keptBytes = 0;

  /** `hold` counts memory until the end of the query. */
  constructor(hold: (bytes: number) => void) {
    this.#hold = hold;
  }

  /** `read` is what begins to read from storage. */
  open(request: SharedRequest, read: () => SeriesRead): SeriesRead {
    const key = `${request.sharing.id} ${request.key}`;
    const known = this.#kept.get(key);
    if (known === undefined) return this.#keeping(key, request, read());
    if (!known.isComplete) return read();
    if (--known.usesLeft === 0) this.#kept.delete(key);
    return replay(known.batches);
  }

  #keeping(key: string, request: SharedRequest, inner: SeriesRead): SeriesRead {
    const kept: Kept = { batches: [], usesLeft: request.sharing.uses - 1, isComplete: false };
    this.#kept.set(key, kept);
    let isKept = true;
    const giveUp = (): void => {
      if (!isKept) return;
      isKept = false;
      kept.batches.length = 0;
      this.#kept.delete(key);
    };
    return {
      next: async () => {
        const batch = await inner.next();
        if (!isKept) return batch;
        if (batch === null) {
          kept.isComplete = true;
          return null;
        }
        if (request.isLent && !this.#hasRoom(batch)) {
          giveUp();
          return batch;
        }
        const own = request.isLent ? batch.map(copyOf) : batch;
        const clean = request.isRange ? own.map(cleaned) : own;
        kept.batches.push(clean);
        return clean;
      },
      close: () => {
        if (!kept.isComplete) giveUp();
        inner.close();
      },
    };
  }

  #hasRoom(batch: readonly SeriesColumns[]): boolean {
    let bytes = 0;
    for (const { count } of batch) bytes += count * BYTES_PER_SAMPLE;
    if (this.#keptBytes + bytes > MAX_KEPT_BYTES) return false;
    this.#keptBytes += bytes;
    this.#hold(bytes);
    return true;
  }
}

function replay(batches: readonly (readonly SeriesColumns[])[]): SeriesRead {
  let next = 0;
  return { next: async () => batches[next++] ?? null, close: () => {} };
}

function copyOf(columns: SeriesColumns): SeriesColumns {
  const { count, timestampsMs, values, histograms, startTimestampsMs } = columns;
  return {
    ...columns,
    timestampsMs: timestampsMs.slice(0, count),
    values: values.slice(0, count),
    histograms: histograms?.slice(0, count) ?? null,
    startTimestampsMs: startTimestampsMs?.slice(0, count) ?? null,
  };
}

/** Stale markers are taken out in place, which whoever comes next finds done. */
function cleaned(columns: SeriesColumns): SeriesColumns {
  const { count, histograms } = withoutStale(columns);
  return { ...columns, count, histograms };
}
