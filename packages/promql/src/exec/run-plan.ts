import type { Plan } from '../plan/nodes.ts';
import type { QueryResult } from '../result.ts';
import { collectInstant, collectMatrixSource, collectRange } from './collect.ts';
import type { ExecContext } from './context.ts';
import { gridBetween } from './grid.ts';

/** Evaluates a plan at the times of its context. */
export async function runPlan(plan: Plan, context: ExecContext): Promise<QueryResult> {
  context.held.begin(plan);
  const result = await evaluate(plan, context);
  context.held.check(context.held.peak);
  return result;
}

function evaluate(plan: Plan, context: ExecContext): Promise<QueryResult> {
  const { times } = context;
  if (plan.kind === 'matrix') return collectMatrixSource(plan.source, context);
  if (context.isInstant) return collectInstant(plan, context);
  return collectRange(plan, gridBetween(times.startMs, times.endMs, times.stepMs), context);
}
