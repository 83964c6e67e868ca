import type { PackedError } from '@pollux/base';
import type { MatchOperator } from '@pollux/model';
import type {
  Annotation,
  SampleNeed,
  SampleWindows,
  SelectHints,
  TimeRange,
} from '@pollux/storage';
import type { QueryErrorKind } from '../errors.ts';
import type { ExecOptions } from '../exec/context.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import type { ParserOptions } from '../parser/parser.ts';
import type { QueryStats } from '../result.ts';
import type { PackedResult } from './pack-result.ts';
import type { PackedLabels, PackedSeries } from './pack-series.ts';

/**
 * A query in a worker. The worker evaluates; series it asks of the thread that has the database, which gives them in batches,
 * as many ahead as {@link BATCHES_AHEAD}; what the database has encoded it may give as it is (`raw`), for the worker to decode;
 * `next` says that a batch has been read, so that its memory may be used again.
 *
 *     main ── run ──▶ worker                     main ◀── result (small answer, or what is told first of a large one) ── worker
 *     main ◀─ select, next …, close ─ worker     main ◀── part … ── worker
 *     main ── opened, batch …, end ──▶ worker    main ── more … ──▶ worker
 *
 * A query that is split runs in several workers at once; main passes on to the first what the others give:
 *
 *     main ◀── result (share) ── others          main ── share … ──▶ first
 */
export const BATCHES_AHEAD = 4;
/** Parts of a large answer, of some hundred kilobytes each, that are on the way at a time. */
export const PARTS_AHEAD = 4;
/** A longer answer goes in parts. */
export const WHOLE_BYTES = 1024 * 1024;

/** What both threads look at while a query runs, in 16 bytes of shared memory. */
export const CONTROL_BYTES = 16;
/** In the Int32Array of it: written by the main thread, not 0 when the query is to end. */
export const CONTROL_ABORT = 0;
/** In the Float64Array of it: written by the worker, samples taken so far; a torn read does no harm, it is shown only. */
export const CONTROL_SAMPLES = 1;

export type QueryJob = {
  readonly query: string;
  readonly times: QueryTimes;
  readonly isInstant: boolean;
  /** What is left of it. */
  readonly timeoutMs: number;
  readonly maxSamples: number;
  readonly maxMemoryBytes: number;
  readonly defaultStepMs: number;
  readonly parser: ParserOptions;
  readonly options: ExecOptions;
  /** Samples of each step are told too. */
  readonly isPerStep: boolean;
  /** Every sample that Prometheus would count is read. */
  readonly countsAll: boolean;
  /** JSON of at most so many series (0: all), or columns; of a share that is not the first, columns for the first. */
  readonly form:
    | { readonly kind: 'json'; readonly limit: number }
    | { readonly kind: 'columns' }
    | { readonly kind: 'share' };
  /** Which of how many shares of a query these times are, oldest first; the first waits for the others and answers for all. */
  readonly share: { readonly index: number; readonly count: number } | null;
};

export type PackedRequest = {
  readonly range: TimeRange;
  readonly matchers: readonly {
    readonly name: string;
    readonly operator: MatchOperator;
    readonly value: string;
  }[];
  readonly hints: SelectHints;
  readonly sorted: boolean;
  readonly need: SampleNeed | null;
  readonly isLent: boolean;
  readonly isNewestOnly: boolean;
  readonly windows: SampleWindows | null;
};

export type PackedQueryError = {
  /** Null for what is no error of a query. */
  readonly kind: QueryErrorKind | null;
  readonly error: PackedError;
};

/** `id` names the query, `select` the request for series among those of the query. */
export type ToQueryWorker =
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly job: QueryJob;
      readonly control: SharedArrayBuffer;
    }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'more'; readonly id: number }
  | {
      readonly kind: 'share';
      readonly id: number;
      readonly index: number;
      readonly result: PackedResult;
    }
  | {
      readonly kind: 'batch';
      readonly id: number;
      readonly select: number;
      readonly batch: PackedSeries | PackedRaw;
      /** What the main thread took of the query's memory for it. */
      readonly takenBytes: number;
    }
  | {
      readonly kind: 'end';
      readonly id: number;
      readonly select: number;
      readonly warnings: readonly Annotation[];
      readonly error: { readonly error: PackedError; readonly isLimit: boolean } | null;
    };

/** As the storage has it, for its own reader. */
export type PackedRaw = {
  readonly kind: 'raw';
  readonly labels: PackedLabels;
  readonly samples: unknown;
};

export type FromQueryWorker =
  | {
      readonly kind: 'select';
      readonly id: number;
      readonly select: number;
      readonly request: PackedRequest;
    }
  | { readonly kind: 'next' | 'close'; readonly id: number; readonly select: number }
  | {
      readonly kind: 'result';
      readonly id: number;
      readonly body: ResultBody;
      readonly isTruncated: boolean;
      readonly annotations: readonly Annotation[];
      readonly stats: QueryStats;
    }
  | {
      readonly kind: 'part';
      readonly id: number;
      readonly bytes: Uint8Array;
      readonly isLast: boolean;
    }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly error: PackedQueryError;
      readonly stats: QueryStats;
    };

export type ResultBody =
  | { readonly kind: 'columns'; readonly result: PackedResult }
  | { readonly kind: 'share'; readonly result: PackedResult }
  | { readonly kind: 'whole'; readonly pieces: readonly Uint8Array[] }
  /** Parts follow; the last comes without the closing brace of the object. */
  | { readonly kind: 'parts' };
