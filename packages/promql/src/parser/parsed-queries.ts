import type { Expr } from './ast.ts';
import { type ParserOptions, parseExpr } from './parser.ts';

/** Dashboards and clients ask the same few hundred texts again and again; up to twice as many are kept. */
const MAX_TEXTS = 250;
/** UTF-16 units of a text that is kept; few are longer, and those take long to evaluate. */
const MAX_LENGTH = 2_000;

/**
 * Parses queries, and keeps what was parsed of the texts that were asked last: a tree does not depend on the query's times,
 * and is never changed, so that its compiled regular expressions are kept with it.
 */
export class ParsedQueries {
  readonly #options: ParserOptions;
  /** Those asked since the last change of generations. */
  #young = new Map<string, Expr>();
  /** Those asked between the last two changes; what is asked again becomes young. */
  #old = new Map<string, Expr>();

  constructor(options: ParserOptions = {}) {
    this.#options = options;
  }

  /** Throws ParseError. */
  parse(query: string): Expr {
    const kept = this.#young.get(query);
    if (kept !== undefined) return kept;
    const expr = this.#old.get(query) ?? parseExpr(query, this.#options);
    if (query.length > MAX_LENGTH) return expr;
    if (this.#young.size >= MAX_TEXTS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(query, expr);
    return expr;
  }
}
