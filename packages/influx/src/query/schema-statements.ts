import { compareText, type Labels } from '@pollux/model';
import { ALL_TIME } from '@pollux/storage';
import type { View } from '../engine-port.ts';
import type {
  Expression,
  KeyFilter,
  Measurement,
  ShowClauses,
  Statement,
} from '../influxql/ast.ts';
import { walk } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import type { Cell, ResultSeries } from './result.ts';
import { nanoRange, type TableScope } from './table.ts';
import { tagConditions } from './tag-conditions.ts';
import { splitCondition } from './time-bounds.ts';
import { evaluate } from './values.ts';

export type SchemaScope = TableScope & { readonly nowNanos: bigint };

type SchemaStatement = Extract<
  Statement,
  {
    readonly kind:
      | 'show-measurements'
      | 'show-series'
      | 'show-field-keys'
      | 'show-tag-keys'
      | 'show-tag-values'
      | 'show-cardinality';
  }
>;

/** A series as SHOW statements see it, over all retention policies of a database. */
type Listed = { readonly measurement: string; readonly tags: Labels; readonly view: View };

/** SHOW MEASUREMENTS, SERIES, FIELD KEYS, TAG KEYS, TAG VALUES and their cardinalities. */
export async function showSchema(
  scope: SchemaScope,
  statement: SchemaStatement,
): Promise<ResultSeries[]> {
  const database = statement.database === '' ? scope.database : statement.database;
  if (database === '') throw new QueryError('database name required');
  if (statement.kind === 'show-series') refuseOrder(statement.condition);
  const views = await openViews(scope, database, statement);
  try {
    return show(scope, views, statement);
  } finally {
    for (const view of views) view.release();
  }
}

/** Tags have no order. */
function refuseOrder(condition: Expression | null): void {
  if (condition === null) return;
  walk(condition, (node) => {
    if (node.kind !== 'binary' || !/^[<>]=?$/.test(node.operator)) return;
    const isTime = [node.left, node.right].some(
      (side) => side.kind === 'reference' && side.name.toLowerCase() === 'time',
    );
    if (!isTime) throw new QueryError('invalid tag comparison operator');
  });
}

/** Views of the policies that the sources name, or of all. */
async function openViews(
  scope: SchemaScope,
  databaseName: string,
  statement: SchemaStatement,
): Promise<View[]> {
  const database = scope.meta.requireDatabase(databaseName);
  const { bounds } = splitCondition(statement.condition, {
    nowNanos: scope.nowNanos,
    timeZone: null,
  });
  const range = bounds.min === null && bounds.max === null ? ALL_TIME : nanoRange(bounds);
  for (const policy of database.policies)
    await scope.engine.prepare(databaseName, policy.name, range);
  return database.policies.map((policy) => scope.engine.view(databaseName, policy.name, range));
}

function show(
  scope: SchemaScope,
  views: readonly View[],
  statement: SchemaStatement,
): ResultSeries[] {
  switch (statement.kind) {
    case 'show-measurements': {
      const sources = statement.filter === null ? [] : [statement.filter];
      const names = namesOfMeasurements(scope, views, { ...statement, sources });
      return single(
        'measurements',
        ['name'],
        page(
          names.map((name) => [name]),
          statement,
        ),
      );
    }
    case 'show-series': {
      const keys = new Set(
        listSeries(scope, views, statement).map(({ measurement, tags }) =>
          seriesKey(measurement, tags),
        ),
      );
      return single(
        '',
        ['key'],
        page(
          [...keys].sort(compareText).map((key) => [key]),
          statement,
        ),
      );
    }
    case 'show-field-keys':
      return showFieldKeys(scope, views, statement);
    case 'show-tag-keys': {
      const byName = tagKeys(scope, views, statement);
      const series = [...byName].map(([name, keys]) =>
        oneOf(
          name,
          ['tagKey'],
          page(
            [...keys].sort(compareText).map((key) => [key]),
            statement,
          ),
        ),
      );
      const end = statement.slimit > 0 ? statement.soffset + statement.slimit : undefined;
      return series.filter(({ rows }) => rows.length > 0).slice(statement.soffset, end);
    }
    case 'show-tag-values':
      return showTagValues(scope, views, statement);
    case 'show-cardinality':
      return showCardinality(scope, views, statement);
  }
}

function single(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
): ResultSeries[] {
  return rows.length === 0 ? [] : [oneOf(name, columns, rows)];
}

function oneOf(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
): ResultSeries {
  return { name, tags: null, columns, rows, hasTime: false };
}

function page<T>(
  rows: readonly T[],
  { limit, offset }: { readonly limit: number; readonly offset: number },
): readonly T[] {
  return rows.slice(offset, limit > 0 ? offset + limit : undefined);
}

/** `cpu,host=a` with the escapes of the line protocol. */
export function seriesKey(measurement: string, tags: Labels): string {
  let key = measurement.replace(/([, ])/g, '\\$1');
  for (const [name, value] of tags)
    key += `,${name.replace(/([, =])/g, '\\$1')}=${value.replace(/([, =])/g, '\\$1')}`;
  return key;
}

function listSeries(scope: SchemaScope, views: readonly View[], clauses: ShowClauses): Listed[] {
  const { rest } = splitCondition(clauses.condition, { nowNanos: scope.nowNanos, timeZone: null });
  const listed: Listed[] = [];
  for (const view of views) {
    for (const measurement of view.measurements()) {
      if (!isNamed(scope, clauses.sources, measurement)) continue;
      const fields = new Set(view.fields(measurement).map(({ name }) => name));
      const matches = (tags: Labels): boolean => passesTags(scope, rest, measurement, tags, fields);
      const conditions = tagConditions(rest, (name) => fields.has(name), scope.patterns);
      for (const series of view.series(measurement, matches, conditions))
        listed.push({ measurement, tags: series.tags, view });
    }
  }
  return listed;
}

/** Measurements of which some series fulfils the condition, sorted. */
function namesOfMeasurements(
  scope: SchemaScope,
  views: readonly View[],
  clauses: ShowClauses,
): string[] {
  const names = new Set<string>();
  if (hasConditionOnTags(scope, clauses)) {
    for (const { measurement } of listSeries(scope, views, clauses)) names.add(measurement);
  } else {
    for (const view of views) {
      for (const name of view.measurements())
        if (isNamed(scope, clauses.sources, name)) names.add(name);
    }
  }
  return [...names].sort(compareText);
}

/** False when the condition is about time only, or there is none. */
function hasConditionOnTags(scope: SchemaScope, clauses: ShowClauses): boolean {
  const time = { nowNanos: scope.nowNanos, timeZone: null };
  return splitCondition(clauses.condition, time).rest !== null;
}

function isNamed(
  scope: SchemaScope,
  sources: readonly Measurement[],
  measurement: string,
): boolean {
  if (sources.length === 0) return true;
  return sources.some(({ name, regex }) =>
    regex === null ? name === measurement : scope.patterns.matches(regex, measurement),
  );
}

/** Conditions on tags and on `_name`; those on fields do not narrow. */
function passesTags(
  scope: SchemaScope,
  condition: Expression | null,
  measurement: string,
  tags: Labels,
  fields: ReadonlySet<string>,
): boolean {
  if (condition === null) return true;
  let hasField = false;
  walk(condition, (node) => {
    if (node.kind === 'reference' && fields.has(node.name) && !tags.has(node.name)) hasField = true;
  });
  if (hasField) return false;
  const cell = (node: Expression): Cell => {
    if (node.kind !== 'reference') return null;
    return node.name === '_name' ? measurement : tags.get(node.name);
  };
  return evaluate(condition, cell, scope.patterns) === true;
}

function showFieldKeys(
  scope: SchemaScope,
  views: readonly View[],
  statement: SchemaStatement & ShowClauses,
): ResultSeries[] {
  const byName = fieldsByMeasurement(scope, views, statement);
  return [...byName]
    .map(([name, fields]) => oneOf(name, ['fieldKey', 'fieldType'], page(fields, statement)))
    .filter(({ rows }) => rows.length > 0);
}

function fieldsByMeasurement(
  scope: SchemaScope,
  views: readonly View[],
  clauses: ShowClauses,
): Map<string, [string, string][]> {
  const byName = new Map<string, Map<string, [string, string]>>();
  for (const view of views) {
    for (const measurement of view.measurements()) {
      if (!isNamed(scope, clauses.sources, measurement)) continue;
      const fields = byName.get(measurement) ?? new Map<string, [string, string]>();
      byName.set(measurement, fields);
      for (const { name, kind } of view.fields(measurement))
        fields.set(`${name}\n${kind}`, [name, kind]);
    }
  }
  const sorted = [...byName].sort(([a], [b]) => compareText(a, b));
  return new Map(
    sorted.map(([name, fields]) => [
      name,
      [...fields.values()].sort(([a, x], [b, y]) => compareText(a, b) || compareText(x, y)),
    ]),
  );
}

function keysByMeasurement(listed: readonly Listed[]): Map<string, Set<string>> {
  const byName = new Map<string, Set<string>>();
  for (const { measurement, tags } of [...listed].sort((a, b) =>
    compareText(a.measurement, b.measurement),
  )) {
    const keys = byName.get(measurement) ?? new Set<string>();
    byName.set(measurement, keys);
    for (const [name] of tags) keys.add(name);
  }
  return byName;
}

/** Names of tags by measurement, of series that fulfil the condition. */
function tagKeys(
  scope: SchemaScope,
  views: readonly View[],
  clauses: ShowClauses,
): Map<string, Set<string>> {
  if (hasConditionOnTags(scope, clauses))
    return keysByMeasurement(listSeries(scope, views, clauses));
  const byName = new Map<string, Set<string>>();
  for (const measurement of namesOfMeasurements(scope, views, clauses)) {
    const keys = new Set<string>();
    for (const view of views) for (const key of view.tagNames(measurement)) keys.add(key);
    byName.set(measurement, keys);
  }
  return byName;
}

function keyPasses(scope: SchemaScope, filter: KeyFilter, key: string): boolean {
  switch (filter.operator) {
    case '=':
    case 'IN':
      return filter.names.includes(key);
    case '!=':
      return !filter.names.includes(key);
    default:
      return scope.patterns.matches(filter.source, key) === (filter.operator === '=~');
  }
}

/** Key and value pairs per measurement, sorted. */
function tagValues(
  scope: SchemaScope,
  views: readonly View[],
  clauses: ShowClauses,
  filter: KeyFilter,
): Map<string, (readonly [string, string])[]> {
  const byName = new Map<string, Map<string, readonly [string, string]>>();
  const note = (measurement: string, tags: Iterable<readonly [string, string]>): void => {
    const pairs = byName.get(measurement) ?? new Map<string, readonly [string, string]>();
    byName.set(measurement, pairs);
    for (const pair of tags) {
      if (keyPasses(scope, filter, pair[0]) && valuePasses(scope, clauses.condition, pair))
        pairs.set(pair.join('\ud800'), pair);
    }
  };
  const narrowed = { ...clauses, condition: withoutValue(clauses.condition) };
  if (hasConditionOnTags(scope, narrowed)) {
    for (const { measurement, tags } of listSeries(scope, views, narrowed)) note(measurement, tags);
  } else {
    for (const view of views) {
      for (const measurement of view.measurements()) {
        if (!isNamed(scope, clauses.sources, measurement)) continue;
        note(measurement, []);
        for (const key of view.tagNames(measurement)) {
          if (!keyPasses(scope, filter, key)) continue;
          note(
            measurement,
            view.tagValues(measurement, key).map((value) => [key, value] as const),
          );
        }
      }
    }
  }
  const sorted = [...byName].sort(([a], [b]) => compareText(a, b));
  return new Map(
    sorted.map(([name, pairs]) => [
      name,
      [...pairs.values()].sort(([a, x], [b, y]) => compareText(a, b) || compareText(x, y)),
    ]),
  );
}

/** `value` in the condition of SHOW TAG VALUES is the value shown, not a tag of that name. */
function withoutValue(condition: Expression | null): Expression | null {
  if (condition === null) return null;
  if (condition.kind === 'paren') {
    const inner = withoutValue(condition.inner);
    return inner === null ? null : { kind: 'paren', inner };
  }
  if (condition.kind !== 'binary') return condition;
  if (condition.operator === 'AND' || condition.operator === 'OR') {
    const left = withoutValue(condition.left);
    const right = withoutValue(condition.right);
    return left === null || right === null ? (left ?? right) : { ...condition, left, right };
  }
  return condition.left.kind === 'reference' && condition.left.name === 'value' ? null : condition;
}

function valuePasses(
  scope: SchemaScope,
  condition: Expression | null,
  pair: readonly [string, string],
): boolean {
  if (condition === null) return true;
  if (condition.kind === 'paren') return valuePasses(scope, condition.inner, pair);
  if (condition.kind !== 'binary') return true;
  if (condition.operator === 'AND')
    return valuePasses(scope, condition.left, pair) && valuePasses(scope, condition.right, pair);
  if (condition.operator === 'OR')
    return valuePasses(scope, condition.left, pair) || valuePasses(scope, condition.right, pair);
  if (condition.left.kind !== 'reference' || condition.left.name !== 'value') return true;
  return evaluate(condition, () => pair[1], scope.patterns) === true;
}

function showTagValues(
  scope: SchemaScope,
  views: readonly View[],
  statement: SchemaStatement & { readonly kind: 'show-tag-values' },
): ResultSeries[] {
  const byName = tagValues(scope, views, statement, statement.keys);
  return [...byName]
    .map(([name, pairs]) => oneOf(name, ['key', 'value'], page(pairs, statement)))
    .filter(({ rows }) => rows.length > 0);
}

function showCardinality(
  scope: SchemaScope,
  views: readonly View[],
  statement: SchemaStatement & { readonly kind: 'show-cardinality' },
): ResultSeries[] {
  const listed = listSeries(scope, views, statement);
  const { bounds } = splitCondition(statement.condition, {
    nowNanos: scope.nowNanos,
    timeZone: null,
  });
  if (bounds.min !== null || bounds.max !== null) {
    const subject = statement.subject.toUpperCase();
    throw new QueryError(`SHOW ${subject} EXACT CARDINALITY doesn't support time in WHERE clause`);
  }
  const isEstimate = !statement.exact && !statement.hasClauses;
  switch (statement.subject) {
    case 'measurement': {
      const count = BigInt(new Set(listed.map(({ measurement }) => measurement)).size);
      if (count === 0n && statement.hasClauses) return [];
      return [oneOf('', [isEstimate ? 'cardinality estimation' : 'count'], [[count]])];
    }
    case 'series': {
      const byName = new Map<string, Set<string>>();
      for (const { measurement, tags } of listed) {
        const keys = byName.get(measurement) ?? new Set<string>();
        byName.set(measurement, keys.add(tags.key()));
      }
      let total = 0;
      for (const keys of byName.values()) total += keys.size;
      if (isEstimate) return [oneOf('', ['cardinality estimation'], [[BigInt(total)]])];
      return counts(
        [...byName].map(([name, keys]) => [name, keys.size]),
        statement,
      );
    }
    case 'tag key':
      return counts(
        [...keysByMeasurement(listed)].map(([name, keys]) => [name, keys.size]),
        statement,
      );
    case 'field key':
      return counts(
        [...fieldsByMeasurement(scope, views, statement)].map(([name, fields]) => [
          name,
          fields.length,
        ]),
        statement,
      );
    case 'tag values': {
      const filter: KeyFilter = statement.keys ?? { operator: '=~', source: '.*' };
      return counts(
        [...tagValues(scope, views, statement, filter)].map(([name, pairs]) => [
          name,
          pairs.length,
        ]),
        statement,
      );
    }
  }
}

function counts(
  rows: readonly (readonly [string, number])[],
  clauses: ShowClauses,
): ResultSeries[] {
  return rows
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, count]) => oneOf(name, ['count'], page([[BigInt(count)]], clauses)))
    .filter(({ rows: kept }) => kept.length > 0);
}
