import { type Matcher, METRIC_NAME } from '@pollux/model';
import type { CoverageSubject } from './coverage.ts';

/**
 * Whether a selector may touch the subject's series. A target is ruled out only by a matcher on a label that all its series
 * carry; a group by the names it writes. True when in doubt: coverage may be asked for too much, never for too little.
 */
export function mayMatch(subject: CoverageSubject, matchers: readonly Matcher[]): boolean {
  if (subject.kind === 'group') {
    const onName = matchers.filter((matcher) => matcher.name === METRIC_NAME);
    return subject.metricNames.some((name) => onName.every((matcher) => matcher.matches(name)));
  }
  return matchers.every((matcher) => {
    const value = subject.labels.get(matcher.name);
    return value === '' || matcher.matches(value);
  });
}

/** As {@link mayMatch}, for the selectors of a whole expression. */
export function mayMatchAny(
  subject: CoverageSubject,
  selectors: readonly (readonly Matcher[])[],
): boolean {
  return selectors.some((matchers) => mayMatch(subject, matchers));
}
