import { isPrintable, unicodeName } from './format/quote.ts';
import type { Token, TokenKind } from './token.ts';

const KEYWORDS: ReadonlySet<string> = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
]);

const SPACE = /[ \t\r\n]/;
const WORD = /[\p{L}\p{Nd}_]+/uy;
/** What must follow a name so that it is one: a separator or the end of the action. */
const AFTER_NAME = /[ \t\r\n.,|:()]|\}\}|$/y;
const RIGHT_DELIMITER = /(?:[ \t\r\n]-)?\}\}/y;
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y;

const PUNCTUATION: Readonly<Record<string, TokenKind>> = {
  '=': 'assign',
  '|': 'pipe',
  '(': 'leftParenthesis',
  ')': 'rightParenthesis',
};

/**
 * Cuts a template into tokens. Text and actions alternate; trim markers are resolved here, so that the parser sees trimmed
 * text and plain delimiters. A malformed place ends the list with an `error` token, a good text with `end`.
 */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #offset = 0;
  #line = 1;
  /** Up to where `#line` has counted. */
  #counted = 0;
  #parentheses = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    let trimNext = false;
    for (;;) {
      const open = this.#source.indexOf('{{', this.#offset);
      const end = open < 0 ? this.#source.length : open;
      const trimsLeft = open >= 0 && /^-[ \t\r\n]/.test(this.#source.slice(open + 2, open + 4));
      this.#text(end, trimNext, trimsLeft);
      if (open < 0) return this.#finish('end', '');
      const action = this.#action(open, trimsLeft);
      if (action === null) return this.#tokens;
      trimNext = action.trimsRight;
    }
  }

  #text(end: number, trimsStart: boolean, trimsEnd: boolean): void {
    let from = this.#offset;
    let to = end;
    if (trimsStart) while (from < to && SPACE.test(this.#source[from]!)) from++;
    if (trimsEnd) while (to > from && SPACE.test(this.#source[to - 1]!)) to--;
    this.#offset = from;
    if (to > from) this.#emit('text', to);
    this.#offset = end;
  }

  /** Lexes from `{{` to past `}}`; null after an error. */
  #action(open: number, trimsLeft: boolean): { trimsRight: boolean } | null {
    const inside = open + (trimsLeft ? 4 : 2);
    if (this.#source.startsWith('/*', inside)) return this.#comment(inside);
    this.#offset = open;
    this.#emit('leftDelimiter', open + 2);
    this.#offset = inside;
    this.#parentheses = 0;
    for (;;) {
      const close = this.#match(RIGHT_DELIMITER, this.#offset);
      if (close !== null) {
        if (this.#parentheses > 0) return this.#fail('unclosed left paren');
        this.#offset += close.length - 2;
        this.#emit('rightDelimiter', this.#offset + 2);
        return { trimsRight: close.length > 2 };
      }
      if (!this.#next()) return null;
    }
  }

  #comment(inside: number): { trimsRight: boolean } | null {
    this.#offset = inside;
    const end = this.#source.indexOf('*/', inside);
    if (end < 0) return this.#fail('unclosed comment');
    const close = this.#match(RIGHT_DELIMITER, end + 2);
    if (close === null) return this.#fail('comment ends before closing delimiter');
    this.#offset = end + 2 + close.length;
    return { trimsRight: close.length > 2 };
  }

  /** One token inside an action; false after an error. */
  #next(): boolean {
    const at = this.#offset;
    const character = this.#characterAt(at);
    if (character === '') {
      this.#finish('error', 'unclosed action');
      return false;
    }
    if (SPACE.test(character)) return this.#space();
    const following = this.#source[at + 1] ?? '';
    if (character === ':') {
      if (following !== '=') return this.#fail('expected :=') !== null;
      return this.#emit('declare', at + 2);
    }
    if (character === '"' || character === "'" || character === '`')
      return this.#literal(character);
    if (character === '.' && /[^0-9]/.test(following)) return this.#name('field', 'dot');
    if (character === '$') return this.#name('variable', 'variable');
    if (/[-+.0-9]/.test(character)) return this.#number();
    if (this.#match(WORD, at) !== null) return this.#word();
    if (character === '(') this.#parentheses++;
    if (character === ')' && --this.#parentheses < 0)
      return this.#fail('unexpected right paren') !== null;
    const kind = PUNCTUATION[character];
    if (kind !== undefined) return this.#emit(kind, at + 1);
    if (character <= '~' && character > ' ') return this.#emit('symbol', at + 1);
    return this.#fail(`unrecognized character in action: ${nameOf(character)}`) !== null;
  }

  #space(): boolean {
    let end = this.#offset;
    while (end < this.#source.length && SPACE.test(this.#source[end]!)) {
      // The space of a trim marker belongs to the delimiter.
      if (this.#match(RIGHT_DELIMITER, end) !== null) break;
      end++;
    }
    return this.#emit('space', end);
  }

  /** A field or a variable; alone it is `.` or `$`. */
  #name(kind: TokenKind, alone: TokenKind): boolean {
    const start = this.#offset + 1;
    const word = this.#match(WORD, start) ?? '';
    const end = start + word.length;
    if (this.#match(AFTER_NAME, end) === null) return this.#badCharacter(end);
    return this.#emit(word === '' ? alone : kind, end);
  }

  #word(): boolean {
    const word = this.#match(WORD, this.#offset) ?? '';
    const end = this.#offset + word.length;
    if (this.#match(AFTER_NAME, end) === null) return this.#badCharacter(end);
    if (KEYWORDS.has(word)) return this.#emit('keyword', end);
    if (word === 'true' || word === 'false') return this.#emit('bool', end);
    return this.#emit(word === 'nil' ? 'nil' : 'identifier', end);
  }

  #literal(mark: string): boolean {
    const source = this.#source;
    for (let at = this.#offset + 1; at < source.length; at++) {
      const character = source[at]!;
      if (character === mark) {
        const kind = mark === '"' ? 'string' : mark === '`' ? 'rawString' : 'character';
        return this.#emit(kind, at + 1);
      }
      if (mark === '`') continue;
      if (character === '\\') at++;
      if (source[at] === '\n') break;
    }
    if (mark === '`') return this.#fail('unterminated raw quoted string') !== null;
    const what = mark === '"' ? 'quoted string' : 'character constant';
    return this.#fail(`unterminated ${what}`) !== null;
  }

  #number(): boolean {
    const text = this.#match(NUMBER, this.#offset) ?? '';
    const end = this.#offset + text.length;
    const following = this.#match(WORD, end);
    // A sign right behind would make it a complex number, which templates here do not have.
    const imaginary = /^[+-]/.test(this.#characterAt(end)) ? this.#match(NUMBER, end) : null;
    if (following !== null || text === '' || text.endsWith('i') || imaginary !== null) {
      const past = end + (imaginary ?? '').length;
      const isCut = imaginary === null || this.#match(WORD, past) !== null;
      const through =
        this.#source.slice(this.#offset, past) + (isCut ? this.#characterAt(past) : '');
      return this.#fail(`bad number syntax: ${JSON.stringify(through)}`) !== null;
    }
    return this.#emit('number', end);
  }

  #badCharacter(at: number): false {
    this.#fail(`bad character ${nameOf(this.#characterAt(at))}`);
    return false;
  }

  #characterAt(at: number): string {
    const codePoint = this.#source.codePointAt(at);
    return codePoint === undefined ? '' : String.fromCodePoint(codePoint);
  }

  #match(pattern: RegExp, at: number): string | null {
    pattern.lastIndex = at;
    return pattern.exec(this.#source)?.[0] ?? null;
  }

  #emit(kind: TokenKind, end: number): true {
    const text = this.#source.slice(this.#offset, end);
    this.#tokens.push({ kind, text, offset: this.#offset, line: this.#lineAt(this.#offset) });
    this.#offset = end;
    return true;
  }

  #fail(text: string): null {
    this.#finish('error', text);
    return null;
  }

  #finish(kind: 'end' | 'error', text: string): Token[] {
    this.#tokens.push({ kind, text, offset: this.#offset, line: this.#lineAt(this.#offset) });
    return this.#tokens;
  }

  #lineAt(offset: number): number {
    if (offset < this.#counted) {
      this.#line = 1;
      this.#counted = 0;
    }
    for (let at = this.#source.indexOf('\n', this.#counted); at >= 0 && at < offset; ) {
      this.#line++;
      at = this.#source.indexOf('\n', at + 1);
    }
    this.#counted = offset;
    return this.#line;
  }
}

function nameOf(character: string): string {
  if (character === '') return 'U+FFFFFFFFFFFFFFFF';
  const name = unicodeName(character.codePointAt(0)!);
  return isPrintable(character) ? `${name} '${character}'` : name;
}
