import type { ExecContext } from './context.ts';
import { MapSeries } from './map-series.ts';
import type { Operator } from './operator.ts';

/** After a function that took names away: series that became equal are one, or an error where both have a value. */
export function mergeEqual(operator: Operator, context: ExecContext): Operator {
  // With delayed removal names are still there; equality is looked at once, at the end of the query.
  return context.options.delayedNameRemoval ? operator : new MapSeries(operator, (info) => info);
}
