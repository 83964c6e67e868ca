import { matchPostings } from '@pollux/index';
import type { Matcher } from '@pollux/model';
import { isLabelShown } from '../query/deleted-series.ts';
import type { Block } from './block.ts';

/** Series that are read between two steps. */
const STEP = 256;

/**
 * Adds the names of the labels of the block's matching series, or of all when there is no matcher. Series in `hidden` do
 * not count. Yields between steps.
 */
export function* addBlockLabelNames(
  names: Set<string>,
  block: Block,
  matchers: readonly Matcher[],
  hidden: ReadonlySet<number>,
): Generator<void, void> {
  const { index } = block;
  if (matchers.length === 0) {
    const doubtful = new Set<string>();
    for (const ref of hidden) for (const [name] of index.series(ref).labels) doubtful.add(name);
    const isHidden = (ref: number): boolean => hidden.has(ref);
    for (const name of index.names) {
      if (doubtful.has(name) && !isLabelShown(index, { name, value: null }, isHidden)) continue;
      names.add(name);
    }
    return;
  }
  for (const [i, ref] of matchPostings(index, matchers).entries()) {
    if (i % STEP === 0) yield;
    if (hidden.has(ref)) continue;
    for (const [name] of index.series(ref).labels) names.add(name);
  }
}

/**
 * Adds the values of one label over the block's matching series, or over all when there is no matcher. Series in `hidden`
 * do not count. Yields between steps.
 */
export function* addBlockLabelValues(
  values: Set<string>,
  block: Block,
  name: string,
  select: { readonly matchers: readonly Matcher[]; readonly hidden: ReadonlySet<number> },
): Generator<void, void> {
  const { index } = block;
  const { matchers, hidden } = select;
  if (matchers.length === 0) {
    const doubtful = new Set<string>();
    for (const ref of hidden) doubtful.add(index.series(ref).labels.get(name));
    const isHidden = (ref: number): boolean => hidden.has(ref);
    for (const some of index.valuesOf(name)) {
      for (const value of some) {
        if (!doubtful.has(value) || isLabelShown(index, { name, value }, isHidden))
          values.add(value);
      }
      yield;
    }
    return;
  }
  for (const [i, ref] of matchPostings(index, matchers).entries()) {
    if (i % STEP === 0) yield;
    if (hidden.has(ref)) continue;
    const value = index.series(ref).labels.get(name);
    if (value !== '') values.add(value);
  }
}
