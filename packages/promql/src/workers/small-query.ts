import type { Queryable } from '@pollux/storage';
import type { Expr } from '../parser/ast.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import { selectorSpan } from '../parser/time-span.ts';
import { walk } from '../parser/walk.ts';

/**
 * Of what a query costs, in points, each 0.03 to 0.1 µs: finding a series and writing its labels; a value at a step, with its JSON. What a node
 * of the expression does besides at a step is one.
 */
const POINTS_OF_SERIES = 50;
const POINTS_OF_VALUE = 3;
/** So many samples are decoded in the time of a point. */
const READ_A_POINT = 3;
/** So many samples of the windows of neighbouring steps are looked at again in the time of a point. */
const SAMPLES_A_POINT = 16;
/** Functions that sort the samples of each window. */
const SORTING: ReadonlySet<string> = new Set(['quantile_over_time', 'mad_over_time']);

export type SmallQueryQuestion = {
  /** Durations worked out. */
  readonly expr: Expr;
  readonly times: QueryTimes;
  readonly lookbackMs: number;
  readonly defaultStepMs: number;
  readonly queryable: Queryable;
};

/**
 * True when a query costs no more than `maxPoints` (samples, and values at steps) as far as is known, so that it is evaluated
 * sooner than it is handed to another thread. Asks storage for nothing but what is at hand.
 */
export function isSmallQuery(question: SmallQueryQuestion, maxPoints: number): boolean {
  const { expr, times, lookbackMs, queryable } = question;
  const steps = times.stepMs > 0 ? Math.floor((times.endMs - times.startMs) / times.stepMs) + 1 : 1;
  let points = 0;
  walk(expr, (node, path) => {
    points += steps;
    // `info` reads series that no selector names.
    if (node.kind === 'call' && node.signature.name === 'info') points = Infinity;
    if (points > maxPoints) return false;
    if (node.kind !== 'vector-selector') return true;
    const span = selectorSpan(node, path, { ...times, lookbackMs });
    const size = queryable.sizeAtMost?.(span, node.matchers, maxPoints * READ_A_POINT) ?? null;
    if (size === null) points = Infinity;
    else {
      const spanMs = Math.max(1, span.maxMs - span.minMs);
      points += size.samples / READ_A_POINT;
      points +=
        size.series * pointsOf(path, { steps, samplesAMs: samplesAMs(size, spanMs) }, question);
    }
    return true;
  });
  return points <= maxPoints;
}

function samplesAMs(
  { series, samples }: { series: number; samples: number },
  spanMs: number,
): number {
  return series === 0 ? 0 : samples / series / spanMs;
}

/** Of one series of the selector below `path`, but for reading its samples: values at the steps around, and what their windows hold. */
function pointsOf(
  path: readonly Expr[],
  read: { readonly steps: number; readonly samplesAMs: number },
  { times, defaultStepMs }: SmallQueryQuestion,
): number {
  let points = POINTS_OF_SERIES;
  let spanMs = times.endMs - times.startMs;
  let { steps } = read;
  let isSorting = false;
  for (const node of path) {
    if (node.kind === 'call') isSorting = SORTING.has(node.signature.name);
    if (node.kind !== 'subquery' && node.kind !== 'matrix-selector') continue;
    points += steps * POINTS_OF_VALUE;
    const stepMs = node.kind === 'subquery' ? (node.step?.ms ?? defaultStepMs) : 0;
    const held = node.window.ms * (stepMs > 0 ? 1 / stepMs : read.samplesAMs);
    points += steps * held * (isSorting ? 1 : 1 / SAMPLES_A_POINT);
    if (node.kind === 'matrix-selector') return points;
    spanMs += node.window.ms;
    steps = Math.floor(spanMs / stepMs) + 1;
    isSorting = false;
  }
  return points + steps * POINTS_OF_VALUE;
}
