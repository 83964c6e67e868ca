import { type Labels, METRIC_NAME } from '@pollux/model';
import type { AggregateNode } from '../../plan/nodes.ts';
import type { SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';

/** Which group each input series belongs to, worked out once per query. */
export type Grouping = {
  readonly groups: readonly SeriesInfo[];
  readonly groupOf: Int32Array;
};

export function groupSeries(
  node: GroupingNode,
  series: readonly SeriesInfo[],
  context: ExecContext,
): Grouping {
  const table = new GroupTable(node, context);
  const groupOf = table.place(series);
  return { groups: table.groups, groupOf };
}

type GroupingNode = Pick<AggregateNode, 'grouping' | 'without'>;

/** No text that was decoded from UTF-8 holds a lone surrogate. */
const JOINT = '\ud800';

/** The groups of an aggregation, which come to be as series are placed. */
export class GroupTable {
  /** In the order of their first series. */
  readonly groups: SeriesInfo[] = [];
  readonly #without: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #nameList: readonly string[];
  readonly #byKey = new Map<string, number>();

  constructor({ grouping, without }: GroupingNode, context: ExecContext) {
    const names = new Set(grouping);
    if (without) {
      names.add(METRIC_NAME);
      if (context.options.typeAndUnitLabels) names.add('__type__').add('__unit__');
    }
    this.#without = without;
    this.#names = names;
    this.#nameList = [...names];
  }

  /** The group of each series. */
  place(series: readonly SeriesInfo[]): Int32Array {
    const groupOf = new Int32Array(series.length);
    for (let s = 0; s < series.length; s++) groupOf[s] = this.#groupOf(series[s]!);
    return groupOf;
  }

  #groupOf({ labels, dropName }: SeriesInfo): number {
    const key = this.#without ? this.#keyWithout(labels) : this.#keyBy(labels);
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      // With the name among the grouping labels, a group loses it when any member was to lose it.
      const group = this.groups[known]!;
      if (dropName && !group.dropName) this.groups[known] = { ...group, dropName };
      return known;
    }
    const kept = this.#without ? labels.drop(this.#names) : labels.keep(this.#names);
    this.#byKey.set(key, this.groups.length);
    this.groups.push({ labels: kept, dropName });
    return this.groups.length - 1;
  }

  /** The values alone: which names there are is the same for all, and an absent label is an empty one. */
  #keyBy(labels: Labels): string {
    const names = this.#nameList;
    if (names.length === 0) return '';
    let key = labels.get(names[0]!);
    for (let i = 1; i < names.length; i++) key += JOINT + labels.get(names[i]!);
    return key;
  }

  #keyWithout(labels: Labels): string {
    let key = '';
    for (let i = 0; i < labels.size; i++) {
      const name = labels.nameAt(i);
      if (!this.#names.has(name)) key += name + JOINT + labels.valueAt(i) + JOINT;
    }
    return key;
  }
}
