import { Labels, METRIC_NAME } from '@pollux/model';
import type { AggregateNode } from '../../plan/nodes.ts';
import type { SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';

/** Which group each input series belongs to, worked out once per query. */
export type Grouping = {
  readonly groups: readonly SeriesInfo[];
  readonly groupOf: Int32Array;
};

export function groupSeries(
  node: Pick<AggregateNode, 'grouping' | 'without'>,
  series: readonly SeriesInfo[],
  context: ExecContext,
): Grouping {
  if (!node.without && node.grouping.length === 0) return oneGroup(series);
  const names = new Set(node.grouping);
  if (node.without) {
    names.add(METRIC_NAME);
    if (context.options.typeAndUnitLabels) names.add('__type__').add('__unit__');
  }
  const byKey = new Map<string, number>();
  const groups: SeriesInfo[] = [];
  const groupOf = Int32Array.from(series, (info) => {
    const labels = node.without ? info.labels.drop(names) : info.labels.keep(names);
    const key = labels.key();
    const known = byKey.get(key);
    if (known !== undefined) {
      // With the name among the grouping labels, a group loses it when any member was to lose it.
      if (info.dropName && !groups[known]!.dropName) groups[known] = { labels, dropName: true };
      return known;
    }
    byKey.set(key, groups.length);
    groups.push({ labels, dropName: info.dropName });
    return groups.length - 1;
  });
  return { groups, groupOf };
}

function oneGroup(series: readonly SeriesInfo[]): Grouping {
  const dropName = series.some((info) => info.dropName);
  const groups = series.length === 0 ? [] : [{ labels: Labels.EMPTY, dropName }];
  return { groups, groupOf: new Int32Array(series.length) };
}
