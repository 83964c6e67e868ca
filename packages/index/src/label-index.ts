import { intersectPostings, mergePostings, subtractPostings } from '@pollux/kernels';
import type { Matcher } from '@pollux/model';

/** An inverted index of series by labels, as the head, every block and every shard group have one. */
export interface LabelIndex {
  /** References of all series, ascending. */
  all(): Uint32Array;
  postings(name: string, value: string): Uint32Array;
  /** One list for each value of the name, never the empty one, that passes. */
  postingsWhere(name: string, passes: (value: string) => boolean): Uint32Array[];
  /**
   * Those of `refs` whose value of the label, empty when absent, passes; null when the lists of the values are the cheaper way
   * to know. Indexes that cannot tell a series' value at once have no such function.
   */
  filter?(refs: Uint32Array, name: string, passes: (value: string) => boolean): Uint32Array | null;
}

/** What a series must fulfil in one label; an absent label counts as an empty value. */
export type LabelCondition = {
  readonly name: string;
  readonly matches: (value: string) => boolean;
  readonly matchesEmpty: boolean;
  /** The values, none of them empty, that decide otherwise than the empty one; null when `matches` must be asked. */
  readonly deciding: readonly string[] | null;
};

/** References of the series that pass all matchers, ascending; a list of its own. */
export function matchPostings(index: LabelIndex, matchers: readonly Matcher[]): Uint32Array {
  return selectPostings(index, matchers.map(conditionOf));
}

/**
 * References of the series that fulfil all conditions, ascending; a list of its own. Conditions that refuse the empty value
 * are answered by what they match, the others by what they refuse: a series without the label passes those. With `within`
 * only references in this list are taken.
 */
export function selectPostings(
  index: LabelIndex,
  conditions: readonly LabelCondition[],
  within: Uint32Array | null = null,
): Uint32Array {
  const named: Uint32Array[] = within === null ? [] : [within];
  const asked: LabelCondition[] = [];
  const refusing: LabelCondition[] = [];
  for (const condition of conditions) {
    if (condition.matchesEmpty) refusing.push(condition);
    else if (condition.deciding === null) asked.push(condition);
    else {
      const list = decidingPostings(index, condition);
      if (list.length === 0) return new Uint32Array(0);
      named.push(list);
    }
  }
  let found = named.length === 0 ? null : intersection(named);
  // Those that let the absent pass come last: they leave most of what they are given.
  for (const condition of [...asked, ...refusing]) found = narrowed(index, found, condition);
  return found ?? index.all().slice();
}

function conditionOf(matcher: Matcher): LabelCondition {
  const { name, operator, value, pattern, matchesEmpty } = matcher;
  const isPositive = operator === '=' || operator === '=~';
  const literals = pattern === null ? [value] : pattern.literals;
  return {
    name,
    matches: (text) => matcher.matches(text),
    matchesEmpty,
    deciding: isPositive === matchesEmpty ? null : literals,
  };
}

/** Series with a value that decides otherwise than the empty one. */
function decidingPostings(index: LabelIndex, condition: LabelCondition): Uint32Array {
  const { name, deciding, matches, matchesEmpty } = condition;
  const lists =
    deciding === null
      ? index.postingsWhere(name, (value) => matches(value) !== matchesEmpty)
      : deciding.map((value) => index.postings(name, value));
  return mergePostings(lists);
}

function intersection(lists: Uint32Array[]): Uint32Array {
  lists.sort((a, b) => a.length - b.length);
  let found = lists[0]!.slice();
  for (let i = 1; i < lists.length && found.length > 0; i++) {
    const target = new Uint32Array(found.length);
    found = target.subarray(0, intersectPostings(found, lists[i]!, target));
  }
  return found;
}

/** Those of `found`, a list of its own, or of all for null, that fulfil the condition. */
function narrowed(
  index: LabelIndex,
  found: Uint32Array | null,
  condition: LabelCondition,
): Uint32Array {
  if (found?.length === 0) return found;
  const { name, matches, matchesEmpty, deciding } = condition;
  if (found !== null && deciding === null) {
    const kept = index.filter?.(found, name, matches) ?? null;
    if (kept !== null) return kept;
  }
  const list = decidingPostings(index, condition);
  if (!matchesEmpty) return found === null ? list.slice() : intersection([found, list]);
  const from = found ?? index.all();
  if (list.length === 0) return from.slice();
  const target = new Uint32Array(from.length);
  return target.subarray(0, subtractPostings(from, list, target));
}
