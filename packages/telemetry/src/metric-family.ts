export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';

/** One line of an exposition. `suffix` is appended to the family's name (`_bucket`, `_sum`, `_count`, or nothing). */
export type FamilySample = {
  readonly suffix: string;
  /** name, value, name, value … in the order they are written. */
  readonly labels: readonly string[];
  readonly value: number;
};

export type MetricFamily = {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly samples: readonly FamilySample[];
};
