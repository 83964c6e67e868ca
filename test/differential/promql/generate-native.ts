import type { Expr } from '@pollux/promql/parser';
import type { Dice } from './dice.ts';
import { aggregate, binary, type Condition, call, matrix, number, selector } from './nodes.ts';
import { windowMs } from './operands.ts';

const TARGETS: readonly Condition[][] = [
  ['api', 'a:80'],
  ['api', 'c:80'],
  ['web', 'b:80'],
  ['db', 'd:5432'],
].map(([job, instance]) => [
  ['job', '=', job!],
  ['instance', '=', instance!],
]);

/**
 * Queries over native histograms whose meaning 2.42 and 3.x share. Ranges are of one series: 2.42 takes points of one for
 * those of the next.
 */
export function nativeQuery(dice: Dice): Expr {
  const histograms = selector('size_bytes', dice.once(2) ? [['job', '=', 'api']] : []);
  const range = matrix(selector('size_bytes', dice.one(TARGETS)), windowMs(dice));
  const rate = call(dice.one(['rate', 'increase']), range);
  const sum = aggregate('sum', dice.one<Expr>([histograms, rate]), {
    grouping: { labels: dice.one([[], ['job']]), without: false },
  });
  return dice.one<() => Expr>([
    () => histograms,
    () => rate,
    () => sum,
    () => call('histogram_count', dice.one([histograms, rate, sum])),
    () => call('histogram_sum', dice.one([histograms, rate, sum])),
    () =>
      call(
        'histogram_fraction',
        number(-8),
        number(dice.one([4, 8])),
        dice.one([histograms, rate]),
      ),
    () => call(dice.one(['count_over_time', 'present_over_time']), range),
    () => aggregate(dice.one(['count', 'group']), histograms),
    () => binary(histograms, '+', histograms, { matching: {} }),
    () =>
      binary(histograms, 'and', selector('memory_bytes'), {
        matching: { cardinality: 'many-to-many' },
      }),
  ])();
}
