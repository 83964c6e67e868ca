import type { Expr } from '@pollux/promql/parser';
import type { Answer, SeriesJson } from './ask.ts';
import type { Difference } from './compare.ts';
import { YOUNGER_DEVIATIONS } from './deviations-younger.ts';
import type { Dialect } from './peer.ts';

/** A query that was answered differently. */
export type Parting = {
  readonly query: string;
  /** Null for a text that is no tree's. */
  readonly expr: Expr | null;
  readonly features: ReadonlySet<string>;
  readonly isRange: boolean;
  readonly ours: Answer;
  readonly theirs: Answer;
  readonly difference: Difference;
  /** Prometheus gave our answer when it was asked again. */
  readonly isChance: boolean;
};

/** A way in which 3.x means to differ from 2.42. */
export type Deviation = {
  readonly name: string;
  /** What changed between the releases. */
  readonly why: string;
  excuses(parting: Parting): boolean;
};

/** All in which 2.42 may differ. A row is added only for what Prometheus itself changed. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    name: 'atan2 keeps the name of the metric in 2.42',
    why: 'it was left out of the operators that drop it',
    excuses: ({ query, difference }) =>
      /\batan2\b/.test(query) && ['series', 'status'].includes(difference.kind),
  },
  {
    name: 'topk and bottomk choose others among equals',
    why: '3.x replaces the top of the heap where 2.42 popped and pushed',
    excuses: ({ features, ours, theirs, difference }) =>
      (features.has('aggregation topk') || features.has('aggregation bottomk')) &&
      difference.kind === 'series' &&
      valuesOf(ours.series) === valuesOf(theirs.series),
  },
  {
    name: 'predict_linear over @ reads a window that moves with the step in 2.42',
    why: '3.x reads a pinned window once',
    excuses: ({ query, features, isRange, difference }) =>
      isRange &&
      features.has('function predict_linear') &&
      query.includes(' @ ') &&
      ['value', 'series'].includes(difference.kind),
  },
  {
    name: 'stddev and stdvar of a single infinity are 0 in 2.42',
    why: '3.x says NaN',
    excuses: ({ features, difference }) =>
      (features.has('aggregation stddev') || features.has('aggregation stdvar')) &&
      difference.kind === 'value' &&
      /ours \[[\d.]+,"NaN"\], theirs \[[\d.]+,"[-+.e\d]+"\]/.test(difference.text),
  },
  {
    name: 'durations are expressions in 3.x',
    why: '2.42 has literals alone in ranges and offsets',
    excuses: ({ features, ours, theirs }) =>
      features.has('text mutated') &&
      ours.errorType !== 'bad_data' &&
      /unexpected (?:<op:.>|number ".*"|".") in (?:subquery|offset)|bad duration syntax/.test(
        theirs.error,
      ),
  },
  {
    name: 'means of values that cancel out',
    why: '3.x divides a compensated sum, 2.42 moved a mean from value to value',
    excuses: ({ features, difference }) =>
      (features.has('function avg_over_time') || features.has('aggregation avg')) &&
      (isNear(difference, 1e-12) ||
        (isRounding(features) && isNear(difference, 1)) ||
        (difference.kind === 'value' && /function l(?:n|og2|og10)\b/.test([...features].join()))),
  },
  {
    name: 'sums of histograms of which some have just been reset',
    why: '3.x remarks on it',
    excuses: ({ features, ours, theirs, difference }) =>
      features.has('modifier native histogram') &&
      difference.kind === 'remarks' &&
      [...theirs.warnings, ...theirs.infos, ...ours.infos].length === 0 &&
      ours.warnings.every((text) =>
        text.startsWith('PromQL warning: conflicting counter resets during histogram aggregation'),
      ),
  },
  {
    name: 'sort is ineffective for range queries',
    why: '3.x remarks on it',
    excuses: ({ query, isRange, ours, theirs, difference }) =>
      isRange &&
      /\bsort(?:_desc)?\b/.test(query) &&
      difference.kind === 'remarks' &&
      [...theirs.warnings, ...theirs.infos, ...ours.infos].length === 0 &&
      ours.warnings.every((text) =>
        text.startsWith('PromQL warning: sort is ineffective for range queries'),
      ),
  },
  {
    name: 'fewer series than an int64 counts below none',
    why: '3.x looks no closer at a number that is below one at every step',
    excuses: ({ query, ours, theirs }) =>
      /\b(?:topk|bottomk|limitk)\b/.test(query) &&
      ours.error === '' &&
      /^Scalar value -\S+ overflows int64$/.test(theirs.error),
  },
];

export const MAX_DEVIATIONS = 25;

/** What may differ where a Prometheus of this dialect judges. */
export function deviationsFrom(dialect: Dialect): readonly Deviation[] {
  return dialect === '3.x' ? YOUNGER_DEVIATIONS : DEVIATIONS;
}

/** A mean that lies on the edge may be rounded either way. */
function isRounding(features: ReadonlySet<string>): boolean {
  return ['round', 'ceil', 'floor'].some((name) => features.has(`function ${name}`));
}

/** Two floats that are less than this apart, whatever their size. */
function isNear({ kind, text }: Difference, distance: number): boolean {
  const match = /ours \[[\d.]+,"([^"]+)"\], theirs \[[\d.]+,"([^"]+)"\]$/.exec(text);
  return (
    kind === 'value' && match !== null && Math.abs(Number(match[1]) - Number(match[2])) <= distance
  );
}

/** The values of each step, whoever has them. */
function valuesOf(series: readonly SeriesJson[]): string {
  return series
    .flatMap(({ value, values }) => values ?? (value === undefined ? [] : [value]))
    .map(([time, value]) => `${time} ${value}`)
    .sort()
    .join('\n');
}
