import type { SelectStatement, Statement } from '../influxql/ast.ts';

type Needed =
  | { readonly privilege: 'admin' }
  | { readonly privilege: 'READ' | 'WRITE'; readonly database: string };

/** What a user must hold to run the statement; `database` is the request's. */
export function requiredPrivileges(statement: Statement, database: string): Needed[] {
  const on = (privilege: 'READ' | 'WRITE', name: string): Needed => ({
    privilege,
    database: name === '' ? database : name,
  });
  switch (statement.kind) {
    case 'select':
      return selectPrivileges(statement, database);
    case 'explain':
      return selectPrivileges(statement.statement, database);
    case 'delete':
    case 'drop-series':
      return [on('WRITE', '')];
    case 'drop-policy':
    case 'drop-continuous-query':
      return [on('WRITE', statement.database)];
    case 'show-policies':
    case 'show-measurements':
    case 'show-series':
    case 'show-field-keys':
    case 'show-tag-keys':
    case 'show-tag-values':
    case 'show-cardinality':
      return [on('READ', statement.database)];
    case 'show-databases':
      return [];
    case 'show-queries':
    case 'show-continuous-queries':
      return [on('READ', '')];
    case 'create-continuous-query': {
      const target = statement.source.target?.database ?? '';
      const isElsewhere = target !== '' && target !== statement.database;
      return [on('READ', statement.database), ...(isElsewhere ? [on('WRITE', target)] : [])];
    }
    default:
      return [{ privilege: 'admin' }];
  }
}

function selectPrivileges(statement: SelectStatement, database: string): Needed[] {
  const needed: Needed[] = [];
  for (const source of statement.sources) {
    if (source.kind === 'subquery') needed.push(...selectPrivileges(source.statement, database));
    else
      needed.push({
        privilege: 'READ',
        database: source.database === '' ? database : source.database,
      });
  }
  if (statement.target !== null) {
    const target = statement.target.database;
    needed.push({ privilege: 'WRITE', database: target === '' ? database : target });
  }
  return needed;
}
