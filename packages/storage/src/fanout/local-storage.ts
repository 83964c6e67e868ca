import type { OperatingError } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { IntervalSet } from '../coverage/interval-set.ts';
import type {
  Annotation,
  Queryable,
  ReadContext,
  SelectRequest,
  SeriesSource,
} from '../queryable.ts';

/** What storage answers of a request with `need` when others are asked, too, for the times that it lacks. */
export type LocalAnswer =
  /** Samples, and nothing was dropped of those that are asked for. */
  | { readonly kind: 'samples'; readonly source: SeriesSource }
  /**
   * Some were dropped, and buckets stand for them: series come with `buckets`, in which a sample beside buckets is a bucket
   * of its own. A series that nothing was dropped of may come as samples. In `times`, between bucket edges, the buckets are
   * the authority; elsewhere samples of others may be put between.
   */
  | ({
      readonly kind: 'buckets';
      readonly source: SeriesSource;
      readonly resolutionMs: number;
      readonly times: IntervalSet;
    } & Refusal)
  /**
   * Some were dropped, and buckets cannot answer: `source` gives the samples that are there, and each of `lost`, finest
   * first, the buckets of those that are not, with `counts` and `firstTimesMs`. A count of 0 says that how many is not known.
   */
  | ({
      readonly kind: 'remains';
      readonly source: SeriesSource;
      readonly lost: readonly SeriesSource[];
    } & Refusal);

/** What to do about samples that are nowhere to be had: fail, or, where it gives null, leave it at what there is and say so. */
export type Refusal = {
  readonly refuse: (labels: Labels) => OperatingError | null;
  readonly approximation: Annotation;
};

/** Storage that may hold buckets in place of samples that were dropped. */
export interface LocalStorage extends Queryable {
  /** As `select` of a request with `need`, sorted; others are asked for the times in `lacking`. */
  selectBeside(
    request: SelectRequest,
    lacking: IntervalSet,
    context: ReadContext,
  ): Promise<LocalAnswer>;
}
