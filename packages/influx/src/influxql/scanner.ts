import { KEYWORDS, type Position, type Token, type TokenKind } from './token.ts';

const OPERATORS = [
  '=~',
  '!=',
  '!~',
  '<>',
  '<=',
  '>=',
  '+',
  '-',
  '*',
  '/',
  '%',
  '&',
  '|',
  '^',
  '=',
  '<',
  '>',
];
const LETTER = /[A-Za-z_\u0080-\uffff]/;

/**
 * Splits InfluxQL into tokens on demand: whether `/` begins a regular expression is for the parser to know. Positions follow
 * influxd's scanner, which counts a bare word that ends the text one character too far and a string one too near; clients
 * and tests compare these messages.
 */
export class Scanner {
  readonly #text: string;
  #at = 0;
  /** Positions of line starts seen so far. */
  #line = 0;
  #lineStart = 0;
  #endsInWord = false;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Token {
    const start = this.#at;
    const c = this.#text[start];
    if (c === undefined) {
      const char = start - this.#lineStart + (this.#endsInWord ? 1 : 0);
      return { kind: 'end', text: '', shown: 'EOF', position: { line: this.#line, char } };
    }
    this.#endsInWord = false;
    if (/\s/.test(c)) return this.#blank(start);
    if (LETTER.test(c)) return this.#word(start);
    if (c === '"') return this.#quoted(start, '"');
    if (c === "'") return this.#quoted(start, "'");
    if (/[0-9]/.test(c) || (c === '.' && /[0-9]/.test(this.#text[start + 1] ?? '')))
      return this.#number(start);
    if (c === '$') return this.#parameter(start);
    if (this.#text.startsWith('--', start) || this.#text.startsWith('/*', start))
      return this.#comment(start);
    return this.#symbol(start, c);
  }

  /** The source of a regular expression when the next character is `/`, else null. Throws nothing: see `kind`. */
  regex(): Token | null {
    if (this.#text[this.#at] !== '/') return null;
    const position = this.#position(this.#at);
    let source = '';
    for (let i = this.#at + 1; i < this.#text.length; i++) {
      const c = this.#text[i]!;
      if (c === '/') {
        this.#at = i + 1;
        return { kind: 'string', text: source, shown: source, position };
      }
      if (c === '\n') break;
      if (c === '\\' && this.#text[i + 1] === '/') {
        source += '/';
        i++;
      } else source += c;
    }
    return { kind: 'bad-string', text: source, shown: source, position };
  }

  /** Gives the last character back: a `/` that was read as an operator. */
  stepBack(): void {
    this.#at--;
  }

  /** Skips blanks without making a token; comments count as blanks. */
  skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#blank(this.#at);
  }

  get nextCharacter(): string {
    return this.#text[this.#at] ?? '';
  }

  #position(at: number): Position {
    return { line: this.#line, char: at - this.#lineStart };
  }

  #token(kind: TokenKind, start: number, end: number, text = this.#text.slice(start, end)): Token {
    const position = this.#position(start);
    this.#at = end;
    return { kind, text, shown: text === '' ? kind : text, position };
  }

  #blank(start: number): Token {
    let end = start;
    const position = this.#position(start);
    for (; end < this.#text.length && /\s/.test(this.#text[end]!); end++) {
      if (this.#text[end] !== '\n') continue;
      this.#line++;
      this.#lineStart = end + 1;
    }
    this.#at = end;
    return { kind: 'blank', text: ' ', shown: 'WS', position };
  }

  #word(start: number): Token {
    let end = start;
    while (end < this.#text.length && /[A-Za-z0-9_\u0080-\uffff]/.test(this.#text[end]!)) end++;
    this.#endsInWord = end === this.#text.length;
    const word = this.#text.slice(start, end);
    const upper = word.toUpperCase();
    const token = this.#token('identifier', start, end, word);
    return KEYWORDS.has(upper) ? { ...token, kind: 'keyword', text: upper, shown: upper } : token;
  }

  #quoted(start: number, quote: string): Token {
    let text = '';
    const isString = quote === "'";
    const base = this.#position(start);
    const position = isString ? { line: base.line, char: base.char - 1 } : base;
    for (let i = start + 1; i < this.#text.length; i++) {
      const c = this.#text[i]!;
      if (c === quote) {
        this.#at = i + 1;
        return { kind: isString ? 'string' : 'identifier', text, shown: text, position };
      }
      if (c === '\n') break;
      if (c !== '\\') {
        text += c;
        continue;
      }
      const next = this.#text[++i] ?? '';
      if (next === 'n') text += '\n';
      else if (next === '\\' || next === '"' || next === "'") text += next;
      else {
        this.#at = i + 1;
        return { kind: 'bad-escape', text: `\\${next}`, shown: `\\${next}`, position };
      }
    }
    this.#at = this.#text.length;
    return { kind: 'bad-string', text, shown: text, position };
  }

  #number(start: number): Token {
    const match = /^(?:\d+\.?\d*|\.\d+)/.exec(this.#text.slice(start, start + 512));
    const digits = match?.[0] ?? '';
    const end = start + digits.length;
    if (digits.includes('.')) return this.#token('number', start, end);
    let last = end;
    if (/[A-Za-zµ]/.test(this.#text[end] ?? '')) {
      while (/[A-Za-z0-9µ]/.test(this.#text[last] ?? '')) last++;
      return this.#token('duration', start, last);
    }
    return this.#token('integer', start, end);
  }

  #parameter(start: number): Token {
    if (this.#text[start + 1] === '"') {
      this.#at = start + 1;
      const name = this.#quoted(start + 1, '"');
      return {
        ...name,
        kind: 'parameter',
        shown: `$${name.text}`,
        position: this.#position(start),
      };
    }
    let end = start + 1;
    while (/[A-Za-z0-9_]/.test(this.#text[end] ?? '')) end++;
    this.#endsInWord = end === this.#text.length;
    const token = this.#token('parameter', start, end, this.#text.slice(start + 1, end));
    return { ...token, shown: `$${token.text}` };
  }

  #comment(start: number): Token {
    const isBlock = this.#text[start] === '/';
    const stop = isBlock ? this.#text.indexOf('*/', start + 2) : this.#text.indexOf('\n', start);
    const end = stop < 0 ? this.#text.length : stop + (isBlock ? 2 : 0);
    const position = this.#position(start);
    for (let i = start; i < end; i++) {
      if (this.#text[i] !== '\n') continue;
      this.#line++;
      this.#lineStart = i + 1;
    }
    this.#at = end;
    return { kind: 'blank', text: ' ', shown: 'COMMENT', position };
  }

  #symbol(start: number, c: string): Token {
    if (this.#text.startsWith('::', start)) return this.#token('mark', start, start + 2);
    if ('(),:;.'.includes(c)) return this.#token('mark', start, start + 1);
    const operator = OPERATORS.find((candidate) => this.#text.startsWith(candidate, start));
    if (operator === undefined) return this.#token('illegal', start, start + 1);
    const text = operator === '<>' ? '!=' : operator;
    return this.#token('operator', start, start + operator.length, text);
  }
}
