import type { Expr } from './ast.ts';
import { type ParserOptions, parseExpr } from './parser.ts';

/** Dashboards and clients ask the same few hundred texts again and again. */
const MAX_TEXTS = 500;
/** UTF-16 units of a text that is kept; few are longer, and those take long to evaluate. */
const MAX_LENGTH = 2_000;

/**
 * Parses queries, and keeps what was parsed of the texts that were asked last: a tree does not depend on the query's times,
 * and is never changed, so that its compiled regular expressions are kept with it.
 */
export class ParsedQueries {
  readonly #options: ParserOptions;
  /** In the order of use, the latest last. */
  readonly #kept = new Map<string, Expr>();

  constructor(options: ParserOptions = {}) {
    this.#options = options;
  }

  /** Throws ParseError. */
  parse(query: string): Expr {
    const kept = this.#kept.get(query);
    if (kept !== undefined) {
      this.#kept.delete(query);
      this.#kept.set(query, kept);
      return kept;
    }
    const expr = parseExpr(query, this.#options);
    if (query.length > MAX_LENGTH) return expr;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_TEXTS) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(query, expr);
    return expr;
  }
}
