import type { FieldKind } from '@pollux/storage';
import type { Expression, SelectStatement } from '../influxql/ast.ts';
import { formatGoDuration } from '../influxql/duration.ts';
import { printExpression, printSelect } from '../influxql/print.ts';
import { compileSelect } from './compile.ts';
import { expandFields } from './fields.ts';
import { mathArity } from './math.ts';
import type { ResultSeries } from './result.ts';
import type { SelectScope } from './select.ts';
import { measurementsOf, openView, type Schema, schemaOf } from './table.ts';
import { splitCondition, type TimeBounds } from './time-bounds.ts';

type Part = {
  /** Calls that are evaluated on their own; null where rows are read as they are. */
  readonly expressions: readonly (Expression | null)[];
  readonly auxiliary: readonly string[];
  readonly groups: number;
  readonly series: number;
};

/** What a SELECT would read, without reading it: a block of lines for each expression, in the form of influxd. */
export async function explain(
  scope: SelectScope,
  statement: SelectStatement,
): Promise<ResultSeries> {
  const parts = await partsOf(scope, statement);
  const lines: string[] = [];
  for (const part of parts) {
    for (const expression of part.expressions) {
      if (lines.length > 0) lines.push('');
      lines.push(`EXPRESSION: ${expression === null ? '<nil>' : printExpression(expression)}`);
      if (part.auxiliary.length > 0) lines.push(`AUXILIARY FIELDS: ${part.auxiliary.join(', ')}`);
      lines.push(`NUMBER OF SHARDS: ${part.groups}`, `NUMBER OF SERIES: ${part.series}`);
    }
  }
  return plan('QUERY PLAN', lines.length > 0 ? lines : ['']);
}

/** The plan as a tree, with what running it took. */
export async function explainAnalyze(
  scope: SelectScope,
  statement: SelectStatement,
  run: () => Promise<readonly ResultSeries[]>,
): Promise<ResultSeries> {
  const startedMs = scope.clock.monotonic();
  const parts = await partsOf(scope, statement);
  const plannedMs = scope.clock.monotonic();
  const answer = await run();
  const endedMs = scope.clock.monotonic();
  const time = (ms: number): string => formatGoDuration(BigInt(Math.round(ms * 1e6)));
  const rows = answer.reduce((sum, series) => sum + series.rows.length, 0);
  const lines = [
    '.',
    '└── select',
    `    ├── execution_time: ${time(endedMs - plannedMs)}`,
    `    ├── planning_time: ${time(plannedMs - startedMs)}`,
    `    ├── total_time: ${time(endedMs - startedMs)}`,
    `    ├── rows: ${rows}`,
    '    └── build_cursor',
    '        ├── labels',
    `        │   └── statement: ${printSelect(statement)}`,
  ];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const indent = isLast ? '            ' : '        │   ';
    const shown = part.expressions.map((one) => (one === null ? '<nil>' : printExpression(one)));
    lines.push(
      `        ${isLast ? '└──' : '├──'} iterator_scanner`,
      `${indent}├── labels`,
      `${indent}│   └── expr: ${shown.join(', ')}`,
      `${indent}├── shards: ${part.groups}`,
      `${indent}└── series: ${part.series}`,
    );
  }
  return plan('EXPLAIN ANALYZE', lines);
}

function plan(column: string, lines: readonly string[]): ResultSeries {
  const rows = lines.map((line) => [line]);
  return { name: '', tags: null, columns: [column], rows, hasTime: false };
}

/** One for each source that holds something. */
async function partsOf(scope: SelectScope, statement: SelectStatement): Promise<Part[]> {
  compileSelect(statement, scope.nowNanos);
  const { bounds } = splitCondition(statement.condition, {
    nowNanos: scope.nowNanos,
    timeZone: statement.timeZone,
  });
  const parts: Part[] = [];
  for (const source of statement.sources) {
    if (source.kind === 'subquery') parts.push(...(await partsOf(scope, source.statement)));
    else parts.push(...(await partOf(scope, statement, source, bounds)));
  }
  return parts;
}

async function partOf(
  scope: SelectScope,
  statement: SelectStatement,
  source: SelectStatement['sources'][number] & { readonly kind: 'measurement' },
  bounds: TimeBounds,
): Promise<Part[]> {
  const view = await openView(scope, source, bounds);
  try {
    const measurements = measurementsOf(view, source, scope.patterns);
    const fields = new Map<string, FieldKind>();
    const tags = new Set<string>();
    let series = 0;
    for (const measurement of measurements) {
      const schema = schemaOf(view, measurement);
      for (const [name, kind] of schema.fields) fields.set(name, kind);
      for (const tag of schema.tags) tags.add(tag);
      series += view.series(measurement).length;
    }
    if (series === 0) return [];
    const schema: Schema = { fields, tags };
    const calls: Expression[] = [];
    const auxiliary = new Set<string>();
    for (const { expression } of expandFields(statement, schema, [], scope.patterns)) {
      collect(expression, schema, calls, auxiliary);
    }
    return [
      {
        expressions: calls.length > 0 ? calls : [null],
        auxiliary: [...auxiliary].sort(),
        groups: view.groupCount,
        series,
      },
    ];
  } finally {
    view.release();
  }
}

/** Calls with the types of what they take; references outside of calls are auxiliary. */
function collect(
  expression: Expression,
  schema: Schema,
  calls: Expression[],
  auxiliary: Set<string>,
): void {
  if (expression.kind === 'reference') {
    if (expression.name !== 'time') auxiliary.add(printExpression(typed(expression, schema)));
  } else if (expression.kind === 'call' && mathArity(expression.name) === 0) {
    calls.push(typed(expression, schema));
  } else if (expression.kind === 'call') {
    for (const arg of expression.args) collect(arg, schema, calls, auxiliary);
  } else if (expression.kind === 'paren') collect(expression.inner, schema, calls, auxiliary);
  else if (expression.kind === 'binary') {
    collect(expression.left, schema, calls, auxiliary);
    collect(expression.right, schema, calls, auxiliary);
  }
}

function typed(expression: Expression, schema: Schema): Expression {
  if (expression.kind === 'call')
    return { ...expression, args: expression.args.map((arg) => typed(arg, schema)) };
  if (expression.kind !== 'reference' || expression.cast !== null) return expression;
  const kind = schema.fields.get(expression.name);
  if (kind !== undefined) return { ...expression, cast: kind };
  return schema.tags.has(expression.name) ? { ...expression, cast: 'tag' } : expression;
}
