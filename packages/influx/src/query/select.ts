import { LimitError, type Random } from '@pollux/base';
import { compareText, Labels } from '@pollux/model';
import type { FieldKind } from '@pollux/storage';
import type { View } from '../engine-port.ts';
import {
  type Expression,
  type Field,
  type SelectStatement,
  type Source,
  walk,
} from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import { printExpression } from '../influxql/print.ts';
import { joinSeries, joinStreams, topCalls } from './call-rows.ts';
import { type CallScope, evaluateCall } from './calls.ts';
import { ColumnEvaluation } from './columns/column-evaluation.ts';
import { planColumns } from './columns/column-plan.ts';
import { SeriesReader, seriesOf } from './columns/column-reader.ts';
import { compileSelect, isTimeReference, type Shape } from './compile.ts';
import { expandFields, nameFields, type OutputField } from './fields.ts';
import type { Point } from './functions.ts';
import { cellOf, type Group, groupByTags, groupTables } from './group.ts';
import { Pace } from './pace.ts';
import type { Cell, ResultSeries } from './result.ts';
import {
  loadTables,
  measurementsOf,
  openView,
  type ReadPart,
  type Schema,
  schemaOf,
  type Table,
  type TableScope,
} from './table.ts';
import { tagConditions } from './tag-conditions.ts';
import { intersect, splitCondition, type TimeBounds } from './time-bounds.ts';
import { TRANSFORMS, windowsBefore } from './transforms.ts';
import { evaluate } from './values.ts';
import { Windows } from './windows.ts';

export type SelectScope = TableScope & {
  readonly nowNanos: bigint;
  readonly random: Random;
  /** 0 = no limit, as in influxdb.conf. */
  readonly maxSeries: number;
  readonly maxBuckets: number;
};

/** What a subquery takes over from the query around it. */
type Inherited = {
  readonly bounds: TimeBounds;
  readonly dimensions: readonly string[];
  readonly interval: Pick<Shape, 'intervalNanos' | 'offsetNanos'> | null;
  readonly depth: number;
};

type Compiled = {
  readonly statement: SelectStatement;
  readonly shape: Shape;
  readonly bounds: TimeBounds;
  readonly condition: Expression | null;
  readonly timeZone: string | null;
};

const MAX_DEPTH = 32;
/** Rows of an answer held in memory at most. */
const MAX_ROWS = 20_000_000;
const OUTSIDE: Inherited = {
  bounds: { min: null, max: null },
  dimensions: [],
  interval: null,
  depth: 0,
};

/** Runs a SELECT; series come sorted by name and tags. */
export function runSelect(
  scope: SelectScope,
  statement: SelectStatement,
): Promise<ResultSeries<Cell>[]> {
  return runNested(scope, statement, OUTSIDE);
}

/** Checks the statement and those inside it, before any data is read. */
function checkNested(scope: SelectScope, statement: SelectStatement, outerInterval = 0n): void {
  const { intervalNanos } = compileSelect(statement, scope.nowNanos, outerInterval);
  splitCondition(statement.condition, { nowNanos: scope.nowNanos, timeZone: statement.timeZone });
  for (const source of statement.sources) {
    if (source.kind !== 'subquery') continue;
    if (source.statement.hasOrder && source.statement.ascending !== statement.ascending) {
      throw new QueryError('subqueries must be ordered in the same direction as the query itself');
    }
    checkNested(scope, source.statement, intervalNanos > 0n ? intervalNanos : outerInterval);
  }
}

async function runNested(
  scope: SelectScope,
  statement: SelectStatement,
  inherited: Inherited,
): Promise<ResultSeries<Cell>[]> {
  if (inherited.depth === 0) checkNested(scope, statement);
  if (inherited.depth > MAX_DEPTH)
    throw new QueryError(`subqueries are nested too deeply (limit ${MAX_DEPTH})`);
  const compiled = compile(scope, statement, inherited);
  const opened = await openSources(scope, statement.sources, readBounds(compiled));
  try {
    const inner = await runSubqueries(scope, statement, compiled, inherited);
    const schema = unionSchema(opened, inner);
    const dimensions = dimensionsOf(scope, statement, schema, inherited.dimensions);
    const fields = expandFields(statement, schema, dimensions, scope.patterns).filter(
      ({ expression }) => !isTimeReference(expression),
    );
    if (fields.length === 0) return [];
    const outputs = nameFields(withTopArguments(fields, statement));
    const parts = partsOf(scope, opened, compiled, fields);
    const groups =
      (inner.length === 0 ? overColumns(scope, compiled, outputs, { parts, dimensions }) : null) ??
      overRows(scope, compiled, outputs, { inner, parts, dimensions });
    return await answer(statement, outputs, groups);
  } finally {
    for (const { view } of opened) view.release();
  }
}

function compile(scope: SelectScope, statement: SelectStatement, inherited: Inherited): Compiled {
  const shape = compileSelect(statement, scope.nowNanos, inherited.interval?.intervalNanos ?? 0n);
  const { timeZone } = statement;
  const { bounds: own, rest } = splitCondition(statement.condition, {
    nowNanos: scope.nowNanos,
    timeZone,
  });
  const merged = intersect(own, inherited.bounds);
  const takesInterval = shape.hasCalls && shape.intervalNanos === 0n && inherited.interval !== null;
  const effective = takesInterval ? { ...shape, ...inherited.interval } : shape;
  // With GROUP BY time an open end is now, so that windows do not run to the end of time.
  const max = merged.max ?? (effective.intervalNanos > 0n ? scope.nowNanos : null);
  return {
    statement,
    shape: effective,
    bounds: { min: merged.min, max },
    condition: rest,
    timeZone,
  };
}

/** The range that is read: functions over windows look at windows before the first. */
function readBounds({ statement, shape, bounds }: Compiled): TimeBounds {
  if (bounds.min === null || shape.intervalNanos === 0n) return bounds;
  let before = 0n;
  for (const { expression } of statement.fields) {
    walk(expression, (node) => {
      if (node.kind !== 'call' || TRANSFORMS[node.name] === undefined) return;
      const count = windowsBefore(node.name, node.args.slice(1));
      if (count > before) before = count;
    });
  }
  return { min: bounds.min - before * shape.intervalNanos, max: bounds.max };
}

type Opened = { readonly view: View; readonly measurements: readonly string[] };

async function openSources(
  scope: SelectScope,
  sources: readonly Source[],
  bounds: TimeBounds,
): Promise<Opened[]> {
  const opened: Opened[] = [];
  try {
    for (const source of sources) {
      if (source.kind !== 'measurement') continue;
      const view = await openView(scope, source, bounds);
      opened.push({ view, measurements: measurementsOf(view, source, scope.patterns) });
    }
  } catch (error) {
    for (const { view } of opened) view.release();
    throw error;
  }
  return opened;
}

async function runSubqueries(
  scope: SelectScope,
  statement: SelectStatement,
  compiled: Compiled,
  inherited: Inherited,
): Promise<Table[]> {
  const tables: Table[] = [];
  const dimensions = statement.dimensions.flatMap((dimension) =>
    dimension.kind === 'reference' ? [dimension.name] : [],
  );
  const { intervalNanos, offsetNanos } = compiled.shape;
  for (const source of statement.sources) {
    if (source.kind !== 'subquery') continue;
    const series = await runNested(scope, source.statement, {
      bounds: readBounds(compiled),
      dimensions: [...new Set([...inherited.dimensions, ...dimensions])],
      interval: intervalNanos > 0n ? { intervalNanos, offsetNanos } : inherited.interval,
      depth: inherited.depth + 1,
    });
    for (const one of series) tables.push(tableOf(one));
  }
  return tables;
}

/** A series of a subquery's answer as rows for the query around it. */
function tableOf(series: ResultSeries<Cell>): Table {
  const rows = [...series.rows].sort((a, b) =>
    (a[0] as bigint) < (b[0] as bigint) ? -1 : a[0] === b[0] ? 0 : 1,
  );
  const columns = new Map<string, Cell[]>();
  for (const [index, name] of series.columns.entries()) {
    if (index > 0)
      columns.set(
        name,
        rows.map((row) => row[index] ?? null),
      );
  }
  return {
    name: series.name,
    tags: Labels.from(series.tags ?? []),
    times: rows.map((row) => row[0] as bigint),
    columns,
    keepsNulls: true,
  };
}

function unionSchema(opened: readonly Opened[], inner: readonly Table[]): Schema {
  const fields = new Map<string, FieldKind>();
  const tags = new Set<string>();
  for (const { view, measurements } of opened) {
    for (const measurement of measurements) {
      const schema = schemaOf(view, measurement);
      for (const [name, kind] of schema.fields)
        if (fields.get(name) !== 'float') fields.set(name, kind);
      for (const tag of schema.tags) tags.add(tag);
    }
  }
  for (const table of inner) {
    for (const [name, cells] of table.columns) fields.set(name, kindOfCells(cells));
    for (const [tag] of table.tags) tags.add(tag);
  }
  return { fields, tags };
}

function kindOfCells(cells: readonly Cell[]): FieldKind {
  const sample = cells.find((cell) => cell !== null);
  if (typeof sample === 'bigint') return 'integer';
  if (typeof sample === 'string') return 'string';
  return typeof sample === 'boolean' ? 'boolean' : 'float';
}

function dimensionsOf(
  scope: SelectScope,
  statement: SelectStatement,
  schema: Schema,
  inherited: readonly string[],
): string[] {
  const names = new Set(inherited);
  for (const dimension of statement.dimensions) {
    if (dimension.kind === 'reference') names.add(dimension.name);
    else if (dimension.kind === 'wildcard') for (const tag of schema.tags) names.add(tag);
    else if (dimension.kind === 'regex') {
      for (const tag of schema.tags)
        if (scope.patterns.matches(dimension.source, tag)) names.add(tag);
    }
  }
  return [...names].sort(compareText);
}

/** What is read of the measurements: the fields that the statement names, of the series that its conditions on tags leave. */
function partsOf(
  scope: SelectScope,
  opened: readonly Opened[],
  compiled: Compiled,
  fields: readonly Field[],
): Part[] {
  const wanted = new Set<string>();
  const note = (node: Expression): void => {
    if (node.kind === 'reference' && node.cast !== 'tag') wanted.add(node.name);
    if (node.kind === 'distinct') wanted.add(node.name);
  };
  for (const { expression } of fields) walk(expression, note);
  if (compiled.condition !== null) walk(compiled.condition, note);
  const parts: Part[] = [];
  const seen = new Set<string>();
  for (const { view, measurements } of opened) {
    for (const measurement of measurements) {
      // The same measurement named twice, as by two regular expressions, is read once.
      if (opened.length > 1 && seen.has(measurement)) continue;
      seen.add(measurement);
      const schema = schemaOf(view, measurement);
      const needed = new Map([...schema.fields].filter(([name]) => wanted.has(name)));
      const matches = tagFilter(scope, compiled.condition, schema);
      const conditions = tagConditions(
        compiled.condition,
        (name) => schema.fields.has(name),
        scope.patterns,
      );
      parts.push({ view, measurement, fields: needed, matches, conditions, schema });
    }
  }
  return parts;
}

type Part = ReadPart & { readonly schema: Schema };

/** Whether a series can pass by its tags alone; conditions on fields are left for the rows. */
function tagFilter(
  scope: SelectScope,
  condition: Expression | null,
  schema: Schema,
): (tags: Labels) => boolean {
  if (condition === null) return () => true;
  const isPossible = (node: Expression, tags: Labels): boolean => {
    if (node.kind === 'paren') return isPossible(node.inner, tags);
    if (node.kind === 'binary' && node.operator === 'AND')
      return isPossible(node.left, tags) && isPossible(node.right, tags);
    if (node.kind === 'binary' && node.operator === 'OR')
      return isPossible(node.left, tags) || isPossible(node.right, tags);
    let hasField = false;
    walk(node, (part) => {
      if (
        part.kind === 'reference' &&
        (part.cast === 'field' || (part.cast !== 'tag' && schema.fields.has(part.name)))
      )
        hasField = true;
    });
    if (hasField) return true;
    return (
      evaluate(
        node,
        (reference) => (reference.kind === 'reference' ? tags.get(reference.name) : null),
        scope.patterns,
      ) === true
    );
  };
  return (tags) => isPossible(condition, tags);
}

/** A series of the answer before its rows are cut to those asked for. */
type AnswerGroup = {
  readonly name: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly rows: Cell[][];
};

/** Evaluates the calls of a statement window by window over columns; null for what only {@link overRows} can do. */
function overColumns(
  scope: SelectScope,
  compiled: Compiled,
  outputs: readonly OutputField[],
  input: { readonly parts: readonly Part[]; readonly dimensions: readonly string[] },
): AsyncGenerator<AnswerGroup> | null {
  const { shape, condition, statement } = compiled;
  if (!shape.hasCalls) return null;
  const schemas = input.parts.map(({ schema }) => schema);
  const plan = planColumns(outputs, condition, schemas, callScopeOf(scope, compiled));
  const evaluation = plan === null ? null : ColumnEvaluation.create(plan);
  if (plan === null || evaluation === null) return null;
  const all = seriesOf(input.parts);
  // How many of them have samples is only counted by the general way.
  if (scope.maxSeries > 0 && all.length > scope.maxSeries) return null;
  const groups = groupByTags(all, input.dimensions);
  if (!statement.ascending) groups.reverse();
  return (async function* () {
    const pace = new Pace(scope);
    const reader = new SeriesReader(groups.flatMap(({ members }) => members));
    for (const { name, tags, members } of groups) {
      const streams = await evaluation.streams(members, reader, pace);
      yield { name, tags, rows: joinSeries(scope.patterns, outputs, streams, plan.streamOf) };
    }
  })();
}

/** Evaluates any statement, over rows. */
async function* overRows(
  scope: SelectScope,
  compiled: Compiled,
  outputs: readonly OutputField[],
  input: {
    readonly inner: readonly Table[];
    readonly parts: readonly Part[];
    readonly dimensions: readonly string[];
  },
): AsyncGenerator<AnswerGroup> {
  const { statement, condition } = compiled;
  const tables = [...input.inner];
  for (const part of input.parts) {
    for (const table of await loadTables(scope, part)) tables.push(table);
  }
  if (scope.maxSeries > 0 && tables.length > scope.maxSeries) {
    throw new QueryError(`max-select-series limit exceeded: (${tables.length}/${scope.maxSeries})`);
  }
  const passes = (table: Table, row: number): boolean => {
    if (condition === null) return true;
    const found = evaluate(condition, (node) => conditionCell(table, row, node), scope.patterns);
    return found === true;
  };
  const groups = groupTables(tables, input.dimensions, passes);
  if (!statement.ascending) groups.reverse();
  const callScope = callScopeOf(scope, compiled);
  const pace = new Pace(scope);
  for (const group of groups) {
    if (pace.isOver) await pace.pause();
    const rows = compiled.shape.hasCalls
      ? callRows(scope, callScope, outputs, group)
      : rawRows(scope, outputs, group);
    yield { name: group.name, tags: group.tags, rows };
  }
}

async function answer(
  statement: SelectStatement,
  outputs: readonly OutputField[],
  groups: AsyncIterable<AnswerGroup>,
): Promise<ResultSeries<Cell>[]> {
  const series: ResultSeries<Cell>[] = [];
  const columns = [timeName(statement), ...outputs.map(({ name }) => name)];
  let total = 0;
  for await (const { name, tags, rows } of groups) {
    if (!statement.ascending) rows.reverse();
    const end = statement.limit > 0 ? statement.offset + statement.limit : undefined;
    const kept = rows.slice(statement.offset, end);
    if (kept.length === 0) continue;
    total += kept.length;
    if (total > MAX_ROWS)
      throw new LimitError(
        'INFLUX.ROWS',
        'rows',
        `the answer has more than ${MAX_ROWS} rows; narrow the time range`,
      );
    series.push({ name, tags: tags.length > 0 ? tags : null, columns, rows: kept, hasTime: true });
  }
  const last = statement.slimit > 0 ? statement.soffset + statement.slimit : undefined;
  return series.slice(statement.soffset, last);
}

/** A tag that a series does not have is the empty text in conditions. */
function conditionCell(table: Table, row: number, node: Expression): Cell {
  if (node.kind !== 'reference') return null;
  const cell = cellOf(table, row, node.name, node.cast);
  if (cell !== null || table.columns.has(node.name)) return cell;
  return '';
}

function timeName(statement: SelectStatement): string {
  for (const { expression, alias } of statement.fields)
    if (isTimeReference(expression) && alias !== '') return alias;
  return 'time';
}

/** top and bottom show the tags and fields they were given as columns of their own. */
function withTopArguments(fields: readonly Field[], statement: SelectStatement): Field[] {
  const out: Field[] = [];
  for (const field of fields) {
    out.push(field);
    const { expression } = field;
    if (expression.kind !== 'call' || (expression.name !== 'top' && expression.name !== 'bottom'))
      continue;
    if (statement.target !== null) continue;
    for (const arg of expression.args.slice(1, -1)) out.push({ expression: arg, alias: '' });
  }
  return out;
}

function rawRows(scope: SelectScope, outputs: readonly OutputField[], group: Group): Cell[][] {
  const rows: Cell[][] = [];
  const fields = new Map<string, Expression & { readonly kind: 'reference' }>();
  for (const { expression } of outputs) {
    walk(expression, (node) => {
      if (node.kind !== 'reference' || node.cast === 'tag' || !group.hasField(node.name)) return;
      fields.set(printExpression(node), node);
    });
  }
  if (fields.size === 0) return rows;
  for (const ref of group.rows()) {
    let hasValue = group.keepsNulls(ref);
    for (const { name, cast } of fields.values())
      hasValue ||= group.cell(ref, name, cast ?? 'field') !== null;
    if (!hasValue) continue;
    const row: Cell[] = [group.timeOf(ref)];
    const cell = (node: Expression): Cell =>
      node.kind === 'reference' ? group.cell(ref, node.name, node.cast) : null;
    for (const { expression } of outputs) row.push(evaluate(expression, cell, scope.patterns));
    rows.push(row);
  }
  return rows;
}

function callScopeOf(scope: SelectScope, compiled: Compiled): CallScope {
  const { shape, statement, bounds } = compiled;
  const windows =
    shape.intervalNanos > 0n
      ? new Windows(shape.intervalNanos, shape.offsetNanos, compiled.timeZone)
      : null;
  return {
    windows,
    fill: statement.fill,
    min: bounds.min,
    max: bounds.max,
    keepTimes: shape.hasLoneSelector && windows === null,
    maxBuckets: scope.maxBuckets,
    random: scope.random,
  };
}

function callRows(
  { patterns }: SelectScope,
  callScope: CallScope,
  outputs: readonly OutputField[],
  group: Group,
): Cell[][] {
  const streams = new Map<string, readonly Point[]>();
  for (const { expression } of outputs) {
    for (const call of topCalls(expression)) {
      const key = printExpression(call);
      if (!streams.has(key)) streams.set(key, evaluateCall(call, group, callScope));
    }
  }
  return joinStreams(patterns, outputs, group, streams);
}
