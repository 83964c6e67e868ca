/** InfluxQL as data. Times and durations are nanoseconds. */
export type CastType = 'float' | 'integer' | 'unsigned' | 'string' | 'boolean' | 'field' | 'tag';

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '=~'
  | '!~'
  | 'AND'
  | 'OR';

export type Expression =
  | { readonly kind: 'reference'; readonly name: string; readonly cast: CastType | null }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'paren'; readonly inner: Expression }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'duration'; readonly nanos: bigint }
  | { readonly kind: 'time'; readonly nanos: bigint }
  | { readonly kind: 'regex'; readonly source: string }
  | { readonly kind: 'wildcard'; readonly cast: 'field' | 'tag' | null }
  | { readonly kind: 'distinct'; readonly name: string };

export type Field = { readonly expression: Expression; readonly alias: string };

/** Empty names mean the default. Exactly one of `name` and `regex` is set. */
export type Measurement = {
  readonly kind: 'measurement';
  readonly database: string;
  readonly retentionPolicy: string;
  readonly name: string;
  readonly regex: string | null;
};
export type Source =
  | Measurement
  | { readonly kind: 'subquery'; readonly statement: SelectStatement };

export type Fill =
  | { readonly kind: 'null' | 'none' | 'previous' | 'linear' }
  | { readonly kind: 'number'; readonly value: number | bigint };

export type Target = {
  readonly database: string;
  readonly retentionPolicy: string;
  /** Null for `:MEASUREMENT`: each source's own name. */
  readonly name: string | null;
};

export type SelectStatement = {
  readonly kind: 'select';
  readonly fields: readonly Field[];
  readonly target: Target | null;
  readonly sources: readonly Source[];
  readonly condition: Expression | null;
  readonly dimensions: readonly Expression[];
  readonly fill: Fill;
  /** Whether the statement names a fill. */
  readonly hasFill: boolean;
  readonly ascending: boolean;
  readonly hasOrder: boolean;
  /** 0 = none. */
  readonly limit: number;
  readonly offset: number;
  readonly slimit: number;
  readonly soffset: number;
  readonly timeZone: string | null;
};

/** What most SHOW statements narrow by. */
export type ShowClauses = {
  readonly database: string;
  readonly sources: readonly Measurement[];
  readonly condition: Expression | null;
  readonly limit: number;
  readonly offset: number;
};

/** How SHOW TAG VALUES chooses keys. */
export type KeyFilter =
  | { readonly operator: '=' | '!=' | 'IN'; readonly names: readonly string[] }
  | { readonly operator: '=~' | '!~'; readonly source: string };

export type PolicySpec = {
  readonly durationNanos: bigint | null;
  readonly replication: number | null;
  readonly shardDurationNanos: bigint | null;
  readonly isDefault: boolean;
};

export type CardinalitySubject = 'series' | 'measurement' | 'tag key' | 'tag values' | 'field key';

export type Statement =
  | SelectStatement
  | { readonly kind: 'explain'; readonly statement: SelectStatement; readonly analyze: boolean }
  | {
      readonly kind: 'delete';
      readonly sources: readonly Measurement[];
      readonly condition: Expression | null;
    }
  | {
      readonly kind: 'drop-series';
      readonly sources: readonly Measurement[];
      readonly condition: Expression | null;
    }
  | { readonly kind: 'drop-measurement'; readonly name: string }
  | { readonly kind: 'drop-shard'; readonly id: number }
  | {
      readonly kind: 'create-database';
      readonly name: string;
      readonly policyName: string;
      readonly policy: PolicySpec | null;
    }
  | { readonly kind: 'drop-database'; readonly name: string }
  | {
      readonly kind: 'create-policy';
      readonly name: string;
      readonly database: string;
      readonly policy: PolicySpec;
    }
  | {
      readonly kind: 'alter-policy';
      readonly name: string;
      readonly database: string;
      readonly policy: PolicySpec;
    }
  | { readonly kind: 'drop-policy'; readonly name: string; readonly database: string }
  | {
      readonly kind: 'create-user';
      readonly name: string;
      readonly password: string;
      readonly admin: boolean;
    }
  | { readonly kind: 'drop-user'; readonly name: string }
  | { readonly kind: 'set-password'; readonly name: string; readonly password: string }
  | {
      readonly kind: 'grant' | 'revoke';
      readonly privilege: Privilege;
      readonly database: string;
      readonly user: string;
    }
  | { readonly kind: 'grant-admin' | 'revoke-admin'; readonly user: string }
  | {
      readonly kind:
        | 'show-databases'
        | 'show-shards'
        | 'show-shard-groups'
        | 'show-users'
        | 'show-continuous-queries';
    }
  | { readonly kind: 'show-subscriptions' | 'show-queries' }
  | { readonly kind: 'show-policies'; readonly database: string }
  | ({ readonly kind: 'show-measurements'; readonly filter: Measurement | null } & ShowClauses)
  | ({ readonly kind: 'show-series' | 'show-field-keys' } & ShowClauses)
  | ({
      readonly kind: 'show-tag-keys';
      readonly slimit: number;
      readonly soffset: number;
    } & ShowClauses)
  | ({ readonly kind: 'show-tag-values'; readonly keys: KeyFilter } & ShowClauses)
  | ({
      readonly kind: 'show-cardinality';
      readonly subject: CardinalitySubject;
      readonly exact: boolean;
      readonly keys: KeyFilter | null;
      readonly hasClauses: boolean;
      readonly dimensions: readonly Expression[];
    } & ShowClauses)
  | { readonly kind: 'show-grants'; readonly user: string }
  | { readonly kind: 'show-stats' | 'show-diagnostics'; readonly module: string }
  | { readonly kind: 'kill-query'; readonly id: number; readonly host: string }
  | {
      readonly kind: 'create-continuous-query';
      readonly name: string;
      readonly database: string;
      readonly source: SelectStatement;
      readonly everyNanos: bigint;
      readonly forNanos: bigint;
    }
  | { readonly kind: 'drop-continuous-query'; readonly name: string; readonly database: string }
  | {
      readonly kind: 'create-subscription';
      readonly name: string;
      readonly database: string;
      readonly retentionPolicy: string;
      readonly mode: 'ALL' | 'ANY';
      readonly destinations: readonly string[];
    }
  | {
      readonly kind: 'drop-subscription';
      readonly name: string;
      readonly database: string;
      readonly retentionPolicy: string;
    };

export type Privilege = 'READ' | 'WRITE' | 'ALL PRIVILEGES';

/** Calls `visit` for the expression and all below it, parents first. */
export function walk(expression: Expression, visit: (node: Expression) => void): void {
  visit(expression);
  if (expression.kind === 'call') for (const arg of expression.args) walk(arg, visit);
  else if (expression.kind === 'paren') walk(expression.inner, visit);
  else if (expression.kind === 'binary') {
    walk(expression.left, visit);
    walk(expression.right, visit);
  }
}
