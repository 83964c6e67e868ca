import { quoteText } from '@pollux/model';
import { unquote } from './string-literal.ts';
import { AGGREGATORS, KEYWORDS, type Token, type TokenGroup, WORD_OPERATORS } from './token.ts';

/**
 * Cuts a query into tokens. Three contexts differ, as in Prometheus: plain expressions, label matchers in braces, and
 * duration expressions in brackets. The list ends with an `eof` token, or with an `error` token whose text is the reason.
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
  #hasColon = false;

  constructor(input: string) {
    this.#input = input;
  }

  run(): readonly Token[] {
    for (;;) {
      const last = this.#tokens.at(-1);
      if (last?.group === 'eof' || last?.group === 'error') return this.#tokens;
      this.#skipBlank();
      if (this.#isBrace) this.#insideBraces();
      else if (this.#isBracket) this.#insideBrackets();
      else this.#plain();
    }
  }

  #skipBlank(): void {
    for (;;) {
      const char = this.#input[this.#at];
      if (char === undefined) return;
      if (char === '#') {
        const end = this.#input.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#input.length : end;
      } else if (SPACE.test(char)) this.#at++;
      else return;
    }
  }

  #plain(): true {
    const char = this.#input[this.#at];
    if (char === undefined) {
      if (this.#parenDepth > 0) return this.#fail('unclosed left parenthesis');
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
        this.#isBracket = true;
        this.#hasColon = false;
        this.#emit('punctuation', '[', 1);
        this.#skipBlank();
        if (this.#input[this.#at] === undefined)
          return this.#fail('unexpected end of input in duration expression');
        return true;
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
    if (/[a-zA-Z_:]/.test(char)) {
      return this.#word();
    }
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

  #insideBrackets(): true {
    const char = this.#input[this.#at];
    if (char === undefined) return this.#fail('unexpected end of input in duration expression');
    switch (char) {
      case ':': {
        const isFirst = this.#tokens.at(-1)?.type === '[';
        if (isFirst) {
          return this.#fail('unexpected colon before duration in duration expression');
        }
        if (this.#hasColon) return this.#fail('unexpected repeated colon in duration expression');
        this.#hasColon = true;
        return this.#emit('punctuation', ':', 1);
      }
      case ']':
        this.#isBracket = false;
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
    if (/[0-9.]/.test(char)) return this.#number();
    const word = /^(?:step|range|min_of|max_of)(?![a-zA-Z0-9_:])/i.exec(this.#rest());
    if (word !== null) return this.#emit('keyword', word[0].toLowerCase(), word[0].length);
    const previous = this.#tokens.at(-1)?.group;
    if (/[a-zA-Z]/.test(char) && (previous === 'duration' || previous === 'number')) {
      return this.#fail(`unexpected character: ${rune(char)}, expected ${rune(':')}`);
    }
    return this.#fail(`unexpected character in duration expression: ${rune(this.#rune())}`);
  }

  #word(): true {
    const word = /^[a-zA-Z0-9_:]+/.exec(this.#rest())![0];
    const lower = word.toLowerCase();
    if (lower === 'inf' || lower === 'nan') return this.#emit('number', 'number', word.length);
    if (WORD_OPERATORS.has(lower)) return this.#emit('operator', lower, word.length);
    if (AGGREGATORS.has(lower)) return this.#emit('aggregator', lower, word.length);
    if (KEYWORDS.has(lower)) return this.#emit('keyword', lower, word.length);
    if (word.includes(':'))
      return this.#emit('metric-identifier', 'metric-identifier', word.length);
    return this.#emit('identifier', 'identifier', word.length);
  }

  #number(): true {
    const rest = this.#rest();
    const hex = /^0[xX](?:[0-9a-fA-F]|_(?=[0-9a-fA-F]))+/.exec(rest);
    const decimal =
      /^(?:[0-9](?:[0-9]|_(?=[0-9]))*)?(?:\.(?:[0-9](?:[0-9]|_(?=[0-9]))*)?)?(?:[eE][+-]?[0-9]+)?/.exec(
        rest,
      );
    const plain = (hex ?? decimal)![0];
    if (plain !== '' && plain !== '.' && !/^[a-zA-Z0-9_.]/.test(rest.slice(plain.length)))
      return this.#emit('number', 'number', plain.length);
    // The lexer takes any run of digits and unit letters; whether it is a duration is said by its parser.
    const mantissa = /^[0-9_.]*/.exec(plain)![0];
    const units = /^[0-9.]+[smhdwy]s?(?:[0-9]+[smhdwy]s?)*/.exec(rest);
    if (units !== null && !/^[a-zA-Z0-9_]/.test(rest.slice(units[0].length)))
      return this.#emit('duration', 'duration', units[0].length);
    const read = badNumberLength(rest, units?.[0] ?? mantissa);
    const kind = 'bad number or duration syntax';
    return this.#fail(`${kind}: ${quoteText(rest.slice(0, read))}`);
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

/** How much of a malformed number Prometheus quotes: what was taken and the one character that did not fit. */
function badNumberLength(rest: string, taken: string): number {
  const digits = /^[0-9]+/.exec(rest.slice(taken.length));
  const length = taken.length + (digits?.[0].length ?? 0);
  return Math.min(rest.length, length === taken.length ? length + 1 : length);
}

/** A character as Go's %q prints a rune. */
function rune(char: string | undefined): string {
  if (char === undefined) return "'\\x00'";
  if (char === "'") return "'\\''";
  if (char === '"') return `'"'`;
  return `'${quoteText(char).slice(1, -1)}'`;
}
