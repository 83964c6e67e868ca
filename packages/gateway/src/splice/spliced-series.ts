import { type Clock, Slices } from '@pollux/base';
import type { Span } from '@pollux/promql/parser';
import {
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesSource,
  withoutNeed,
} from '@pollux/storage';
import { noNames } from '../no-names.ts';
import { bucketWishOf } from './bucket-wish.ts';
import type { MemberReader } from './member-reader.ts';
import type { Splice } from './segments.ts';
import { SplicedSource } from './spliced-source.ts';

/** Series put together from several replicas by the segments that a {@link Splice} gives each of them. */
export class SplicedSeries implements Queryable {
  readonly labelNames = noNames;
  readonly labelValues = noNames;
  readonly #clock: Clock;
  readonly #splice: Splice;
  readonly #readers: readonly (MemberReader | null)[];
  readonly #spans: readonly (Span | null)[];
  readonly #mayBucket: boolean;
  readonly #onFault: (error: unknown) => void;

  /**
   * Readers are in the order of the splice's replicas; null for one that it does not read. With `mayBucket` a series comes in buckets where
   * these are as good as its samples, and rejects with {@link HistogramsError} when it turns out not to be of floats. `onFault` is told what a read rejects with.
   */
  constructor(
    clock: Clock,
    splice: Splice,
    readers: readonly (MemberReader | null)[],
    {
      mayBucket = false,
      onFault = () => {},
    }: { readonly mayBucket?: boolean; readonly onFault?: (error: unknown) => void } = {},
  ) {
    this.#mayBucket = mayBucket;
    this.#onFault = onFault;
    this.#clock = clock;
    this.#splice = splice;
    this.#readers = readers;
    this.#spans = splice.spansToRead();
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const { range, isLent = false, need } = request;
    const segments = this.#mayBucket ? this.#splice.allSegments() : null;
    const wish = segments === null ? null : bucketWishOf(need, segments);
    const sorted = { ...withoutNeed(request), sorted: true };
    const lanes = [];
    for (const [replica, reader] of this.#readers.entries()) {
      const span = this.#spans[replica];
      if (reader === null || span == null) continue;
      const minMs = Math.max(range.minMs, span.minMs);
      const maxMs = Math.min(range.maxMs, span.maxMs);
      if (minMs > maxMs) continue;
      lanes.push({ replica, lane: reader.open(sorted, { minMs, maxMs }, context, wish) });
    }
    return new SplicedSource(this.#splice, lanes, {
      range,
      isLent,
      wish,
      onFault: this.#onFault,
      context,
      slices: new Slices(this.#clock, context.signal),
    });
  }
}
