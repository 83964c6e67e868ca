import { type Labels, type Matcher, METRIC_NAME, matchesAll } from '@pollux/model';
import type { NanoRange, TagCondition, TimeRange } from '@pollux/storage';
import type { StoreView, ViewSeries } from '../store-view.ts';
import { labelsOf, NAMELESS } from './prometheus-mapping.ts';

/** Measurements that may hold series of these matchers. */
export function measurementsOf(view: StoreView, filters: readonly Matcher[]): readonly string[] {
  const onName = filters.filter((matcher) => matcher.name === METRIC_NAME);
  // The usual selector: the names of all measurements need not be put in order for it.
  const exact = onName.find(({ operator, value }) => operator === '=' && value !== '');
  const names = exact === undefined ? view.measurements() : [exact.value];
  // A measurement without a stored name is shown under its own, so both decide alike.
  return names.filter(
    (name) =>
      view.hasMeasurement(name) &&
      (name === NAMELESS || onName.every((matcher) => matcher.matches(name))),
  );
}

/** Series of a measurement that match and of which `isShown`. */
export function seriesOf(
  view: StoreView,
  measurement: string,
  filters: readonly Matcher[],
  isShown: (series: ViewSeries) => boolean,
): ViewSeries[] {
  const onName = filters.filter((matcher) => matcher.name === METRIC_NAME);
  const conditions = filters.filter((matcher) => matcher.name !== METRIC_NAME).map(tagConditionOf);
  const matches = (tags: Labels): boolean => matchesAll(onName, labelsOf(measurement, tags));
  return view.series(measurement, matches, conditions).filter(isShown);
}

function tagConditionOf(matcher: Matcher): TagCondition {
  return {
    tag: matcher.name,
    equals: matcher.operator === '=' ? matcher.value : null,
    matches: (value) => matcher.matches(value),
  };
}

export function sortByLabels(series: ViewSeries[]): void {
  series.sort((a, b) => labelsOf(a.measurement, a.tags).compare(labelsOf(b.measurement, b.tags)));
}

export function nanoRange(range: TimeRange): NanoRange {
  return { minMs: range.minMs, minNanos: 0, maxMs: range.maxMs, maxNanos: 0 };
}
