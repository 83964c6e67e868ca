import type { Random } from '@pollux/base';
import type { Expression, Fill } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import type { Call } from './call-rows.ts';
import { FUNCTIONS, isLess, type Point, type Reducer } from './functions.ts';
import type { Group } from './group.ts';
import type { Cell } from './result.ts';
import { TRANSFORMS, windowsBefore } from './transforms.ts';
import type { Windows } from './windows.ts';

export type CallScope = {
  readonly windows: Windows | null;
  readonly fill: Fill;
  /** Bounds of the statement; null where it has none. */
  readonly min: bigint | null;
  readonly max: bigint | null;
  readonly keepTimes: boolean;
  readonly maxBuckets: number;
  readonly random: Random;
};

/** A call's values in order of time for one group; values may be null where fill(null) put them. */
export function evaluateCall(call: Call, group: Group, scope: CallScope): readonly Point[] {
  const [first, ...rest] = call.args;
  if (TRANSFORMS[call.name] !== undefined) {
    const interval = scope.windows?.interval ?? 0n;
    // Values from before the range lead to the first window's, and are not shown themselves.
    const min = scope.min === null ? null : scope.min - interval * windowsBefore(call.name, rest);
    const input = first === undefined ? [] : inputOf(first, group, { ...scope, min });
    return transformed(call, input, scope);
  }
  const points =
    first === undefined ? [] : inputOf(first, group, { ...scope, fill: { kind: 'none' } });
  const reduce =
    call.name === 'top' || call.name === 'bottom'
      ? topReducer(call, group)
      : reducerOf(call.name, points);
  const keepTimes =
    scope.keepTimes || call.name === 'top' || call.name === 'bottom' || call.name === 'sample';
  if (scope.windows === null) {
    if (points.length === 0) return [];
    const base = scope.min ?? 0n;
    return reduce(points, rest, scope.random).map((point) =>
      keepTimes ? point : { ...point, time: base },
    );
  }
  return windowed(points, (inWindow) => reduce(inWindow, rest, scope.random), {
    ...scope,
    windows: scope.windows,
    keepTimes,
    call,
  });
}

/** Of a function over sequences, what it makes of its input; values before the range are not shown. */
export function transformed(
  call: Call,
  input: readonly Point[],
  { min, windows }: CallScope,
): readonly Point[] {
  const points = input.filter((point) => point.value !== null);
  const shown = TYPE_NAMES[call.name] ?? call.name.replaceAll('_', ' ');
  checkType(shown, 'number', call.name === 'elapsed' ? [] : points);
  const from = min === null || windows === null ? min : windows.start(min);
  return TRANSFORMS[call.name]!(points, call.args.slice(1), windows?.interval ?? 0n).filter(
    ({ time }) => from === null || time >= from,
  );
}

function inputOf(expression: Expression, group: Group, scope: CallScope): readonly Point[] {
  switch (expression.kind) {
    case 'reference':
      return group
        .points(expression.name, expression.cast)
        .filter(({ time }) => scope.min === null || time >= scope.min);
    case 'distinct': {
      const call: Call = {
        kind: 'call',
        name: 'distinct',
        args: [{ kind: 'reference', name: expression.name, cast: null }],
      };
      return distinctPerWindow(call, group, scope);
    }
    case 'call':
      if (expression.name === 'distinct') return distinctPerWindow(expression, group, scope);
      return evaluateCall(expression, group, { ...scope, keepTimes: false });
    default:
      return [];
  }
}

function distinctPerWindow(call: Call, group: Group, scope: CallScope): readonly Point[] {
  return evaluateCall(call, group, { ...scope, fill: { kind: 'none' }, keepTimes: false });
}

function reducerOf(name: string, points: readonly Point[]): Reducer {
  const rule = FUNCTIONS[name];
  if (rule === undefined) throw new QueryError(`undefined function ${name}()`);
  checkType(name, rule.types, points);
  return rule.reduce;
}

function checkType(
  name: string,
  types: 'any' | 'number' | 'ordered',
  points: readonly Point[],
): void {
  const [first] = points;
  if (first === undefined || types === 'any') return;
  const type = typeof first.value;
  if (type === 'string')
    throw new QueryError(`unsupported ${name} iterator type: *query.stringInterruptIterator`);
  if (type === 'boolean' && types === 'number') {
    throw new QueryError(`unsupported ${name} iterator type: *query.booleanInterruptIterator`);
  }
}

/** influxd's names of functions in type errors, where they are not the functions' own. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  non_negative_derivative: 'derivative',
  non_negative_difference: 'difference',
};

/** top(field[, tags…], N): the N best, or the best of each combination of tags. In order of time. */
function topReducer(call: Call, group: Group): Reducer {
  const last = call.args[call.args.length - 1];
  const size = last?.kind === 'integer' ? Number(last.value) : 1;
  const tags = call.args.slice(1, -1);
  const isTop = call.name === 'top';
  const byMerit = (a: Point, b: Point): number => {
    if (isLess(a.value, b.value)) return isTop ? 1 : -1;
    if (isLess(b.value, a.value)) return isTop ? -1 : 1;
    return a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
  };
  return (points) => {
    checkType(call.name, 'number', points);
    const ranked = [...points].sort(byMerit);
    const seen = new Set<string>();
    const kept: Point[] = [];
    for (const point of ranked) {
      if (kept.length === size) break;
      const key = tags
        .map((tag) =>
          tag.kind === 'reference' && point.row !== null
            ? group.cell(point.row, tag.name, tag.cast)
            : '',
        )
        .join('\ud800');
      if (tags.length > 0 && seen.has(key)) continue;
      seen.add(key);
      kept.push(point);
    }
    return kept.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : byMerit(a, b)));
  };
}

/** Throws QueryError when there are more windows than `max-select-buckets` allows; 0 = no limit. */
export function checkBuckets(buckets: number, most: number): void {
  if (most > 0 && buckets > most)
    throw new QueryError(`max-select-buckets limit exceeded: (${buckets}/${most})`);
}

type WindowScope = CallScope & { readonly windows: Windows; readonly call: Call };

function windowed(
  points: readonly Point[],
  reduce: (points: readonly Point[]) => readonly Point[],
  scope: WindowScope,
): readonly Point[] {
  const [first] = points;
  const last = points[points.length - 1];
  if (first === undefined || last === undefined) return [];
  const { windows, fill } = scope;
  const isFilled =
    fill.kind !== 'none' &&
    FUNCTIONS[scope.call.name]?.kind !== 'many' &&
    !scope.call.name.match(/^(?:top|bottom)$/);
  let start = windows.start(isFilled ? (scope.min ?? first.time) : first.time);
  const end = windows.start(isFilled ? (scope.max ?? last.time) : last.time);
  let at = 0;
  if (scope.min === null && scope.maxBuckets > 0) {
    // With a limit of windows and no lower bound the query means as many of the last windows as the limit allows.
    const from = end - windows.interval * BigInt(scope.maxBuckets - 1);
    while (at < points.length && points[at]!.time < from) at++;
    if (at === points.length) return [];
    start = windows.start(points[at]!.time);
  }
  const out: Point[] = [];
  let buckets = 0;
  while (start <= end) {
    buckets++;
    if (scope.maxBuckets > 0 && buckets > scope.maxBuckets) {
      throw new QueryError(`max-select-buckets limit exceeded: (${buckets}/${scope.maxBuckets})`);
    }
    const next = windows.next(start);
    const from = at;
    while (at < points.length && points[at]!.time < next) at++;
    const windowStart = start;
    const reduced = at > from ? reduce(points.slice(from, at)) : [];
    for (const point of reduced)
      out.push(scope.keepTimes ? point : { ...point, time: windowStart });
    if (reduced.length === 0 && isFilled) out.push({ time: windowStart, value: null, row: null });
    start = !isFilled && at < points.length ? windows.start(points[at]!.time) : next;
  }
  return isFilled ? filled(out, fill, scope.call.name) : out;
}

/** Puts values into windows that have none. `name` is the function whose values they are. */
export function filled(points: readonly Point[], fill: Fill, name: string): readonly Point[] {
  let before: Cell = null;
  return points.map((point, index) => {
    if (point.value !== null) {
      before = point.value;
      return point;
    }
    switch (fill.kind) {
      case 'null':
        return name === 'count' ? { ...point, value: 0n } : point;
      case 'previous':
        return { ...point, value: before };
      case 'number':
        return { ...point, value: numberLike(fill.value, points) };
      case 'linear':
        return { ...point, value: interpolated(points, index) };
      default:
        return point;
    }
  });
}

/** The fill number in the type of the column. */
function numberLike(value: number | bigint, points: readonly Point[]): Cell {
  const sample = points.find((point) => point.value !== null)?.value;
  if (typeof sample === 'bigint') return BigInt(Math.trunc(Number(value)));
  return typeof sample === 'number' ? Number(value) : value;
}

function interpolated(points: readonly Point[], index: number): Cell {
  let left = index - 1;
  while (left >= 0 && points[left]!.value === null) left--;
  let right = index + 1;
  while (right < points.length && points[right]!.value === null) right++;
  const a = points[left];
  const b = points[right];
  if (
    a === undefined ||
    b === undefined ||
    typeof a.value === 'string' ||
    typeof a.value === 'boolean'
  )
    return null;
  const share = Number(points[index]!.time - a.time) / Number(b.time - a.time);
  const value = Number(a.value) + (Number(b.value) - Number(a.value)) * share;
  return typeof a.value === 'bigint' ? BigInt(Math.trunc(value)) : value;
}
