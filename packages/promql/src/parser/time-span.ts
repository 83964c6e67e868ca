import type { AtModifier, Expr, VectorSelector } from './ast.ts';
import { type QueryTimes, resolveDurations } from './duration-expr.ts';
import { walk } from './walk.ts';

/** A range of sample times, both ends included, ms. */
export type Span = { readonly minMs: number; readonly maxMs: number };

export type TimeSpanOptions = QueryTimes & {
  readonly lookbackMs: number;
};

export type SelectorSpan = {
  readonly selector: VectorSelector;
  readonly span: Span;
};

export type TimeSpan = {
  readonly selectors: readonly SelectorSpan[];
  /** Covers all selectors; null for an expression that reads nothing. */
  readonly overall: Span | null;
};

/** Which samples each selector may read over the whole query, lookback, range, offset, @ and subqueries included. */
export function timeSpan(expr: Expr, options: TimeSpanOptions): TimeSpan {
  const resolved = resolveDurations(expr, options, '');
  const selectors: SelectorSpan[] = [];
  walk(resolved, (node, path) => {
    if (node.kind === 'vector-selector')
      selectors.push({ selector: node, span: selectorSpan(node, path, options) });
    return true;
  });
  return { selectors, overall: unionOf(selectors.map(({ span }) => span)) };
}

/** Sample times [t − beforeMs, t + afterMs] of a step at t; afterMs is below 0 where an offset looks back only. */
export type MovingWindow = { readonly beforeMs: number; readonly afterMs: number };

/** Samples that one step may read: those of all moving windows around its time, and of all fixed ones. */
export type StepWindow = {
  /** Of selectors that move with the step, apart from each other; empty when none does. */
  readonly moving: readonly MovingWindow[];
  /** Windows of selectors that @ pins. */
  readonly fixed: readonly Span[];
};

/** See {@link StepWindow}. `times` are needed for `@ start()`, `@ end()`, `step()` and `range()`. */
export function stepWindow(expr: Expr, lookbackMs: number, times: QueryTimes): StepWindow {
  const resolved = resolveDurations(expr, times, '');
  const fixed: Span[] = [];
  const moving: Span[] = [];
  walk(resolved, (node, path) => {
    if (node.kind !== 'vector-selector') return true;
    const isPinned =
      node.at !== null || path.some((outer) => outer.kind === 'subquery' && outer.at !== null);
    if (isPinned) fixed.push(selectorSpan(node, path, { ...times, lookbackMs }));
    else moving.push(selectorSpan(node, path, { startMs: 0, endMs: 0, stepMs: 0, lookbackMs }));
    return true;
  });
  return {
    moving: apart(moving).map(({ minMs, maxMs }) => ({ beforeMs: -minMs, afterMs: maxMs })),
    fixed: apart(fixed),
  };
}

/** The same times in as few spans as can be, ascending. */
function apart(spans: readonly Span[]): readonly Span[] {
  const joined: { minMs: number; maxMs: number }[] = [];
  for (const { minMs, maxMs } of [...spans].sort((a, b) => a.minMs - b.minMs)) {
    const last = joined.at(-1);
    if (last !== undefined && minMs <= last.maxMs + 1) last.maxMs = Math.max(last.maxMs, maxMs);
    else joined.push({ minMs, maxMs });
  }
  return joined;
}

/** The first and last sample time of one selector below the nodes of `path`, durations resolved. */
export function selectorSpan(
  selector: VectorSelector,
  path: readonly Expr[],
  options: TimeSpanOptions,
): Span {
  let minMs = options.startMs;
  let maxMs = options.endMs;
  const shift = (at: AtModifier | null, offsetMs: number): void => {
    if (at !== null) {
      minMs = atTime(at, options);
      maxMs = minMs;
    }
    minMs -= offsetMs;
    maxMs -= offsetMs;
  };
  for (const node of path) {
    if (node.kind !== 'subquery') continue;
    shift(node.at, node.offset?.ms ?? 0);
    // The window is left-open, so its first instant is one millisecond later.
    minMs = minMs - node.window.ms + 1;
  }
  shift(selector.at, selector.offset?.ms ?? 0);
  const parent = path.at(-1);
  const isMatrix = parent?.kind === 'matrix-selector';
  // info() looks its info series up as of the time of its argument, one lookback back.
  const isEnriched = path.some((node) => node.kind === 'call' && node.signature.name === 'info');
  const leastMs = isEnriched ? options.lookbackMs : 0;
  const windowMs = isMatrix ? Math.max(parent.window.ms, leastMs) : options.lookbackMs;
  minMs = minMs - windowMs + 1;
  // Extended selectors look one lookback further out for the values at the edges.
  if (selector.anchored || selector.smoothed) minMs -= isMatrix ? options.lookbackMs : 0;
  if (selector.smoothed) maxMs += options.lookbackMs;
  return { minMs, maxMs };
}

function atTime(at: AtModifier, times: QueryTimes): number {
  if (at.kind === 'timestamp') return at.timestampMs;
  return at.kind === 'start' ? times.startMs : times.endMs;
}

function unionOf(spans: readonly Span[]): Span | null {
  if (spans.length === 0) return null;
  return {
    minMs: Math.min(...spans.map((span) => span.minMs)),
    maxMs: Math.max(...spans.map((span) => span.maxMs)),
  };
}
