import { FunctionError } from '../errors.ts';
import { plainOf, typeName, type Value } from '../value.ts';
import { formatFloat } from './float.ts';
import { goSyntax } from './go-syntax.ts';
import { ownText, printComposite, printValue } from './print.ts';
import { isPrintable, quote, quoteRune, unicodeName } from './quote.ts';

type Flags = {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
};

type Directive = {
  readonly verb: string;
  readonly flags: Readonly<Flags>;
  readonly width: number | null;
  readonly precision: number | null;
};

/** Go refuses widths and precisions beyond this. */
const MAX_SIZE = 1_000_000;

/** fmt.Sprintf. Mismatches are not errors but show in the text, `%!d(string=x)`, as Go's do. */
export function sprintf(format: string, args: readonly Value[], maxLength: number): string {
  return new Formatter(format, args, maxLength).run();
}

class Formatter {
  readonly #format: string;
  readonly #args: readonly Value[];
  readonly #maxLength: number;
  #at = 0;
  #next = 0;
  #reordered = false;
  #badIndex = false;
  #out = '';

  constructor(format: string, args: readonly Value[], maxLength: number) {
    this.#format = format;
    this.#args = args;
    this.#maxLength = maxLength;
  }

  run(): string {
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at);
      const end = percent < 0 ? this.#format.length : percent;
      this.#out += this.#format.slice(this.#at, end);
      this.#at = end;
      if (percent >= 0) this.#directive();
      if (this.#out.length > this.#maxLength) {
        throw new FunctionError(`result is longer than ${this.#maxLength} characters`);
      }
    }
    if (!this.#reordered && this.#next < this.#args.length) this.#extra();
    return this.#out;
  }

  #directive(): void {
    this.#at++;
    this.#badIndex = false;
    const flags = this.#flags();
    let isIndexed = this.#index();
    if (isIndexed && /[0-9]/.test(this.#format[this.#at] ?? '')) this.#badIndex = true;
    if (this.#format[this.#at] === '*') isIndexed = false;
    const widthGiven = this.#size('BADWIDTH');
    const width = widthGiven === 'bad' ? null : widthGiven;
    if (width !== null && width < 0) flags.minus = true;
    let precision: number | null = null;
    if (this.#format[this.#at] === '.') {
      this.#at++;
      // An index must stand right before its verb or star.
      if (isIndexed) this.#badIndex = true;
      isIndexed = this.#index();
      if (this.#format[this.#at] === '*') isIndexed = false;
      const size = this.#size('BADPREC');
      precision = size === 'bad' ? null : (size ?? 0);
      if (precision !== null && precision < 0) {
        precision = null;
        this.#out += '%!(BADPREC)';
      }
    }
    if (!isIndexed) this.#index();
    const codePoint = this.#format.codePointAt(this.#at);
    if (codePoint === undefined) {
      this.#out += '%!(NOVERB)';
      return;
    }
    const verb = String.fromCodePoint(codePoint);
    this.#at += verb.length;
    if (flags.minus) flags.zero = false;
    this.#out += this.#apply({
      verb,
      flags,
      width: width === null ? null : Math.abs(width),
      precision,
    });
  }

  #apply(directive: Directive): string {
    if (directive.verb === '%') return '%';
    if (this.#badIndex) return `%!${directive.verb}(BADINDEX)`;
    if (this.#next >= this.#args.length) return `%!${directive.verb}(MISSING)`;
    return formatValue(this.#args[this.#next++]!, directive);
  }

  #flags(): Flags {
    const flags: Flags = { minus: false, plus: false, sharp: false, space: false, zero: false };
    for (; ; this.#at++) {
      switch (this.#format[this.#at]) {
        case '-':
          flags.minus = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '#':
          flags.sharp = true;
          break;
        case ' ':
          flags.space = true;
          break;
        case '0':
          flags.zero = true;
          break;
        default:
          return flags;
      }
    }
  }

  /** `[n]` picks the argument for what follows. Whether there was one. */
  #index(): boolean {
    if (this.#format[this.#at] !== '[') return false;
    this.#reordered = true;
    const close = this.#format.indexOf(']', this.#at);
    const text = close < 0 ? '' : this.#format.slice(this.#at + 1, close);
    const index = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
    this.#at = close < 0 ? this.#at + 1 : close + 1;
    if (index < 1 || index > this.#args.length) this.#badIndex = true;
    else this.#next = index - 1;
    return close >= 0;
  }

  /** A number, or `*` for the next argument; null when there is none. */
  #size(complaint: 'BADWIDTH' | 'BADPREC'): number | 'bad' | null {
    if (this.#format[this.#at] === '*') {
      this.#at++;
      const value = this.#args[this.#next++];
      if (typeof value === 'bigint' && value >= -MAX_SIZE && value <= MAX_SIZE)
        return Number(value);
      this.#out += `%!(${complaint})`;
      return 'bad';
    }
    const digits = /^[0-9]+/.exec(this.#format.slice(this.#at, this.#at + 8))?.[0];
    if (digits === undefined) return null;
    const size = Number(digits);
    if (size > MAX_SIZE) return null;
    this.#at += digits.length;
    return size;
  }

  #extra(): void {
    const parts: string[] = [];
    for (const value of this.#args.slice(this.#next)) {
      parts.push(value === null ? '<nil>' : `${typeName(value)}=${printValue(value)}`);
    }
    this.#out += `%!(EXTRA ${parts.join(', ')})`;
  }
}

function formatValue(value: Value, directive: Directive): string {
  const { verb, flags } = directive;
  if (verb === 'T') return pad(typeName(value), directive);
  if (value === null) return pad(verb === 'v' ? '<nil>' : `%!${verb}(<nil>)`, directive);
  if (verb === 'v' && flags.sharp) return pad(goSyntax(value), directive);
  const withNames = verb === 'v' && flags.plus;
  // With %v the plus asks for field names and no longer for signs.
  const inner = withNames ? { ...directive, flags: { ...flags, plus: false } } : directive;
  const usesMethods = METHOD_VERBS.includes(verb);
  const leaf = (part: Value): string => formatLeaf(part, inner, usesMethods);
  return printComposite(value, { withNames, usesMethods, leaf });
}

/** Verbs for which a String method speaks for its value; the others look inside. */
const METHOD_VERBS = 'vsxXq';

function formatLeaf(value: Value, directive: Directive, usesMethods: boolean): string {
  if (value === null) return '<nil>';
  const own = usesMethods ? ownText(value) : null;
  if (own !== null) return formatText(own, directive) ?? mismatch(value, directive);
  return formatPlain(plainOf(value), directive) ?? mismatch(value, directive);
}

/** Null when the verb does not fit the value. */
function formatPlain(value: Value, directive: Directive): string | null {
  switch (typeof value) {
    case 'string':
      return formatText(value, directive);
    case 'bigint':
      return formatInteger(value, directive);
    case 'number':
      return formatReal(value, directive);
    case 'boolean':
      return 'vt'.includes(directive.verb) ? pad(String(value), directive) : null;
    default:
      return null;
  }
}

/** The value is shown with the directive's flags but without its own methods. */
function mismatch(value: Value, directive: Directive): string {
  const isPlain = value === null || typeof plainOf(value) !== 'object';
  const shown = isPlain
    ? formatLeaf(value, { ...directive, verb: 'v' }, false)
    : printComposite(value, { withNames: false, usesMethods: false, leaf: printValue });
  return `%!${directive.verb}(${typeName(value)}=${shown})`;
}

function formatText(text: string, directive: Directive): string | null {
  const { verb, flags, precision } = directive;
  const cut = precision === null ? text : [...text].slice(0, precision).join('');
  switch (verb) {
    case 'v':
    case 's':
      return pad(cut, directive);
    case 'q':
      if (flags.sharp && !/[`\p{Cc}]/u.test(cut)) return pad(`\`${cut}\``, directive);
      return pad(quote(cut, flags.plus), directive);
    case 'x':
    case 'X': {
      let bytes = new TextEncoder().encode(text);
      if (precision !== null) bytes = bytes.subarray(0, precision);
      const prefix = flags.sharp ? '0x' : '';
      const parts = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
      const hex = flags.space
        ? parts.map((part) => prefix + part).join(' ')
        : (parts.length > 0 ? prefix : '') + parts.join('');
      return pad(verb === 'X' ? hex.toUpperCase() : hex, directive);
    }
    default:
      return null;
  }
}

const RADIX: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };
const PREFIX: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' };

function formatInteger(value: bigint, directive: Directive): string | null {
  const { verb, flags, precision } = directive;
  const radix = RADIX[verb];
  if (radix === undefined) return formatRune(value, directive);
  const magnitude = value < 0n ? -value : value;
  let digits = magnitude.toString(radix);
  if (verb === 'X') digits = digits.toUpperCase();
  if (precision === 0 && value === 0n) digits = '';
  if (precision !== null) digits = digits.padStart(precision, '0');
  const prefix = verb === 'O' ? '0o' : flags.sharp ? (PREFIX[verb] ?? '') : '';
  return padNumber(signOf(value < 0n, flags), prefix, digits, {
    ...directive,
    flags: { ...flags, zero: flags.zero && precision === null },
  });
}

function formatRune(value: bigint, directive: Directive): string | null {
  const isValid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value < 0xe000n);
  const codePoint = isValid ? Number(value) : 0xfffd;
  switch (directive.verb) {
    case 'c':
      return pad(String.fromCodePoint(codePoint), directive);
    case 'q':
      return pad(quoteRune(codePoint, directive.flags.plus), directive);
    case 'U': {
      const name = unicodeName(Number(BigInt.asUintN(64, value)));
      const character = String.fromCodePoint(codePoint);
      const shown = directive.flags.sharp && isPrintable(character) ? ` '${character}'` : '';
      return pad(name + shown, directive);
    }
    default:
      return null;
  }
}

function formatReal(value: number, directive: Directive): string | null {
  const { verb, flags } = directive;
  const lower = verb.toLowerCase();
  const form = lower === 'v' ? 'g' : lower;
  if (verb === 'V' || (form !== 'e' && form !== 'f' && form !== 'g')) return null;
  const precision = directive.precision ?? (form === 'g' ? -1 : 6);
  let digits = formatFloat(Math.abs(value), form, precision).replace(/^[+-]/, '');
  if (verb === 'E' || verb === 'G') digits = digits.toUpperCase();
  if (Number.isFinite(value)) {
    const isNegative = value < 0 || Object.is(value, -0);
    return padNumber(signOf(isNegative, flags), '', digits, directive);
  }
  // Infinities always have a sign and no number is padded with zeros unless it has digits.
  const sign = Number.isNaN(value)
    ? signOf(false, flags)
    : value < 0
      ? '-'
      : infinitySign(directive);
  return pad(sign + (Number.isNaN(value) ? 'NaN' : 'Inf'), {
    ...directive,
    flags: { ...flags, zero: false },
  });
}

function infinitySign({ flags }: Directive): string {
  return flags.space && !flags.plus ? ' ' : '+';
}

function signOf(isNegative: boolean, flags: Readonly<Flags>): string {
  if (isNegative) return '-';
  return flags.plus ? '+' : flags.space ? ' ' : '';
}

/** Zeros go between the sign and the digits. */
function padNumber(sign: string, prefix: string, digits: string, directive: Directive): string {
  const { flags, width } = directive;
  if (!flags.zero || width === null) return pad(sign + prefix + digits, directive);
  return sign + prefix + digits.padStart(width - sign.length, '0');
}

function pad(text: string, { width, flags }: Directive): string {
  if (width === null) return text;
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.minus) return text + ' '.repeat(missing);
  return (flags.zero ? '0' : ' ').repeat(missing) + text;
}
