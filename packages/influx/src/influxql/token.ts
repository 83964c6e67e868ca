/** Words that are no bare identifiers; upper case. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'ALL ALTER ANALYZE AND ANY AS ASC BEGIN BY CARDINALITY CREATE CONTINUOUS DATABASE DATABASES DEFAULT DELETE DESC ' +
    'DESTINATIONS DIAGNOSTICS DISTINCT DROP DURATION END EVERY EXACT EXPLAIN FALSE FIELD FOR FROM GRANT GRANTS GROUP GROUPS ' +
    'IN INF INSERT INTO KEY KEYS KILL LIMIT MEASUREMENT MEASUREMENTS NAME OFFSET ON OR ORDER PASSWORD POLICY POLICIES ' +
    'PRIVILEGES QUERIES QUERY READ REPLICATION RESAMPLE RETENTION REVOKE SELECT SERIES SET SHARD SHARDS SHOW SLIMIT SOFFSET STATS ' +
    'SUBSCRIPTION SUBSCRIPTIONS TAG TO TRUE USER USERS VALUES VERBOSE WHERE WITH WRITE'
  ).split(' '),
);

export type TokenKind =
  | 'end'
  | 'blank'
  | 'illegal'
  | 'identifier'
  | 'keyword'
  | 'number'
  | 'integer'
  | 'duration'
  | 'string'
  | 'bad-string'
  | 'bad-escape'
  | 'parameter'
  | 'operator'
  /** ( ) , : :: ; . */
  | 'mark';

/** Line and character count from 0; messages show them from 1. */
export type Position = { readonly line: number; readonly char: number };

export type Token = {
  readonly kind: TokenKind;
  /** Keywords in upper case; identifiers and strings unquoted. */
  readonly text: string;
  /** What a message shows after `found`. */
  readonly shown: string;
  readonly position: Position;
};

export function isKeyword(token: Token, word: string): boolean {
  return token.kind === 'keyword' && token.text === word;
}

export function isMark(token: Token, mark: string): boolean {
  return token.kind === 'mark' && token.text === mark;
}
