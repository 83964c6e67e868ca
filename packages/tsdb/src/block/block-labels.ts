import type { Matcher } from '@pollux/model';
import { matchPostings } from '../query/label-index.ts';
import type { Block } from './block.ts';

/** Adds the names of the labels of the block's matching series, or of all when there is no matcher. */
export function addBlockLabelNames(
  names: Set<string>,
  block: Block,
  matchers: readonly Matcher[],
): void {
  if (matchers.length === 0) {
    for (const name of block.index.names) names.add(name);
    return;
  }
  for (const ref of matchPostings(block.index, matchers)) {
    for (const [name] of block.index.series(ref).labels) names.add(name);
  }
}

/** Adds the values of one label over the block's matching series, or over all when there is no matcher. */
export function addBlockLabelValues(
  values: Set<string>,
  block: Block,
  name: string,
  matchers: readonly Matcher[],
): void {
  if (matchers.length === 0) {
    block.index.forEachValue(name, (value) => values.add(value));
    return;
  }
  for (const ref of matchPostings(block.index, matchers)) {
    const value = block.index.series(ref).labels.get(name);
    if (value !== '') values.add(value);
  }
}
