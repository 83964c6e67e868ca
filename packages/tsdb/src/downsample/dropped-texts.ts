import { formatDuration, type Labels } from '@pollux/model';
import { type Annotation, BUCKET_FUNCTIONS } from '@pollux/storage';
import { RawDroppedError } from '../errors.ts';
import type { BucketTable } from './bucket-table.ts';
import type { Slice } from './slice.ts';
import type { SliceSet } from './slice-set.ts';

/** A slice of a set that is all that is left of some samples. */
export type Dropped = { readonly set: SliceSet; readonly slice: Slice };

/** `alsoMissing`: who else was asked for the samples. */
export function rawDropped(
  set: SliceSet,
  dropped: readonly Dropped[],
  alsoMissing = '',
): RawDroppedError {
  const resolution = formatDuration(set.resolutionMs);
  const untilMs = Math.max(...dropped.map(({ slice }) => slice.droppedUntilMs));
  const functions = [...BUCKET_FUNCTIONS.keys()].join(', ');
  return new RawDroppedError(
    resolution,
    `samples before ${new Date(untilMs).toISOString()} were dropped, down-sampled data of ${resolution} are left${alsoMissing}; ` +
      `ask for a later time, or use one of ${functions} with start, step, range and offset at multiples of ${resolution}, ` +
      'or allow approximate answers by --query.allow-approximate',
  );
}

export function notDownsampled(
  set: SliceSet,
  labels: Labels,
  unfit: BucketTable['unfit'],
): RawDroppedError {
  const resolution = formatDuration(set.resolutionMs);
  return new RawDroppedError(
    resolution,
    `samples of ${labels} were dropped, and data of ${resolution} cannot stand for them: ${whyUnfit(unfit)}; ask for a later time or for other series`,
  );
}

function whyUnfit(unfit: BucketTable['unfit']): string {
  return unfit === 'overflow'
    ? 'sums of values overflow'
    : 'native histograms are not down-sampled';
}

/** For what is left out where approximate answers are allowed. */
export function missing(set: SliceSet, unfit: BucketTable['unfit']): Annotation {
  const resolution = formatDuration(set.resolutionMs);
  return {
    kind: 'info',
    text: `PromQL info: samples were dropped, and series are missing from down-sampled data of ${resolution}: ${whyUnfit(unfit)}`,
  };
}

export function approximation(set: SliceSet): Annotation {
  const resolution = formatDuration(set.resolutionMs);
  return {
    kind: 'info',
    text: `PromQL info: samples were dropped, and the answer is approximated from down-sampled data of ${resolution}`,
  };
}
