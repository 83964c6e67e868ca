import { matchPostings } from '@pollux/index';
import { intersectPostings, subtractPostings } from '@pollux/kernels';
import type { Block } from '../block/block.ts';
import type { RetentionRule } from './settings.ts';

/** Which series of a block fall under which rule: class i is that of rule i, the last class that of no rule. */
export type SeriesClasses = {
  /** Series in each class. */
  readonly counts: readonly number[];
};

/** More rules than this would need wider classes; the configuration refuses them. */
export const MAX_RETENTION_RULES = 254;

export function countClasses(block: Block, rules: readonly RetentionRule[]): SeriesClasses {
  return { counts: classRefs(block, rules).map((refs) => refs.length) };
}

/** The class of each series, by its number in the order of labels. */
export function classOfSeries(block: Block, rules: readonly RetentionRule[]): Uint8Array {
  const all = block.index.all();
  const classes = new Uint8Array(all.length);
  for (const [kind, refs] of classRefs(block, rules).entries()) {
    let at = 0;
    for (const ref of refs) {
      while (all[at]! < ref) at++;
      classes[at] = kind;
    }
  }
  return classes;
}

/** References of the series of each class, ascending. */
function classRefs(block: Block, rules: readonly RetentionRule[]): Uint32Array[] {
  let rest: Uint32Array = block.index.all();
  const lists: Uint32Array[] = [];
  for (const { matchers } of rules) {
    const matching = matchPostings(block.index, matchers);
    const own = new Uint32Array(Math.min(rest.length, matching.length));
    const count = intersectPostings(rest, matching, own);
    lists.push(own.subarray(0, count));
    const others = new Uint32Array(rest.length);
    rest = others.subarray(0, subtractPostings(rest, own.subarray(0, count), others));
  }
  lists.push(rest);
  return lists;
}
