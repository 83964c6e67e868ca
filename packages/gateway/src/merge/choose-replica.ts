import type { Matcher } from '@pollux/model';
import { type Expr, parseExpr, type Span, walk } from '@pollux/promql/parser';
import type { IntervalSet } from '@pollux/storage';
import { viewPast } from '../past-view.ts';
import { planQuery } from '../plan.ts';
import type { Upstream } from '../upstream.ts';

export type ReplicaChoice = {
  /** The one that covers all of the span alone, or lacks least of it. */
  readonly replica: Upstream;
  readonly coversAlone: boolean;
  /** Times of the span that nobody covers. */
  readonly uncovered: IntervalSet;
};

/**
 * Which of `live` (at least one) can answer alone for `span`. Of a plain Prometheus it is known only when it scraped, not what else it
 * has: with one among them nobody answers alone.
 */
export function chooseReplica(
  live: readonly Upstream[],
  selectors: readonly (readonly Matcher[])[],
  span: Span,
  /** A place in `live`. */
  preferred: number,
): ReplicaChoice {
  const past = viewPast(
    live.map(({ name, coverage }) => ({ name, report: coverage })),
    selectors,
  );
  const { pieces, uncovered, isShort } = planQuery({
    startMs: span.minMs,
    endMs: span.maxMs,
    stepMs: 0,
    window: { moving: [], fixed: [span] },
    isDivisible: false,
    past,
    preferred,
    canSplice: false,
  });
  const isKnown = live.every(({ coverage, plain }) => coverage !== null && plain === null);
  return {
    replica: live[pieces[0]?.replica ?? 0]!,
    coversAlone: isKnown && uncovered.length === 0 && !isShort,
    uncovered,
  };
}

/** Selectors of expressions; null when one does not parse, which a server says in its own words. */
export function selectorsOf(expressions: readonly string[]): (readonly Matcher[])[] | null {
  const selectors: (readonly Matcher[])[] = [];
  for (const expression of expressions) {
    let parsed: Expr;
    try {
      parsed = parseExpr(expression);
    } catch {
      // It goes to a server as it is.
      return null;
    }
    walk(parsed, (node) => {
      if (node.kind === 'vector-selector') selectors.push(node.matchers);
    });
  }
  // Without a selector all series are meant.
  return selectors.length === 0 ? [[]] : selectors;
}
