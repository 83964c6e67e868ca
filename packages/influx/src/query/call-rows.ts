import type { Expression } from '../influxql/ast.ts';
import { printExpression } from '../influxql/print.ts';
import type { OutputField } from './fields.ts';
import type { Point } from './functions.ts';
import type { Group } from './group.ts';
import { mathArity } from './math.ts';
import type { Cell } from './result.ts';
import { evaluate, type PatternCache } from './values.ts';

export type Call = Expression & { readonly kind: 'call' };

/** The outermost calls that are no math functions; `DISTINCT x` is one. */
export function topCalls(expression: Expression): Call[] {
  switch (expression.kind) {
    case 'call':
      return mathArity(expression.name) > 0 ? expression.args.flatMap(topCalls) : [expression];
    case 'paren':
      return topCalls(expression.inner);
    case 'binary':
      return [...topCalls(expression.left), ...topCalls(expression.right)];
    case 'distinct':
      return [distinctCall(expression.name)];
    default:
      return [];
  }
}

export function distinctCall(name: string): Call {
  return { kind: 'call', name: 'distinct', args: [{ kind: 'reference', name, cast: null }] };
}

/** Rows by time over all streams; several points of one time (distinct, top) make several rows. */
export function joinStreams(
  patterns: PatternCache,
  outputs: readonly OutputField[],
  group: Group,
  streams: ReadonlyMap<string, readonly Point[]>,
): Cell[][] {
  const byTime = new Map<bigint, Map<string, Point>[]>();
  for (const [key, points] of streams) {
    const used = new Map<bigint, number>();
    for (const point of points) {
      const index = used.get(point.time) ?? 0;
      used.set(point.time, index + 1);
      const rows = byTime.get(point.time) ?? [];
      byTime.set(point.time, rows);
      const row = rows[index] ?? new Map<string, Point>();
      rows[index] = row;
      row.set(key, point);
    }
  }
  const times = [...byTime.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const out: Cell[][] = [];
  for (const time of times) {
    for (const found of byTime.get(time) ?? []) {
      const row: Cell[] = [time];
      for (const { expression } of outputs)
        row.push(outputCell(patterns, expression, group, found));
      out.push(row);
    }
  }
  return out;
}

function outputCell(
  patterns: PatternCache,
  expression: Expression,
  group: Group,
  found: ReadonlyMap<string, Point>,
): Cell {
  if (expression.kind === 'distinct')
    return found.get(printExpression(distinctCall(expression.name)))?.value ?? null;
  return evaluate(
    expression,
    (node) => {
      if (node.kind === 'call') return found.get(printExpression(node))?.value ?? null;
      const [point] = found.values();
      return point?.row == null ? null : group.cell(point.row, node.name, node.cast);
    },
    patterns,
  );
}

/** {@link joinStreams} of streams in which no time comes twice. `streamOf` has the number of each call in the outputs. */
export function joinSeries(
  patterns: PatternCache,
  outputs: readonly OutputField[],
  streams: readonly (readonly Point[])[],
  streamOf: ReadonlyMap<Expression, number>,
): Cell[][] {
  const direct = outputs.map(({ expression }) => streamOf.get(expression) ?? -1);
  const next = new Array<number>(streams.length).fill(0);
  const found = new Array<Cell>(streams.length).fill(null);
  const lookup = (node: Expression): Cell => {
    const stream = streamOf.get(node);
    return stream === undefined ? null : found[stream]!;
  };
  const rows: Cell[][] = [];
  for (;;) {
    let time: bigint | null = null;
    for (let i = 0; i < streams.length; i++) {
      const point = streams[i]![next[i]!];
      if (point !== undefined && (time === null || point.time < time)) time = point.time;
    }
    if (time === null) return rows;
    for (let i = 0; i < streams.length; i++) {
      const point = streams[i]![next[i]!];
      const isHere = point?.time === time;
      found[i] = isHere ? point!.value : null;
      if (isHere) next[i]!++;
    }
    const row: Cell[] = [time];
    for (const [index, { expression }] of outputs.entries()) {
      const stream = direct[index]!;
      row.push(stream >= 0 ? found[stream]! : evaluate(expression, lookup, patterns));
    }
    rows.push(row);
  }
}
