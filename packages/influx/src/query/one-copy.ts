import { Labels } from '@pollux/model';
import { type ColumnData, chooseCopy, type SeriesColumns } from '@pollux/storage';

/**
 * One copy of a field's replicas by the rule that holds everywhere in the stack. Only Prometheus writes replicas, so several
 * columns are always floats at whole milliseconds.
 */
export function oneCopy(
  columns: readonly { readonly replica: string; readonly data: ColumnData }[],
): ColumnData | null {
  const [first] = columns;
  if (first === undefined) return null;
  if (columns.length === 1) return first.data;
  const copies: SeriesColumns[] = columns.map(({ replica, data }) => ({
    labels: Labels.EMPTY,
    count: data.count,
    timestampsMs: data.timesMs,
    values: data.cells,
    histograms: null,
    startTimestampsMs: null,
    replica,
  }));
  const { count, timestampsMs, values } = chooseCopy(copies);
  return {
    kind: first.data.kind,
    count,
    timesMs: timestampsMs,
    nanos: null,
    cells: values,
    texts: null,
  };
}
