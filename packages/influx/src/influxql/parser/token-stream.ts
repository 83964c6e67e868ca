import { errorText } from '@pollux/base';
import { compileRe2 } from '@pollux/model';
import type { Expression } from '../ast.ts';
import { QuerySyntaxError } from '../errors.ts';
import { Scanner } from '../scanner.ts';
import { isKeyword, isMark, type Position, type Token } from '../token.ts';

/** Values of `$name`, from the request's `params`. */
export type Parameters = ReadonlyMap<
  string,
  Expression | { readonly kind: 'identifier'; readonly name: string }
>;

/** Tokens with one step back, and the small expectations that all statements share. */
export class TokenStream {
  readonly #scanner: Scanner;
  readonly parameters: Parameters;
  readonly #back: Token[] = [];
  #depth = 0;

  constructor(text: string, parameters: Parameters) {
    this.#scanner = new Scanner(text);
    this.parameters = parameters;
  }

  /** The next token, blanks included. */
  raw(): Token {
    return this.#back.pop() ?? this.#scanner.next();
  }

  /** The next token that is no blank. */
  next(): Token {
    for (;;) {
      const token = this.raw();
      if (token.kind !== 'blank') return token;
    }
  }

  unread(token: Token): void {
    this.#back.push(token);
  }

  peek(): Token {
    const token = this.next();
    this.unread(token);
    return token;
  }

  /** Takes the keyword when it comes next. */
  take(word: string): boolean {
    const token = this.next();
    if (isKeyword(token, word)) return true;
    this.unread(token);
    return false;
  }

  takeMark(mark: string): boolean {
    const token = this.next();
    if (isMark(token, mark)) return true;
    this.unread(token);
    return false;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) {
      const token = this.next();
      if (!isKeyword(token, word)) throw QuerySyntaxError.expected(token, [word]);
    }
  }

  identifier(): string {
    const token = this.next();
    if (token.kind === 'identifier') return token.text;
    if (token.kind === 'parameter') {
      const value = this.parameter(token);
      if (value.kind === 'identifier') return value.name;
    }
    if (token.kind === 'bad-escape')
      throw QuerySyntaxError.at(`bad escape: ${token.text}`, token.position);
    throw QuerySyntaxError.expected(token, ['identifier']);
  }

  string(): string {
    const token = this.next();
    if (token.kind !== 'string') throw QuerySyntaxError.expected(token, ['string']);
    return token.text;
  }

  /** A whole number in [min, max]. */
  integer(min: number, max: number): number {
    const token = this.next();
    let text = token.text;
    if (token.kind === 'parameter') {
      const value = this.parameter(token);
      if (value.kind !== 'integer') throw QuerySyntaxError.expected(token, ['integer']);
      text = value.value.toString();
    } else if (token.kind !== 'integer') throw QuerySyntaxError.expected(token, ['integer']);
    const value = Number(text);
    if (value < min || value > max) {
      throw QuerySyntaxError.at(
        `invalid value ${text}: must be ${min} <= n <= ${max}`,
        token.position,
      );
    }
    return value;
  }

  parameter(token: Token): Expression | { readonly kind: 'identifier'; readonly name: string } {
    if (token.text === '') throw new QuerySyntaxError('empty bound parameter');
    const value = this.parameters.get(token.text);
    if (value === undefined) throw new QuerySyntaxError(`missing parameter: ${token.text}`);
    return value;
  }

  /** The source of a regular expression when one stands here (blanks skipped), else null. */
  regex(): { readonly source: string; readonly position: Position } | null {
    // Only blanks may have been read ahead: a regular expression is scanned from the text itself.
    while (this.#back.length > 0 && this.#back[this.#back.length - 1]!.kind === 'blank')
      this.#back.pop();
    const [waiting] = this.#back;
    if (waiting !== undefined) return this.#regexParameter();
    this.#scanner.skipBlanks();
    const token = this.#scanner.regex();
    if (token === null) return this.#scanner.nextCharacter === '$' ? this.#regexParameter() : null;
    if (token.kind === 'bad-string')
      throw QuerySyntaxError.at(`bad regex: ${token.text}`, token.position);
    try {
      compileRe2(token.text);
    } catch (error) {
      throw QuerySyntaxError.at(errorText(error), token.position);
    }
    return { source: token.text, position: token.position };
  }

  #regexParameter(): { readonly source: string; readonly position: Position } | null {
    const token = this.next();
    if (token.kind === 'parameter') {
      const value = this.parameter(token);
      if (value.kind === 'regex') return { source: value.source, position: token.position };
    }
    this.unread(token);
    return null;
  }

  /** As {@link regex} when its opening slash was read as an operator and put back. */
  regexAfterSlash(): string | null {
    this.#back.pop();
    this.#scanner.stepBack();
    return this.regex()?.source ?? null;
  }

  /** Guards against nesting that would exhaust the stack. */
  nested<T>(parse: () => T): T {
    this.#depth++;
    if (this.#depth > 200) throw new QuerySyntaxError('query is nested too deeply (limit 200)');
    try {
      return parse();
    } finally {
      this.#depth--;
    }
  }
}
