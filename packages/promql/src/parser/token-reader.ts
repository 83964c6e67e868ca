import { ParseError, type PositionRange } from './parse-error.ts';
import { describeToken, type Token } from './token.ts';

/** Deeper nesting than this is refused: the parser and everything after it walk expressions recursively. */
const MAX_DEPTH = 500;

/** A cursor over the tokens of one query, with Prometheus' way of complaining. */
export class TokenReader {
  readonly query: string;
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #aggregations = 0;

  constructor(query: string, tokens: readonly Token[]) {
    this.query = query;
    this.#tokens = tokens;
  }

  /** The next token; throws when the lexer stopped here. */
  peek(): Token {
    const token = this.#tokens[this.#index]!;
    if (token.group === 'error') throw this.error(token, token.text);
    return token;
  }

  /** The token after the next; never throws. */
  peekSecond(): Token {
    return this.#tokens[Math.min(this.#index + 1, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.peek();
    if (token.group !== 'eof') this.#index++;
    return token;
  }

  /** The token before the cursor. */
  previous(): Token {
    return this.#tokens[this.#index - 1]!;
  }

  accept(type: string): boolean {
    const token = this.peek();
    if (token.type !== type || token.group === 'string') return false;
    this.next();
    return true;
  }

  expect(type: string, context: string, expected: string): Token {
    const token = this.peek();
    if (token.type !== type) throw this.unexpected(context, expected);
    return this.next();
  }

  unexpected(context: string, expected: string): ParseError {
    const token = this.peek();
    const place = context === '' && this.#aggregations > 0 ? 'aggregation' : context;
    const where = place === '' ? '' : ` in ${place}`;
    const wanted = expected === '' ? '' : `, expected ${expected}`;
    return this.error(token, `unexpected ${describeToken(token)}${where}${wanted}`);
  }

  error(range: PositionRange, reason: string): ParseError {
    return new ParseError(this.query, { start: range.start, end: range.end }, reason);
  }

  /** Runs `body` inside an aggregation, which errors that know no better place are said to be in. */
  inAggregation<T>(body: () => T): T {
    this.#aggregations++;
    const result = body();
    this.#aggregations--;
    return result;
  }

  /** Runs `body` one level deeper. */
  nested<T>(body: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw this.error(this.peek(), `expression is nested deeper than ${MAX_DEPTH} levels`);
    const result = body();
    this.#depth--;
    return result;
  }
}
