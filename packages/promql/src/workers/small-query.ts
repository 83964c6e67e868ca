import type { Queryable } from '@pollux/storage';
import type { Expr } from '../parser/ast.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import { timeSpan } from '../parser/time-span.ts';
import { walk } from '../parser/walk.ts';

/** Series are taken to have a sample this often. */
const SAMPLE_INTERVAL_MS = 5_000;

/**
 * True when a query is known to look at no more than `maxPoints` points (samples, and values at steps), so that it is evaluated
 * sooner than it is handed to another thread. Asks storage for nothing but what is at hand.
 */
export function isSmallQuery(
  expr: Expr,
  query: { readonly text: string; readonly times: QueryTimes; readonly lookbackMs: number },
  queryable: Queryable,
  maxPoints: number,
): boolean {
  const { text, times, lookbackMs } = query;
  const steps = times.stepMs > 0 ? Math.floor((times.endMs - times.startMs) / times.stepMs) + 1 : 1;
  // An expression has no more nodes than characters, and few have so many.
  let points = (text.length / 4) * steps;
  if (points > maxPoints || hasUnknownWork(expr)) return false;
  for (const { selector, span } of timeSpan(expr, { ...times, lookbackMs }).selectors) {
    const series = queryable.seriesAtMost?.(span, selector.matchers) ?? null;
    if (series === null) return false;
    points += series * (steps + (span.maxMs - span.minMs) / SAMPLE_INTERVAL_MS);
    if (points > maxPoints) return false;
  }
  return true;
}

/** Subqueries have steps of their own; `info` reads series that no selector names. */
function hasUnknownWork(expr: Expr): boolean {
  let isFound = false;
  walk(expr, (node) => {
    isFound ||=
      node.kind === 'subquery' || (node.kind === 'call' && node.signature.name === 'info');
    return !isFound;
  });
  return isFound;
}
