import type { Answer, Cell } from '../../influx/answer.ts';
import type { InfluxServer } from './influx-server.ts';
import type { FieldType } from './point-lines.ts';

export type SourcePolicy = {
  readonly name: string;
  readonly isDefault: boolean;
  /** As Go writes durations; `0s` for ever. */
  readonly duration: string;
  readonly shardDuration: string;
  readonly replication: string;
};

export type SourceDatabase = { readonly name: string; readonly policies: readonly SourcePolicy[] };

/** A measurement within a shard group: what is read, and done or not done, as a whole. Times as RFC 3339, the end exclusive. */
export type Unit = {
  readonly database: string;
  readonly policy: string;
  readonly measurement: string;
  readonly start: string;
  readonly end: string;
};

/** A statement over a unit, and the types of the columns that it asks for. */
export type UnitQuery = {
  readonly statement: string;
  readonly types: ReadonlyMap<string, FieldType>;
};

export type Wanted = {
  /** Empty: all but `_internal`. */
  readonly databases: readonly string[];
  /** Empty: all. */
  readonly policies: readonly string[];
  /** RFC 3339, or empty. */
  readonly start: string;
  readonly end: string;
};

const PRECEDENCE: readonly FieldType[] = ['float', 'integer', 'unsigned', 'string', 'boolean'];

export async function databasesOf(
  server: InfluxServer,
  { databases, policies }: Wanted,
): Promise<SourceDatabase[]> {
  const names = column(await server.query('SHOW DATABASES'), 'name').filter((name) =>
    databases.length === 0 ? name !== '_internal' : databases.includes(name),
  );
  const found: SourceDatabase[] = [];
  for (const name of names) {
    const rows = records(await server.query(`SHOW RETENTION POLICIES ON ${quoted(name)}`));
    const all = rows.map((row) => ({
      name: row('name'),
      isDefault: row('default') === 'true',
      duration: row('duration'),
      shardDuration: row('shardGroupDuration'),
      replication: row('replicaN'),
    }));
    const wanted = all.filter((one) => policies.length === 0 || policies.includes(one.name));
    found.push({ name, policies: wanted });
  }
  return found;
}

/** All that is to be read, oldest first, one shard group after the other. Asks for the shard groups, so the user must be an administrator. */
export async function unitsOf(
  server: InfluxServer,
  databases: readonly SourceDatabase[],
  { start, end }: Wanted,
): Promise<Unit[]> {
  const groups = records(await server.query('SHOW SHARD GROUPS'));
  const units: Unit[] = [];
  for (const { name, policies } of databases) {
    const measurements = column(await server.query(`SHOW MEASUREMENTS ON ${quoted(name)}`), 'name');
    for (const policy of policies) {
      const own = groups
        .filter((row) => row('database') === name && row('retention_policy') === policy.name)
        .map((row) => ({
          start: later(row('start_time'), start),
          end: earlier(row('end_time'), end),
        }))
        .filter((span) => Date.parse(span.start) < Date.parse(span.end))
        .sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
      for (const span of own) {
        for (const measurement of measurements)
          units.push({ database: name, policy: policy.name, measurement, ...span });
      }
    }
  }
  return units;
}

/**
 * One statement that reads all fields, and one more for each type beside the first that a field has in some shard group: a statement gives
 * a column of one type. Whole numbers and floats of one field come as floats, of which `mixed` tells.
 */
export function queriesOf(
  unit: Unit,
  fields: readonly (readonly [name: string, type: FieldType])[],
): { readonly queries: readonly UnitQuery[]; readonly mixed: readonly string[] } {
  const place = `${quoted(unit.policy)}.${quoted(unit.measurement)}`;
  const rest = `FROM ${place} WHERE time >= '${unit.start}' AND time < '${unit.end}' GROUP BY *`;
  const kinds = new Map<string, FieldType[]>();
  for (const [name, type] of fields) kinds.set(name, [...(kinds.get(name) ?? []), type]);
  const first = new Map<string, FieldType>();
  const queries: UnitQuery[] = [];
  const mixed: string[] = [];
  for (const [name, types] of kinds) {
    types.sort((a, b) => PRECEDENCE.indexOf(a) - PRECEDENCE.indexOf(b));
    const [main = 'float', ...others] = types;
    first.set(name, main);
    for (const type of others) {
      if (type === 'integer' || type === 'unsigned') mixed.push(name);
      else {
        const statement = `SELECT ${quoted(name)}::${type} AS ${quoted(name)} ${rest}`;
        queries.push({ statement, types: new Map([[name, type]]) });
      }
    }
  }
  if (first.size > 0) queries.unshift({ statement: `SELECT *::field ${rest}`, types: first });
  return { queries, mixed };
}

/** Names and types of the fields of a measurement in a policy. */
export async function fieldsOf(
  server: InfluxServer,
  { database, policy, measurement }: Unit,
): Promise<(readonly [string, FieldType])[]> {
  const from = `FROM ${quoted(policy)}.${quoted(measurement)}`;
  const rows = records(await server.query(`SHOW FIELD KEYS ON ${quoted(database)} ${from}`));
  return rows.map((row) => [row('fieldKey'), row('fieldType') as FieldType]);
}

/** Statements that make the databases and policies; those that are there already stay as they are. */
export function creationOf(
  { policies }: SourceDatabase,
  name: string,
  known: readonly string[] | null,
): string[] {
  const database = quoted(name);
  const statements: string[] = [];
  const options = (policy: SourcePolicy): string =>
    `DURATION ${policy.duration === '0s' ? 'INF' : policy.duration} REPLICATION ${policy.replication} SHARD DURATION ${policy.shardDuration}`;
  const main = policies.find(({ isDefault }) => isDefault) ?? policies[0];
  if (known === null) {
    statements.push(
      main === undefined
        ? `CREATE DATABASE ${database}`
        : `CREATE DATABASE ${database} WITH ${options(main)} NAME ${quoted(main.name)}`,
    );
  }
  for (const policy of policies) {
    if (known === null ? policy === main : known.includes(policy.name)) continue;
    statements.push(
      `CREATE RETENTION POLICY ${quoted(policy.name)} ON ${database} ${options(policy)}`,
    );
  }
  return statements;
}

export function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

export function column(answer: Answer, name: string): string[] {
  return records(answer).map((row) => row(name));
}

/** Rows of all series, by column. */
function records({ results }: Answer): ((column: string) => string)[] {
  return results.flatMap(({ series }) =>
    series.flatMap(({ columns, values }) =>
      values.map((cells) => (name: string) => cellText(cells[columns.indexOf(name)] ?? null)),
    ),
  );
}

function cellText(cell: Cell): string {
  if (cell === null || typeof cell === 'string') return cell ?? '';
  return typeof cell === 'boolean' ? String(cell) : cell.text;
}

function later(a: string, b: string): string {
  return b !== '' && Date.parse(b) > Date.parse(a) ? b : a;
}

function earlier(a: string, b: string): string {
  return b !== '' && Date.parse(b) < Date.parse(a) ? b : a;
}
