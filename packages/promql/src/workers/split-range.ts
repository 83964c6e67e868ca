import type { Queryable } from '@pollux/storage';
import type { Expr } from '../parser/ast.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import { type Span, timeSpan } from '../parser/time-span.ts';
import { walk } from '../parser/walk.ts';
import { isStepLocal } from '../range-cache/step-local.ts';

/**
 * Fewer points (samples, and values at steps) are left to one thread: some 20 ms of work, of which two threads on two processors
 * save nothing that counts, since the selection is made for each of them.
 */
const MIN_POINTS = 700_000;
/** Series are taken to have a sample this often. */
const SAMPLE_INTERVAL_MS = 15_000;
/** Of each share. */
const MIN_STEPS = 16;
/** What the shares read together, at most, as a multiple of what one thread would read: windows reach over the seams. */
const MAX_OVERLAP = 1.25;

/**
 * The steps of a heavy range query in shares that threads may evaluate beside each other, oldest first; null where one thread
 * should do it all. Shares joined are the whole, bit for bit, since the expression is step-local.
 */
export function splitRange(
  expr: Expr,
  query: { readonly times: QueryTimes; readonly lookbackMs: number },
  queryable: Queryable,
  mostShares: number,
): readonly QueryTimes[] | null {
  const { times, lookbackMs } = query;
  const { startMs, endMs, stepMs } = times;
  if (!(stepMs > 0) || queryable.likelySeries === undefined) return null;
  const steps = Math.floor((endMs - startMs) / stepMs) + 1;
  const count = Math.min(mostShares, Math.floor(steps / MIN_STEPS));
  if (count < 2 || !isStepLocal(expr) || hasSubquery(expr)) return null;
  const { selectors } = timeSpan(expr, { ...times, lookbackMs });
  let points = 0;
  for (const { selector, span } of selectors) {
    const series = queryable.likelySeries(span, selector.matchers);
    points += series * (steps + lengthMs(span) / SAMPLE_INTERVAL_MS);
  }
  if (points < MIN_POINTS) return null;
  const readMs = (part: QueryTimes): number =>
    timeSpan(expr, { ...part, lookbackMs }).selectors.reduce(
      (sum, { span }) => sum + lengthMs(span),
      0,
    );
  const mostMs = readMs(times) * MAX_OVERLAP;
  for (let fewer = count; fewer > 1; fewer--) {
    const shares = sharesOf(times, steps, fewer);
    if (shares.reduce((sum, share) => sum + readMs(share), 0) <= mostMs) return shares;
  }
  return null;
}

function sharesOf({ startMs, stepMs }: QueryTimes, steps: number, count: number): QueryTimes[] {
  const shares: QueryTimes[] = [];
  for (let i = 0; i < count; i++) {
    const first = Math.floor((steps * i) / count);
    const last = Math.floor((steps * (i + 1)) / count) - 1;
    shares.push({ startMs: startMs + first * stepMs, endMs: startMs + last * stepMs, stepMs });
  }
  return shares;
}

function lengthMs({ minMs, maxMs }: Span): number {
  return Math.max(0, maxMs - minMs);
}

/** What a subquery reads for the first step of a share is counted for the whole only. */
function hasSubquery(expr: Expr): boolean {
  let isFound = false;
  walk(expr, (node) => {
    isFound ||= node.kind === 'subquery';
    return !isFound;
  });
  return isFound;
}
