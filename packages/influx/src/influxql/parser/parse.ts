import type { Statement } from '../ast.ts';
import { QuerySyntaxError } from '../errors.ts';
import { isMark, type Token } from '../token.ts';
import {
  parseAlter,
  parseCreate,
  parseDeletion,
  parseDrop,
  parseKill,
  parsePrivilege,
  parseSet,
} from './administration.ts';
import { parseSelect } from './select.ts';
import { parseShow } from './show.ts';
import { type Parameters, TokenStream } from './token-stream.ts';

const STATEMENTS: Readonly<Record<string, (stream: TokenStream) => Statement>> = {
  SELECT: parseSelect,
  DELETE: (stream) => ({ kind: 'delete', ...parseDeletion(stream) }),
  SHOW: parseShow,
  CREATE: parseCreate,
  DROP: parseDrop,
  EXPLAIN: parseExplain,
  GRANT: (stream) => parsePrivilege(stream, 'grant'),
  REVOKE: (stream) => parsePrivilege(stream, 'revoke'),
  ALTER: parseAlter,
  SET: parseSet,
  KILL: parseKill,
};
const MAX_STATEMENTS = 10_000;

/** All statements of a query. Throws QuerySyntaxError with influxd's words. */
export function parseQuery(text: string, parameters: Parameters = new Map()): Statement[] {
  const stream = new TokenStream(text, parameters);
  const statements: Statement[] = [];
  let isSeparated = true;
  for (;;) {
    const token = stream.next();
    if (token.kind === 'end') return statements;
    if (isMark(token, ';')) {
      isSeparated = true;
      continue;
    }
    if (!isSeparated) throw QuerySyntaxError.expected(token, [';', 'EOF']);
    statements.push(parseStatement(stream, token));
    isSeparated = false;
    if (statements.length > MAX_STATEMENTS)
      throw new QuerySyntaxError(`more than ${MAX_STATEMENTS} statements`);
  }
}

function parseStatement(stream: TokenStream, token: Token): Statement {
  const parse =
    token.kind === 'keyword' && Object.hasOwn(STATEMENTS, token.text)
      ? STATEMENTS[token.text]
      : undefined;
  if (parse === undefined) throw QuerySyntaxError.expected(token, Object.keys(STATEMENTS));
  return parse(stream);
}

function parseExplain(stream: TokenStream): Statement {
  const analyze = stream.take('ANALYZE');
  stream.expect('SELECT');
  return { kind: 'explain', statement: parseSelect(stream), analyze };
}
