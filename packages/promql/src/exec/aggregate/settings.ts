import type { ExecContext } from '../context.ts';
import type { StepGrid } from '../grid.ts';
import type { Operator } from '../operator.ts';

/** What every aggregating operator is made of. */
export type AggregateSettings = {
  readonly child: Operator;
  readonly parameter: Operator | null;
  readonly grid: StepGrid;
  readonly context: ExecContext;
};
