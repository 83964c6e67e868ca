import { intersectPostings, mergePostings, subtractPostings } from '@pollux/kernels';
import type { Matcher } from '@pollux/model';

/** An inverted index of series by labels, as the head and every block have one. */
export interface LabelIndex {
  /** References of all series, ascending. */
  all(): Uint32Array;
  postings(name: string, value: string): Uint32Array;
  /** One list for each value of the name, never the empty one, that passes. */
  postingsWhere(name: string, passes: (value: string) => boolean): Uint32Array[];
}

/**
 * References of the series that pass all matchers, ascending; a list of its own. Matchers that refuse the empty value
 * are answered by what they match, the others by what they refuse: a series without the label passes those.
 */
export function matchPostings(index: LabelIndex, matchers: readonly Matcher[]): Uint32Array {
  const included: Uint32Array[] = [];
  const excluded: Uint32Array[] = [];
  for (const matcher of matchers) {
    if (matcher.matchesEmpty) excluded.push(refused(index, matcher));
    else {
      const list = accepted(index, matcher);
      if (list.length === 0) return new Uint32Array(0);
      included.push(list);
    }
  }
  if (included.length === 0) included.push(index.all());
  included.sort((a, b) => a.length - b.length);
  let result = included[0]!.slice();
  for (let i = 1; i < included.length && result.length > 0; i++) {
    const target = new Uint32Array(Math.min(result.length, included[i]!.length));
    result = target.subarray(0, intersectPostings(result, included[i]!, target));
  }
  for (const list of excluded) {
    if (list.length === 0) continue;
    const target = new Uint32Array(result.length);
    result = target.subarray(0, subtractPostings(result, list, target));
  }
  return result;
}

function accepted(index: LabelIndex, matcher: Matcher): Uint32Array {
  if (matcher.operator === '=') return index.postings(matcher.name, matcher.value);
  const literals = matcher.operator === '=~' ? matcher.pattern!.literals : null;
  if (literals !== null) {
    return mergePostings(literals.map((value) => index.postings(matcher.name, value)));
  }
  return mergePostings(index.postingsWhere(matcher.name, (value) => matcher.matches(value)));
}

function refused(index: LabelIndex, matcher: Matcher): Uint32Array {
  if (matcher.operator === '!=') return index.postings(matcher.name, matcher.value);
  const literals = matcher.operator === '!~' ? matcher.pattern!.literals : null;
  if (literals !== null) {
    return mergePostings(literals.map((value) => index.postings(matcher.name, value)));
  }
  return mergePostings(index.postingsWhere(matcher.name, (value) => !matcher.matches(value)));
}
