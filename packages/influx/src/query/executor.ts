import type { Clock, Random, StopSignal } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { StoreEngine } from '../engine-port.ts';
import { formatTime } from '../http/time-text.ts';
import type { Expression, Measurement, SelectStatement, Statement } from '../influxql/ast.ts';
import { walk } from '../influxql/ast.ts';
import { formatGoDuration } from '../influxql/duration.ts';
import { QueryError, UnsupportedQueryError } from '../influxql/errors.ts';
import { printStatement } from '../influxql/print-statement.ts';
import type { MetaStore, User } from '../meta/meta-store.ts';
import type { PointWriter } from '../write/point-writer.ts';
import { qualifyContinuousQuery } from './continuous-query.ts';
import { explain, explainAnalyze } from './explain.ts';
import { intoPoints } from './into.ts';
import type { Cell, ResultSeries, ShownCell } from './result.ts';
import type { RunningQueries } from './running-queries.ts';
import { showSchema } from './schema-statements.ts';
import { runSelect, type SelectScope } from './select.ts';
import { type Diagnostic, type Statistic, statisticSeries } from './statistics.ts';
import { nanoRange, placeOf } from './table.ts';
import { splitCondition } from './time-bounds.ts';
import { evaluate, PatternCache } from './values.ts';

export type ExecutorOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly meta: MetaStore;
  readonly engine: StoreEngine;
  readonly writer: PointWriter;
  readonly maxSeries: number;
  readonly maxBuckets: number;
  readonly running: RunningQueries;
  readonly statistics: () => readonly Statistic[];
  readonly diagnostics: () => readonly Diagnostic[];
};

export type ExecutionContext = {
  readonly database: string;
  readonly retentionPolicy: string;
  readonly signal: StopSignal;
  /** Null when authentication is off. */
  readonly user: User | null;
};

/** Runs one statement at a time. Throws OperatingErrors whose messages are shown to the client. */
export class QueryExecutor {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  async execute(statement: Statement, context: ExecutionContext): Promise<readonly ResultSeries[]> {
    const scope = this.#scope(context);
    switch (statement.kind) {
      case 'select':
        return this.#select(scope, statement);
      case 'explain': {
        const { statement: inner } = statement;
        if (!statement.analyze) return [await explain(scope, inner)];
        return [await explainAnalyze(scope, inner, () => this.#select(scope, inner))];
      }
      case 'show-measurements':
      case 'show-series':
      case 'show-field-keys':
      case 'show-tag-keys':
      case 'show-tag-values':
      case 'show-cardinality':
        return showSchema(scope, statement);
      case 'delete':
      case 'drop-series':
        await this.#delete(scope, statement);
        return [];
      case 'drop-measurement': {
        const database = requireName(scope.database);
        this.#options.meta.requireDatabase(database);
        await this.#options.engine.deleteRows(
          database,
          (measurement) => measurement === statement.name,
          nanoRange(EVER),
        );
        return [];
      }
      case 'drop-shard':
        await this.#options.engine.dropGroup(statement.id);
        return [];
      case 'drop-database':
        // Data first: a crash in between leaves an empty database, never data without a name. Once more afterwards for
        // writes that were on their way.
        await this.#options.engine.dropDatabase(statement.name);
        this.#options.meta.dropDatabase(statement.name);
        await this.#options.engine.dropDatabase(statement.name);
        return [];
      case 'drop-policy':
        await this.#options.engine.dropRetentionPolicy(statement.database, statement.name);
        this.#options.meta.dropPolicy(statement.database, statement.name);
        await this.#options.engine.dropRetentionPolicy(statement.database, statement.name);
        return [];
      default:
        return this.#administer(statement, context);
    }
  }

  #scope(context: ExecutionContext): SelectScope {
    const { clock, engine, meta, random, maxSeries, maxBuckets } = this.#options;
    return {
      clock,
      engine,
      meta,
      random,
      maxSeries,
      maxBuckets,
      signal: context.signal,
      patterns: new PatternCache(),
      database: context.database,
      retentionPolicy: context.retentionPolicy,
      nowNanos: BigInt(clock.now()) * 1_000_000n,
    };
  }

  async #select(scope: SelectScope, statement: SelectStatement): Promise<readonly ResultSeries[]> {
    for (const source of measurementsIn(statement)) {
      if (source.database === '' && scope.database === '')
        throw new QueryError('database name required');
      placeOf(scope, source);
    }
    const series = await runSelect(scope, statement);
    if (statement.target === null) return series;
    const { target } = statement;
    const database = target.database === '' ? requireName(scope.database) : target.database;
    this.#options.meta.requireDatabase(database);
    let written = 0;
    for (const one of series) {
      const batch = intoPoints(one, target.name ?? one.name);
      await this.#options.writer.write(database, target.retentionPolicy, batch);
      written += one.rows.length;
    }
    return [
      {
        name: 'result',
        tags: null,
        columns: ['time', 'written'],
        rows: [[0n, BigInt(written)]],
        hasTime: true,
      },
    ];
  }

  async #delete(
    scope: SelectScope,
    statement: Extract<Statement, { kind: 'delete' | 'drop-series' }>,
  ): Promise<void> {
    const database = requireName(scope.database);
    this.#options.meta.requireDatabase(database);
    const { bounds, rest } = splitCondition(statement.condition, {
      nowNanos: scope.nowNanos,
      timeZone: null,
    });
    if (statement.kind === 'drop-series' && (bounds.min !== null || bounds.max !== null)) {
      throw new QueryError("DROP SERIES doesn't support time in WHERE clause");
    }
    if (rest !== null) await this.#refuseFields(scope, database, rest);
    const matches = (measurement: string, tags: Labels): boolean => {
      const isNamed =
        statement.sources.length === 0 ||
        statement.sources.some(({ name, regex }) =>
          regex === null ? name === measurement : scope.patterns.matches(regex, measurement),
        );
      if (!isNamed) return false;
      if (rest === null) return true;
      const cell = (node: Expression): Cell =>
        node.kind === 'reference' ? tags.get(node.name) : null;
      return evaluate(rest, cell, scope.patterns) === true;
    };
    await this.#options.engine.deleteRows(database, matches, nanoRange(bounds));
  }

  async #refuseFields(scope: SelectScope, database: string, condition: Expression): Promise<void> {
    const names = new Set<string>();
    walk(condition, (node) => {
      if (node.kind === 'reference') names.add(node.name);
    });
    for (const group of this.#options.engine.groups()) {
      if (group.database !== database) continue;
      await scope.engine.prepare(database, group.retentionPolicy, nanoRange(EVER));
      const view = scope.engine.view(database, group.retentionPolicy, nanoRange(EVER));
      try {
        for (const measurement of view.measurements()) {
          if (!view.fields(measurement).some(({ name }) => names.has(name))) continue;
          throw new QueryError(
            `shard ${group.id}: fields not supported in WHERE clause during deletion`,
          );
        }
      } finally {
        view.release();
      }
    }
  }

  #administer(statement: Statement, context: ExecutionContext): ResultSeries[] {
    const { meta } = this.#options;
    switch (statement.kind) {
      case 'create-database':
        meta.createDatabase(statement.name, statement.policyName, statement.policy);
        return [];
      case 'create-policy':
        meta.createPolicy(
          statement.database,
          statement.name,
          statement.policy,
          statement.policy.isDefault,
        );
        return [];
      case 'alter-policy':
        meta.alterPolicy(
          statement.database,
          statement.name,
          statement.policy,
          statement.policy.isDefault,
        );
        return [];
      case 'create-user':
        meta.createUser(statement.name, statement.password, statement.admin);
        return [];
      case 'drop-user':
        meta.dropUser(statement.name);
        return [];
      case 'set-password':
        meta.setPassword(statement.name, statement.password);
        return [];
      case 'grant':
        meta.grant(statement.user, statement.database, statement.privilege);
        return [];
      case 'revoke':
        meta.revoke(statement.user, statement.database, statement.privilege);
        return [];
      case 'create-continuous-query': {
        const whole = qualifyContinuousQuery(meta, statement);
        meta.createContinuousQuery(statement.database, statement.name, printStatement(whole));
        return [];
      }
      case 'drop-continuous-query':
        meta.dropContinuousQuery(statement.database, statement.name);
        return [];
      case 'create-subscription': {
        const { database, retentionPolicy, name, mode, destinations } = statement;
        meta.createSubscription(database, retentionPolicy, { name, mode, destinations });
        return [];
      }
      case 'drop-subscription':
        meta.dropSubscription(statement.database, statement.retentionPolicy, statement.name);
        return [];
      case 'kill-query':
        this.#options.running.kill(statement.id);
        return [];
      case 'grant-admin':
      case 'revoke-admin':
        meta.setAdmin(statement.user, statement.kind === 'grant-admin');
        return [];
      default:
        return this.#show(statement, context);
    }
  }

  #show(statement: Statement, context: ExecutionContext): ResultSeries[] {
    const { meta } = this.#options;
    switch (statement.kind) {
      case 'show-databases': {
        const { user } = context;
        const names = meta
          .databases()
          .filter(
            ({ name }) =>
              user === null ||
              user.admin ||
              (user.privileges[name] ?? 'NO PRIVILEGES') !== 'NO PRIVILEGES',
          );
        return [
          table(
            'databases',
            ['name'],
            names.map(({ name }) => [name]),
          ),
        ];
      }
      case 'show-policies': {
        const database = meta.requireDatabase(
          statement.database === '' ? requireName(context.database) : statement.database,
        );
        const rows = database.policies.map((policy) => [
          policy.name,
          formatGoDuration(policy.durationNanos),
          formatGoDuration(policy.shardDurationNanos),
          BigInt(policy.replication),
          policy.name === database.defaultPolicy,
        ]);
        return [table('', ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'], rows)];
      }
      case 'show-users':
        return [
          table(
            '',
            ['user', 'admin'],
            meta.users().map(({ name, admin }) => [name, admin]),
          ),
        ];
      case 'show-grants': {
        const { privileges } = meta.requireUser(statement.user);
        return [table('', ['database', 'privilege'], Object.entries(privileges))];
      }
      case 'show-shards':
        return this.#showShards();
      case 'show-shard-groups':
        return this.#showShardGroups();
      case 'show-continuous-queries':
        return meta.databases().map(({ name, continuousQueries }) => {
          const rows = continuousQueries.map((query) => [query.name, query.query]);
          return table(name, ['name', 'query'], rows);
        });
      case 'show-subscriptions':
        return this.#showSubscriptions();
      case 'show-queries':
        return [this.#showQueries()];
      case 'show-stats':
        return statisticSeries(
          this.#options
            .statistics()
            .filter(({ name }) => statement.module === '' || statement.module === name),
        );
      case 'show-diagnostics':
        return this.#options
          .diagnostics()
          .filter(({ name }) => statement.module === '' || statement.module === name)
          .map(({ name, values }) => {
            const columns = Object.keys(values).sort();
            return table(name, columns, [columns.map((column) => values[column] ?? null)]);
          });
      default:
        throw new UnsupportedQueryError(statement.kind.replaceAll('-', ' ').toUpperCase());
    }
  }

  #showQueries(): ResultSeries {
    const { running } = this.#options;
    const rows = running
      .list()
      .map((query) => [
        BigInt(query.id),
        query.text,
        query.database,
        running.age(query),
        query.isKilled ? 'killed' : 'running',
      ]);
    return table('', ['qid', 'query', 'database', 'duration', 'status'], rows);
  }

  #showSubscriptions(): ResultSeries[] {
    const columns = ['retention_policy', 'name', 'mode', 'destinations'];
    return this.#options.meta.databases().flatMap((database) => {
      const rows = database.policies.flatMap((policy) =>
        policy.subscriptions.map(({ name, mode, destinations }) => [
          policy.name,
          name,
          mode,
          destinations,
        ]),
      );
      return rows.length === 0 ? [] : [table(database.name, columns, rows)];
    });
  }

  #showShards(): ResultSeries[] {
    const columns = [
      'id',
      'database',
      'retention_policy',
      'shard_group',
      'start_time',
      'end_time',
      'expiry_time',
      'owners',
    ];
    return this.#options.meta.databases().map(({ name }) => {
      const rows = this.#groupRows(name).map(([id, ...rest]) => [
        id!,
        rest[0]!,
        rest[1]!,
        id!,
        rest[2]!,
        rest[3]!,
        rest[4]!,
        '',
      ]);
      return table(name, columns, rows);
    });
  }

  #showShardGroups(): ResultSeries[] {
    const columns = ['id', 'database', 'retention_policy', 'start_time', 'end_time', 'expiry_time'];
    const rows = this.#options.meta.databases().flatMap(({ name }) => this.#groupRows(name));
    return [table('shard groups', columns, rows)];
  }

  /** id, database, retention policy, start, end, expiry. Without a duration expiry is shown as the end, as influxd does. */
  #groupRows(database: string): Cell[][] {
    const { meta, engine } = this.#options;
    const rows: Cell[][] = [];
    for (const group of engine.groups()) {
      if (group.database !== database) continue;
      const policy = meta
        .database(database)
        ?.policies.find(({ name }) => name === group.retentionPolicy);
      const endNanos = BigInt(group.endMs) * 1_000_000n;
      const startText = formatTime(BigInt(group.startMs) * 1_000_000n, null);
      const expiry = formatTime(endNanos + (policy?.durationNanos ?? 0n), null);
      rows.push([
        BigInt(group.id),
        database,
        group.retentionPolicy,
        startText,
        formatTime(endNanos, null),
        expiry,
      ]);
    }
    return rows;
  }
}

const EVER = { min: null, max: null };

function table(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly ShownCell[])[],
): ResultSeries {
  return { name, tags: null, columns, rows, hasTime: false };
}

function requireName(database: string): string {
  if (database === '') throw new QueryError('database name required');
  return database;
}

function measurementsIn(statement: SelectStatement): Measurement[] {
  return statement.sources.flatMap((source) =>
    source.kind === 'measurement' ? [source] : measurementsIn(source.statement),
  );
}
