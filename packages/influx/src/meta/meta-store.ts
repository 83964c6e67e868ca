import { type Env, errorText, OperatingError } from '@pollux/base';
import { compareText } from '@pollux/model';
import { MetaError } from './errors.ts';
import { hashPassword, quickHash, verifyPassword } from './password.ts';
import {
  checkDestinations,
  checkDurations,
  normalizedShardDuration,
  type PolicyOptions,
  type RetentionPolicy,
  type Subscription,
} from './retention-policy.ts';

export type Database = {
  readonly name: string;
  /** Name of the policy that writes without one go to; empty when it was dropped. */
  readonly defaultPolicy: string;
  readonly policies: readonly RetentionPolicy[];
  readonly continuousQueries: readonly ContinuousQuery[];
};

export type ContinuousQuery = {
  readonly name: string;
  /** The whole CREATE CONTINUOUS QUERY statement, every name qualified. */
  readonly query: string;
};

export type Privilege = 'READ' | 'WRITE' | 'ALL PRIVILEGES' | 'NO PRIVILEGES';

export type User = {
  readonly name: string;
  readonly passwordHash: string;
  readonly admin: boolean;
  /** By database. */
  readonly privileges: Readonly<Record<string, Privilege>>;
};

type Content = { readonly databases: readonly Database[]; readonly users: readonly User[] };

export type MetaStoreOptions = {
  readonly env: Env;
  readonly directory: string;
  /** Whether a new database gets the policy `autogen`. */
  readonly autocreatePolicy: boolean;
};

const FILE = 'meta.json';
const VERSION = 1;

/**
 * Databases, their retention policies and users: the one owner of these names. Every change is written whole to
 * `meta.json` before it takes effect, so a crash leaves the old or the new state.
 */
export class MetaStore {
  readonly #options: MetaStoreOptions;
  #databases = new Map<string, Database>();
  #users = new Map<string, User>();
  /** Per user name; worthless once the password hash changes, for it is part of what is hashed. */
  readonly #proofs = new Map<string, string>();

  /** Reads the file when there is one. Throws OperatingError when it is damaged: guessing names would lose data. */
  constructor(options: MetaStoreOptions) {
    this.#options = options;
    const { files } = options.env;
    files.makeDirectory(options.directory);
    const path = `${options.directory}/${FILE}`;
    if (!files.exists(path)) return;
    const content = readContent(path, new TextDecoder().decode(files.readFile(path)));
    for (const database of content.databases) this.#databases.set(database.name, database);
    for (const user of content.users) this.#users.set(user.name, user);
  }

  /** In the order of their creation, as influxd shows them. */
  databases(): Database[] {
    return [...this.#databases.values()];
  }

  database(name: string): Database | null {
    return this.#databases.get(name) ?? null;
  }

  /** Throws `database not found: x`. */
  requireDatabase(name: string): Database {
    const database = this.#databases.get(name);
    if (database === undefined) throw new MetaError(`database not found: ${name}`);
    return database;
  }

  /** The named policy, or the default one for an empty name. Throws `retention policy not found: x`. */
  requirePolicy(database: Database, name: string): RetentionPolicy {
    const wanted = name === '' ? database.defaultPolicy : name;
    const policy = database.policies.find((candidate) => candidate.name === wanted);
    if (policy === undefined) throw new MetaError(`retention policy not found: ${wanted}`);
    return policy;
  }

  /** Creates the database; the same again is fine, other options for its policy are not. */
  createDatabase(name: string, policyName = '', options: PolicyOptions | null = null): void {
    checkName(name);
    const known = this.#databases.get(name);
    if (options === null) {
      if (known !== undefined) return;
      const policy = newPolicy('autogen', {});
      const policies = this.#options.autocreatePolicy ? [policy] : [];
      const defaultPolicy = policies.length > 0 ? policy.name : '';
      this.#put({ name, defaultPolicy, policies, continuousQueries: [] });
      return;
    }
    if (policyName !== '') checkName(policyName);
    const policy = newPolicy(policyName === '' ? 'autogen' : policyName, options);
    if (known === undefined) {
      this.#put({ name, defaultPolicy: policy.name, policies: [policy], continuousQueries: [] });
      return;
    }
    const existing = known.policies.find((candidate) => candidate.name === policy.name);
    if (
      existing === undefined ||
      !isSame(existing, policy) ||
      known.defaultPolicy !== policy.name
    ) {
      throw new MetaError('retention policy conflicts with an existing policy');
    }
  }

  dropDatabase(name: string): void {
    if (!this.#databases.has(name)) return;
    this.#save({
      ...this.#content(),
      databases: this.databases().filter((database) => database.name !== name),
    });
    this.#databases.delete(name);
  }

  createPolicy(
    databaseName: string,
    name: string,
    options: PolicyOptions,
    isDefault: boolean,
  ): void {
    const database = this.requireDatabase(databaseName);
    checkName(name);
    const policy = newPolicy(name, options);
    const existing = database.policies.find((candidate) => candidate.name === name);
    if (existing !== undefined) {
      if (!isSame(existing, policy)) throw new MetaError('retention policy already exists');
      if (isDefault && database.defaultPolicy !== name) {
        throw new MetaError('retention policy conflicts with an existing policy');
      }
      return;
    }
    this.#put({
      ...database,
      defaultPolicy: isDefault ? name : database.defaultPolicy,
      policies: [...database.policies, policy],
    });
  }

  alterPolicy(
    databaseName: string,
    name: string,
    options: PolicyOptions,
    isDefault: boolean,
  ): void {
    const database = this.requireDatabase(databaseName);
    const policy = this.requirePolicy(database, name);
    const durationNanos = options.durationNanos ?? policy.durationNanos;
    const shardDurationNanos =
      options.shardDurationNanos === undefined || options.shardDurationNanos === null
        ? policy.shardDurationNanos
        : normalizedShardDuration(options.shardDurationNanos, durationNanos);
    checkDurations(durationNanos, shardDurationNanos);
    const changed: RetentionPolicy = {
      ...policy,
      durationNanos,
      shardDurationNanos,
      replication: options.replication ?? policy.replication,
    };
    const defaultPolicy = isDefault ? policy.name : database.defaultPolicy;
    this.#putPolicy({ ...database, defaultPolicy }, changed);
  }

  dropPolicy(databaseName: string, name: string): void {
    const database = this.#databases.get(databaseName);
    if (database === undefined) return;
    const policies = database.policies.filter((policy) => policy.name !== name);
    this.#put({ ...database, policies });
  }

  /** The same again is fine. */
  createContinuousQuery(databaseName: string, name: string, query: string): void {
    const database = this.requireDatabase(databaseName);
    const known = database.continuousQueries.find((candidate) => candidate.name === name);
    if (known !== undefined) {
      if (known.query.toLowerCase() === query.toLowerCase()) return;
      throw new MetaError('continuous query already exists');
    }
    this.#put({ ...database, continuousQueries: [...database.continuousQueries, { name, query }] });
  }

  dropContinuousQuery(databaseName: string, name: string): void {
    const database = this.#databases.get(databaseName);
    const left = database?.continuousQueries.filter((query) => query.name !== name);
    if (database === undefined || left === undefined) return;
    if (left.length < database.continuousQueries.length)
      this.#put({ ...database, continuousQueries: left });
  }

  createSubscription(databaseName: string, policyName: string, subscription: Subscription): void {
    checkDestinations(subscription.destinations);
    const database = this.requireDatabase(databaseName);
    const policy = this.requirePolicy(database, policyName);
    if (policy.subscriptions.some(({ name }) => name === subscription.name))
      throw new MetaError('subscription already exists');
    this.#putPolicy(database, {
      ...policy,
      subscriptions: [...policy.subscriptions, subscription],
    });
  }

  dropSubscription(databaseName: string, policyName: string, name: string): void {
    const database = this.requireDatabase(databaseName);
    const policy = this.requirePolicy(database, policyName);
    const subscriptions = policy.subscriptions.filter((known) => known.name !== name);
    if (subscriptions.length === policy.subscriptions.length)
      throw new MetaError('subscription not found');
    this.#putPolicy(database, { ...policy, subscriptions });
  }

  users(): User[] {
    return [...this.#users.values()].sort((a, b) => compareText(a.name, b.name));
  }

  user(name: string): User | null {
    return this.#users.get(name) ?? null;
  }

  get hasAdmin(): boolean {
    for (const user of this.#users.values()) if (user.admin) return true;
    return false;
  }

  createUser(name: string, password: string, admin: boolean): void {
    if (name === '') throw new MetaError('username required');
    const known = this.#users.get(name);
    if (known !== undefined) {
      if (known.admin === admin && verifyPassword(password, known.passwordHash)) return;
      throw new MetaError('user already exists');
    }
    const passwordHash = hashPassword(password, this.#options.env.random);
    this.#putUser({ name, passwordHash, admin, privileges: {} });
  }

  dropUser(name: string): void {
    this.requireUser(name);
    const users = this.users().filter((user) => user.name !== name);
    this.#save({ ...this.#content(), users });
    this.#users.delete(name);
  }

  setPassword(name: string, password: string): void {
    const user = this.requireUser(name);
    this.#putUser({ ...user, passwordHash: hashPassword(password, this.#options.env.random) });
  }

  setAdmin(name: string, admin: boolean): void {
    this.#putUser({ ...this.requireUser(name), admin });
  }

  grant(name: string, databaseName: string, privilege: Privilege): void {
    const user = this.requireUser(name);
    this.requireDatabase(databaseName);
    this.#putUser({ ...user, privileges: { ...user.privileges, [databaseName]: privilege } });
  }

  /** What is left when READ is taken from ALL is WRITE; a revoked database stays listed. */
  revoke(name: string, databaseName: string, privilege: Privilege): void {
    const held = this.requireUser(name).privileges[databaseName] ?? 'NO PRIVILEGES';
    let left: Privilege = 'NO PRIVILEGES';
    if (held === 'ALL PRIVILEGES' && privilege === 'READ') left = 'WRITE';
    else if (held === 'ALL PRIVILEGES' && privilege === 'WRITE') left = 'READ';
    else if (privilege !== 'ALL PRIVILEGES' && held !== privilege) left = held;
    this.grant(name, databaseName, left);
  }

  requireUser(name: string): User {
    const user = this.#users.get(name);
    if (user === undefined) throw new MetaError('user not found');
    return user;
  }

  /** The user when the password is right, else null. A right one is remembered as a hash, for the check is slow on purpose. */
  authenticate(name: string, password: string): User | null {
    const user = this.#users.get(name);
    if (user === undefined) return null;
    const proof = quickHash(user.passwordHash, password);
    if (this.#proofs.get(name) === proof) return user;
    if (!verifyPassword(password, user.passwordHash)) return null;
    this.#proofs.set(name, proof);
    return user;
  }

  #put(database: Database): void {
    const others = this.databases().filter((known) => known.name !== database.name);
    this.#save({ ...this.#content(), databases: [...others, database] });
    this.#databases.set(database.name, database);
  }

  #putPolicy(database: Database, policy: RetentionPolicy): void {
    const policies = database.policies.map((known) =>
      known.name === policy.name ? policy : known,
    );
    this.#put({ ...database, policies });
  }

  #putUser(user: User): void {
    const others = this.users().filter((known) => known.name !== user.name);
    this.#save({ ...this.#content(), users: [...others, user] });
    this.#users.set(user.name, user);
  }

  #content(): Content {
    return { databases: this.databases(), users: this.users() };
  }

  #save(content: Content): void {
    const text = JSON.stringify(
      { version: VERSION, ...content },
      (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
      2,
    );
    this.#options.env.files.replaceFile(`${this.#options.directory}/${FILE}`, `${text}\n`);
  }
}

function newPolicy(name: string, options: PolicyOptions): RetentionPolicy {
  const durationNanos = options.durationNanos ?? 0n;
  const shardDurationNanos = normalizedShardDuration(
    options.shardDurationNanos ?? 0n,
    durationNanos,
  );
  checkDurations(durationNanos, shardDurationNanos);
  return {
    name,
    durationNanos,
    shardDurationNanos,
    replication: options.replication ?? 1,
    subscriptions: [],
  };
}

function isSame(a: RetentionPolicy, b: RetentionPolicy): boolean {
  return (
    a.durationNanos === b.durationNanos &&
    a.shardDurationNanos === b.shardDurationNanos &&
    a.replication === b.replication
  );
}

function checkName(name: string): void {
  const isValid =
    name.length > 0 &&
    name.length <= 255 &&
    name !== '.' &&
    name !== '..' &&
    !/[/\\\p{Cc}]/u.test(name);
  if (!isValid) throw new MetaError('invalid name');
}

type StoredPolicy = {
  name: string;
  durationNanos: string;
  shardDurationNanos: string;
  replication: number;
  /** Missing in files of programs that knew none. */
  subscriptions?: Subscription[];
};

function readContent(path: string, text: string): Content {
  try {
    const value = JSON.parse(text) as {
      version: number;
      databases: {
        name: string;
        defaultPolicy: string;
        policies: StoredPolicy[];
        continuousQueries?: ContinuousQuery[];
      }[];
      users: User[];
    };
    if (value.version !== VERSION)
      throw new Error(`format version ${value.version}, this program reads ${VERSION}`);
    const databases = value.databases.map((database) => ({
      ...database,
      continuousQueries: database.continuousQueries ?? [],
      policies: database.policies.map((policy) => ({
        ...policy,
        subscriptions: policy.subscriptions ?? [],
        durationNanos: BigInt(policy.durationNanos),
        shardDurationNanos: BigInt(policy.shardDurationNanos),
      })),
    }));
    return { databases, users: value.users };
  } catch (error) {
    throw new OperatingError(
      'INFLUX.META_CORRUPT',
      `${path}: ${errorText(error)}; restore it from a backup: without it the names of databases are lost`,
      { cause: error },
    );
  }
}
