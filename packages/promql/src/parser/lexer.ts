import { quoteText } from '@pollux/model';
import { scanDuration, scanNumber } from './scan-number.ts';
import { unquote } from './string-literal.ts';
import { AGGREGATORS, KEYWORDS, type Token, type TokenGroup, WORD_OPERATORS } from './token.ts';

/**
 * Cuts a query into tokens. Contexts differ as in Prometheus: plain expressions, label matchers in braces, and brackets, of
 * which the part before the first number knows durations alone. The list ends with an `eof` token, or with an `error` token whose text is the reason.
 */
export function tokenize(query: string): readonly Token[] {
  const lexer = new Lexer(query);
  return lexer.run();
}

const SPACE = /[ \t\n\r]/;

class Lexer {
  readonly #input: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #parenDepth = 0;
  #isBrace = false;
  #isBracket = false;
  /** In brackets, before the first number. */
  #isBeforeNumber = false;
  #hasColon = false;
  /** Once a number stood in brackets, a colon may begin later ones too. */
  #hasDuration = false;

  constructor(input: string) {
    this.#input = input;
  }

  run(): readonly Token[] {
    for (;;) {
      const last = this.#tokens.at(-1);
      if (last?.group === 'eof' || last?.group === 'error') return this.#tokens;
      this.#skipBlank();
      if (this.#isBrace) this.#insideBraces();
      else if (this.#isBeforeNumber) this.#beforeNumber();
      else this.#plain();
    }
  }

  #skipBlank(): void {
    for (;;) {
      const char = this.#input[this.#at];
      if (char === undefined) return;
      if (char === '#' && !this.#isBeforeNumber) {
        while (this.#at < this.#input.length && !/[\r\n]/.test(this.#input[this.#at]!)) this.#at++;
      } else if (SPACE.test(char)) this.#at++;
      else return;
    }
  }

  #plain(): true {
    const char = this.#input[this.#at];
    if (char === undefined) {
      if (this.#parenDepth > 0) return this.#fail('unclosed left parenthesis');
      if (this.#isBracket) return this.#fail('unclosed left bracket');
      return this.#emit('eof', 'eof', 0);
    }
    const two = this.#input.slice(this.#at, this.#at + 2);
    switch (char) {
      case ',':
        return this.#emit('punctuation', ',', 1);
      case '(':
        this.#parenDepth++;
        return this.#emit('punctuation', '(', 1);
      case ')':
        if (this.#parenDepth === 0)
          return this.#fail(`unexpected right parenthesis ${rune(char)}`, this.#at + 1);
        this.#parenDepth--;
        return this.#emit('punctuation', ')', 1);
      case '{':
        this.#isBrace = true;
        return this.#emit('punctuation', '{', 1);
      case '[':
        if (this.#isBracket) return this.#fail(`unexpected left bracket ${rune(char)}`);
        this.#isBracket = true;
        this.#isBeforeNumber = true;
        this.#hasColon = false;
        return this.#emit('punctuation', '[', 1);
      case ']':
        if (!this.#isBracket) return this.#fail(`unexpected right bracket ${rune(char)}`);
        this.#isBracket = false;
        return this.#emit('punctuation', ']', 1);
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case '^':
      case '@':
        return this.#emit('operator', char, 1);
      case '=': {
        if (two === '==') return this.#emit('operator', '==', 2);
        if (two === '=~')
          return this.#fail(`unexpected character after '=': ${rune('~')}`, this.#at);
        return this.#emit('operator', '=', 1);
      }
      case '!': {
        if (two === '!=') return this.#emit('operator', '!=', 2);
        return this.#fail(`unexpected character after '!': ${rune(this.#input[this.#at + 1])}`);
      }
      case '<':
      case '>':
        // `</` and `>/` trim a native histogram from above and from below.
        if (two[1] === '=' || two[1] === '/') return this.#emit('operator', two, 2);
        return this.#emit('operator', char, 1);
      case '"':
      case "'":
      case '`':
        return this.#string();
      default:
    }
    if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(two[1] ?? ''))) return this.#number();
    if (/[a-zA-Z_:]/.test(char)) return this.#isBracket ? this.#bracketWord(char) : this.#word();
    return this.#fail(`unexpected character: ${rune(this.#rune())}`);
  }

  #insideBraces(): true {
    const char = this.#input[this.#at];
    if (char === undefined) return this.#fail('unexpected end of input inside braces');
    const two = this.#input.slice(this.#at, this.#at + 2);
    switch (char) {
      case ',':
        return this.#emit('punctuation', ',', 1);
      case '"':
      case "'":
      case '`':
        return this.#string();
      case '=':
        return two === '=~' ? this.#emit('operator', '=~', 2) : this.#emit('operator', '=', 1);
      case '!':
        if (two === '!~' || two === '!=') return this.#emit('operator', two, 2);
        return this.#fail(
          `unexpected character after '!' inside braces: ${rune(this.#input[this.#at + 1])}`,
        );
      case '{':
        return this.#fail(`unexpected left brace ${rune(char)}`);
      case '}':
        this.#isBrace = false;
        return this.#emit('punctuation', '}', 1);
      default:
    }
    const word = /^[a-zA-Z_][a-zA-Z0-9_]*/.exec(this.#rest());
    if (word !== null) return this.#emit('identifier', 'identifier', word[0].length);
    return this.#fail(`unexpected character inside braces: ${rune(this.#rune())}`);
  }

  /** In brackets: a colon, or a word of durations. */
  #bracketWord(char: string): true {
    if (char === ':') {
      if (this.#hasColon) return this.#fail(`unexpected colon ${rune(char)}`);
      this.#hasColon = true;
      return this.#emit('punctuation', ':', 1);
    }
    return (
      this.#durationWord() ??
      this.#fail(`unexpected character: ${rune(char)}, expected ${rune(':')}`)
    );
  }

  #durationWord(): true | null {
    const word = /^[a-zA-Z_]+/.exec(this.#rest())?.[0] ?? '';
    if (!/^(?:step|range|min_of|max_of)$/i.test(word)) return null;
    return this.#emit('keyword', word.toLowerCase(), word.length);
  }

  #beforeNumber(): true {
    const char = this.#input[this.#at];
    if (char === undefined) return this.#fail('unexpected end of input in duration expression');
    switch (char) {
      case ':': {
        const end = this.#at + 1;
        if (!this.#hasDuration)
          return this.#fail('unexpected colon before duration in duration expression', end);
        if (this.#hasColon)
          return this.#fail('unexpected repeated colon in duration expression', end);
        this.#hasColon = true;
        return this.#emit('punctuation', ':', 1);
      }
      case ']':
        this.#isBracket = this.#isBeforeNumber = false;
        return this.#emit('punctuation', ']', 1);
      case '(':
        this.#parenDepth++;
        return this.#emit('punctuation', '(', 1);
      case ')':
        if (this.#parenDepth === 0)
          return this.#fail(`unexpected right parenthesis ${rune(char)}`, this.#at + 1);
        this.#parenDepth--;
        return this.#emit('punctuation', ')', 1);
      case ',':
        return this.#emit('punctuation', ',', 1);
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case '^':
        return this.#emit('operator', char, 1);
      default:
    }
    if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(this.#input[this.#at + 1] ?? ''))) {
      this.#isBeforeNumber = false;
      this.#hasDuration = true;
      return this.#number();
    }
    return (
      this.#durationWord() ??
      this.#fail(`unexpected character in duration expression: ${rune(this.#rune())}`)
    );
  }

  #word(): true {
    const word = /^[a-zA-Z0-9_:]+/.exec(this.#rest())![0];
    const lower = word.toLowerCase();
    if (lower === 'inf' || lower === 'nan') return this.#emit('number', 'number', word.length);
    if (WORD_OPERATORS.has(lower)) return this.#emit('operator', lower, word.length);
    if (AGGREGATORS.has(lower)) return this.#emit('aggregator', lower, word.length);
    // Metrics may be called fill: only before a parenthesis it is a modifier.
    const isName =
      /^fill/.test(lower) && !/^[ \t\r\n]*\(/.test(this.#input.slice(this.#at + word.length));
    if (KEYWORDS.has(lower) && !isName) return this.#emit('keyword', lower, word.length);
    if (word.includes(':'))
      return this.#emit('metric-identifier', 'metric-identifier', word.length);
    return this.#emit('identifier', 'identifier', word.length);
  }

  #number(): true {
    const rest = this.#rest();
    const number = scanNumber(rest);
    if (number.isNumber) return this.#emit('number', 'number', number.end);
    const duration = scanDuration(rest, number.end);
    if (duration.isDuration) return this.#emit('duration', 'duration', duration.end);
    const kind = 'bad number or duration syntax';
    return this.#fail(`${kind}: ${quoteText(rest.slice(0, duration.end))}`);
  }

  #string(): true {
    const result = unquote(this.#input, this.#at);
    if (!result.ok) return this.#fail(result.reason);
    const text = this.#input.slice(this.#at, result.end);
    this.#tokens.push({
      group: 'string',
      type: 'string',
      text,
      value: result.value,
      start: this.#at,
      end: result.end,
    });
    this.#at = result.end;
    return true;
  }

  #rest(): string {
    // A number or word is never longer than the line it stands on; a slice keeps the regular expressions anchored.
    return this.#input.slice(this.#at, this.#at + 4096);
  }

  #rune(): string {
    return String.fromCodePoint(this.#input.codePointAt(this.#at) ?? 0);
  }

  #emit(group: TokenGroup, type: string, length: number): true {
    const start = this.#at;
    const text = this.#input.slice(start, start + length);
    this.#at += length;
    this.#tokens.push({ group, type, text, value: text, start, end: this.#at });
    return true;
  }

  #fail(reason: string, start = this.#at): true {
    this.#tokens.push({
      group: 'error',
      type: 'error',
      text: reason,
      value: reason,
      start,
      end: this.#input.length,
    });
    return true;
  }
}

/** A character as Go's %q prints a rune. */
function rune(char: string | undefined): string {
  if (char === undefined) return "'\ufffd'";
  if (char === "'") return "'\\''";
  if (char === '"') return `'"'`;
  return `'${quoteText(char).slice(1, -1)}'`;
}
