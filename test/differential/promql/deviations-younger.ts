import type { Deviation } from './deviations.ts';

/** All in which 3.x may differ: where it answers by mistake, or one time so and one time so. */
export const YOUNGER_DEVIATIONS: readonly Deviation[] = [
  {
    name: 'what 3.x leaves to chance',
    why: 'series that were worked out over a range come in the order of a Go map, and which of equals topk keeps goes by it',
    excuses: ({ isChance }) => isChance,
  },
  {
    name: 'the tree of fill(NaN) is no JSON in 3.x',
    why: 'its encoder knows no NaN, so parse_query answers with 500 and no JSON; ours writes null',
    excuses: ({ difference }) =>
      difference.kind === 'error' && /500 not JSON: .*unsupported value: NaN/.test(difference.text),
  },
  {
    name: 'samples that were made monotonic are counted too often in 3.x',
    why: 'merging remarks adds the count of a step to itself again; ours counts each once',
    excuses: ({ ours, theirs, difference }) =>
      difference.kind === 'remarks' &&
      String(ours.warnings) === String(theirs.warnings) &&
      uncounted(ours.infos) === uncounted(theirs.infos) &&
      countsIn(ours.infos) < countsIn(theirs.infos),
  },
];

const COUNT = /, over (\d+) samples from /;

function uncounted(texts: readonly string[]): string {
  return String(texts.map((text) => text.replace(COUNT, ', over some samples from ')).sort());
}

function countsIn(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Number(COUNT.exec(text)?.[1] ?? 0), 0);
}
