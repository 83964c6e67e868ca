import type { Expression, Measurement, PolicySpec, Statement } from './ast.ts';
import { formatInfluxDuration } from './duration.ts';
import {
  printExpression,
  printMeasurement,
  printSelect,
  quoteIdentifier,
  quoteString,
} from './print.ts';

/** A statement as influxd prints it in messages. Passwords are never printed. */
export function printStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'select':
      return printSelect(statement);
    case 'explain':
      return `EXPLAIN ${statement.analyze ? 'ANALYZE ' : ''}${printSelect(statement.statement)}`;
    case 'delete':
    case 'drop-series':
      return words(statement.kind) + clauses(statement.sources, statement.condition);
    case 'drop-shard':
      return `DROP SHARD ${statement.id}`;
    case 'kill-query':
      return `KILL QUERY ${statement.id}${statement.host === '' ? '' : ` ON ${quoteIdentifier(statement.host)}`}`;
    case 'create-policy':
    case 'alter-policy':
    case 'drop-policy':
      return printPolicy(statement);
    case 'create-user':
      return `CREATE USER ${quoteIdentifier(statement.name)} WITH PASSWORD [REDACTED]${statement.admin ? ' WITH ALL PRIVILEGES' : ''}`;
    case 'set-password':
      return `SET PASSWORD FOR ${quoteIdentifier(statement.name)} = [REDACTED]`;
    case 'grant':
      return `GRANT ${statement.privilege} ON ${quoteIdentifier(statement.database)} TO ${quoteIdentifier(statement.user)}`;
    case 'revoke':
      return `REVOKE ${statement.privilege} ON ${quoteIdentifier(statement.database)} FROM ${quoteIdentifier(statement.user)}`;
    case 'grant-admin':
      return `GRANT ALL PRIVILEGES TO ${quoteIdentifier(statement.user)}`;
    case 'revoke-admin':
      return `REVOKE ALL PRIVILEGES FROM ${quoteIdentifier(statement.user)}`;
    case 'show-grants':
      return `SHOW GRANTS FOR ${quoteIdentifier(statement.user)}`;
    case 'show-policies':
      return `SHOW RETENTION POLICIES${on(statement.database)}`;
    case 'show-measurements':
    case 'show-series':
    case 'show-field-keys':
    case 'show-tag-keys':
      return (
        words(statement.kind) +
        on(statement.database) +
        clauses(statement.sources, statement.condition)
      );
    case 'show-tag-values': {
      const { keys } = statement;
      const [name = ''] = 'names' in keys ? keys.names : [];
      const filter =
        'source' in keys
          ? `${keys.operator} /${keys.source}/`
          : keys.operator === 'IN'
            ? `IN (${keys.names.map((key) => quoteIdentifier(key)).join(', ')})`
            : `${keys.operator} ${quoteIdentifier(name)}`;
      const from = clauses(statement.sources, null);
      return `SHOW TAG VALUES${on(statement.database)}${from} WITH KEY ${filter}${clauses([], statement.condition)}`;
    }
    case 'create-continuous-query': {
      const { everyNanos, forNanos } = statement;
      const resample = [
        ...(everyNanos > 0n ? [` EVERY ${formatInfluxDuration(everyNanos)}`] : []),
        ...(forNanos > 0n ? [` FOR ${formatInfluxDuration(forNanos)}`] : []),
      ].join('');
      const head = `CREATE CONTINUOUS QUERY ${quoteIdentifier(statement.name)}${on(statement.database)}`;
      return `${head}${resample === '' ? '' : ` RESAMPLE${resample}`} BEGIN ${printSelect(statement.source)} END`;
    }
    case 'create-subscription': {
      const destinations = statement.destinations.map(quoteString).join(', ');
      const place = quoteIdentifier(statement.database, statement.retentionPolicy);
      return `CREATE SUBSCRIPTION ${quoteIdentifier(statement.name)} ON ${place} DESTINATIONS ${statement.mode} ${destinations}`;
    }
    case 'drop-subscription':
      return `DROP SUBSCRIPTION ${quoteIdentifier(statement.name)} ON ${quoteIdentifier(statement.database, statement.retentionPolicy)}`;
    case 'drop-continuous-query':
      return `DROP CONTINUOUS QUERY ${quoteIdentifier(statement.name)} ON ${quoteIdentifier(statement.database)}`;
    default:
      return (
        words(statement.kind) + ('name' in statement ? ` ${quoteIdentifier(statement.name)}` : '')
      );
  }
}

function words(kind: string): string {
  return kind.replaceAll('-', ' ').toUpperCase();
}

function on(database: string): string {
  return database === '' ? '' : ` ON ${quoteIdentifier(database)}`;
}

function clauses(sources: readonly Measurement[], condition: Expression | null): string {
  const from = sources.length === 0 ? '' : ` FROM ${sources.map(printMeasurement).join(', ')}`;
  return from + (condition === null ? '' : ` WHERE ${printExpression(condition)}`);
}

type PolicyStatement = Extract<
  Statement,
  { kind: 'create-policy' | 'alter-policy' | 'drop-policy' }
>;

function printPolicy(statement: PolicyStatement): string {
  const [verb = ''] = words(statement.kind).split(' ');
  const head = `${verb} RETENTION POLICY ${quoteIdentifier(statement.name)}${on(statement.database)}`;
  return statement.kind === 'drop-policy' ? head : head + printPolicyOptions(statement.policy);
}

function printPolicyOptions(policy: PolicySpec): string {
  let text = '';
  if (policy.durationNanos !== null)
    text += ` DURATION ${formatInfluxDuration(policy.durationNanos)}`;
  if (policy.replication !== null) text += ` REPLICATION ${policy.replication}`;
  if (policy.shardDurationNanos !== null)
    text += ` SHARD DURATION ${formatInfluxDuration(policy.shardDurationNanos)}`;
  return policy.isDefault ? `${text} DEFAULT` : text;
}
