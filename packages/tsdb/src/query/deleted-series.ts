import type { LabelIndex } from '@pollux/index';
import type { Slices } from '../slices.ts';
import type { ColumnBuilder } from './column-builder.ts';
import type { SeriesCursor } from './series-cursor.ts';

/** True when the series that the cursor stands on has a sample in the range that is not deleted. */
export function hasLiveSamples(cursor: SeriesCursor, builder: ColumnBuilder): boolean {
  if (!cursor.hasSamples()) return false;
  // Only reading tells whether a partly deleted chunk has a sample left in the range.
  if (!cursor.hasDeletions) return true;
  cursor.read(builder);
  return builder.discard() > 0;
}

/** References of the cursor's series that have nothing to show in the range. Closes the cursor. */
export async function seriesWithoutSamples(
  cursor: SeriesCursor,
  builder: ColumnBuilder,
  slices: Slices,
): Promise<ReadonlySet<number>> {
  const hidden = new Set<number>();
  try {
    for (; cursor.labels !== null; cursor.advance()) {
      if (!hasLiveSamples(cursor, builder)) hidden.add(cursor.ref);
      if (slices.isOver) await slices.pause();
    }
  } finally {
    cursor.close();
  }
  return hidden;
}

/** True when a series with this label is not among the hidden ones; `value` null stands for any. */
export function isLabelShown(
  index: LabelIndex,
  label: { readonly name: string; readonly value: string | null },
  isHidden: (ref: number) => boolean,
): boolean {
  const { name, value } = label;
  const lists =
    value === null ? index.postingsWhere(name, () => true) : [index.postings(name, value)];
  return lists.some((refs) => refs.some((ref) => !isHidden(ref)));
}
