import type { Expression, SelectStatement, Source, Statement } from '../influxql/ast.ts';
import { QueryError } from '../influxql/errors.ts';
import { parseQuery } from '../influxql/parser/parse.ts';
import { MetaError } from '../meta/errors.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import { compileSelect } from './compile.ts';
import { splitCondition } from './time-bounds.ts';
import { Windows } from './windows.ts';

type CreateStatement = Extract<Statement, { kind: 'create-continuous-query' }>;

/** The statement with every database and policy that it stands for; throws MetaError for unknown ones. */
export function qualifyContinuousQuery(
  meta: MetaStore,
  statement: CreateStatement,
): CreateStatement {
  const home = statement.database;
  const defaultOf = (database: string): string => meta.requireDatabase(database).defaultPolicy;
  const place = <T extends { readonly database: string; readonly retentionPolicy: string }>(
    given: T,
  ): T => {
    const database = given.database === '' ? home : given.database;
    const defaultPolicy = defaultOf(database);
    const retentionPolicy = given.retentionPolicy === '' ? defaultPolicy : given.retentionPolicy;
    return { ...given, database, retentionPolicy };
  };
  const inside = (select: SelectStatement): SelectStatement => ({
    ...select,
    target: select.target === null ? null : place(select.target),
    sources: select.sources.map(
      (source): Source =>
        source.kind === 'subquery'
          ? { ...source, statement: inside(source.statement) }
          : place(source),
    ),
  });
  meta.requireDatabase(home);
  const source = inside(statement.source);
  const { target } = source;
  if (target !== null) {
    const { policies } = meta.requireDatabase(target.database);
    if (!policies.some(({ name }) => name === target.retentionPolicy)) {
      const { database, retentionPolicy } = target;
      throw new MetaError(`retention policy not found: ${database}.${retentionPolicy}`);
    }
  }
  return { ...statement, source };
}

/** What is to be run now, and when the next run counts from. */
export type DueRun = {
  readonly statement: SelectStatement;
  readonly fromNanos: bigint;
  readonly toNanos: bigint;
};

/**
 * Decides at `nowNanos` whether the stored query runs, over which whole windows. `lastNanos` is the boundary of its last run, null
 * before the first. Returns the boundary that this run counts as (null when it is not time yet) and what to run, if any window is due.
 */
export function dueRun(
  query: string,
  nowNanos: bigint,
  lastNanos: bigint | null,
): { readonly boundaryNanos: bigint; readonly run: DueRun | null } | null {
  const [statement] = parseQuery(query, new Map());
  if (statement?.kind !== 'create-continuous-query' || statement.source.target === null)
    throw new QueryError("query isn't a valid continuous query");
  const { source } = statement;
  const { intervalNanos, offsetNanos } = compileSelect(source, nowNanos);
  if (intervalNanos === 0n) return null;
  const every = statement.everyNanos > 0n ? statement.everyNanos : intervalNanos;
  const runs = new Windows(every, offsetNanos, source.timeZone);
  const nextNanos = lastNanos === null ? nowNanos : runs.next(lastNanos);
  if (nextNanos > nowNanos) return null;
  const boundaryNanos = runs.start(nowNanos);
  const longer = every > intervalNanos ? every : intervalNanos;
  const shorter = every < intervalNanos ? every : intervalNanos;
  const span = statement.forNanos > 0n ? statement.forNanos : longer;
  const windows = new Windows(intervalNanos, offsetNanos, source.timeZone);
  const fromNanos = windows.start(nextNanos + intervalNanos - span - 1n);
  const toNanos = windows.start(nowNanos + intervalNanos - shorter);
  if (toNanos <= fromNanos) return { boundaryNanos, run: null };
  const { rest } = splitCondition(source.condition, { nowNanos, timeZone: source.timeZone });
  const range = both(bound('>=', fromNanos), bound('<', toNanos));
  const condition = rest === null ? range : both({ kind: 'paren', inner: rest }, range);
  return { boundaryNanos, run: { statement: { ...source, condition }, fromNanos, toNanos } };
}

function both(left: Expression, right: Expression): Expression {
  return { kind: 'binary', operator: 'AND', left, right };
}

function bound(operator: '>=' | '<', nanos: bigint): Expression {
  const time: Expression = { kind: 'reference', name: 'time', cast: null };
  return { kind: 'binary', operator, left: time, right: { kind: 'time', nanos } };
}
