/** The value of a string literal, or what is wrong with it at which offset. */
export type UnquoteResult =
  | { readonly ok: true; readonly value: string; readonly end: number }
  | { readonly ok: false; readonly reason: string };

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/**
 * Reads the literal that starts at `start` with one of the three quotes. Escapes are Go's. Bytes that form no UTF-8 (from
 * `\x` and octal escapes) are kept one by one as lone low surrogates U+DC80..U+DCFF, which no decoded text holds; such a
 * value is invalid as a label name or value and says so where it is used.
 */
export function unquote(input: string, start: number): UnquoteResult {
  const quote = input[start];
  if (quote === '`') {
    const end = input.indexOf('`', start + 1);
    if (end < 0) return { ok: false, reason: 'unterminated raw string' };
    return { ok: true, value: input.slice(start + 1, end), end: end + 1 };
  }
  let at = start + 1;
  let value = '';
  const bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    value += decodeWithEscapes(bytes);
    bytes.length = 0;
  };
  for (;;) {
    const char = input[at];
    if (char === undefined || char === '\n')
      return { ok: false, reason: 'unterminated quoted string' };
    if (char === quote) {
      flush();
      return { ok: true, value, end: at + 1 };
    }
    if (char !== '\\') {
      if (char === '\ufffd' || isLoneSurrogate(input, at))
        return { ok: false, reason: 'invalid UTF-8 rune' };
      flush();
      value += char;
      at++;
      continue;
    }
    const sequence = readEscape(input, at + 1, quote!);
    if (!sequence.ok) return sequence;
    if (sequence.isByte) bytes.push(sequence.code);
    else {
      flush();
      value += String.fromCodePoint(sequence.code);
    }
    at = sequence.end;
  }
}

type Escape =
  | { readonly ok: true; readonly code: number; readonly isByte: boolean; readonly end: number }
  | { readonly ok: false; readonly reason: string };

function readEscape(input: string, at: number, quote: string): Escape {
  const char = input[at];
  if (char === undefined) return { ok: false, reason: 'escape sequence not terminated' };
  if (char === quote) return { ok: true, code: char.charCodeAt(0), isByte: false, end: at + 1 };
  const simple = SIMPLE[char];
  if (simple !== undefined)
    return { ok: true, code: simple.charCodeAt(0), isByte: false, end: at + 1 };
  if (char >= '0' && char <= '7') return readDigits(input, at, 3, 8);
  if (char === 'x') return readDigits(input, at + 1, 2, 16);
  if (char === 'u') return readDigits(input, at + 1, 4, 16);
  if (char === 'U') return readDigits(input, at + 1, 8, 16);
  return { ok: false, reason: `unknown escape sequence ${runeName(input, at)}` };
}

function readDigits(input: string, from: number, count: number, base: number): Escape {
  let code = 0;
  for (let i = 0; i < count; i++) {
    const char = input[from + i];
    if (char === undefined) return { ok: false, reason: 'escape sequence not terminated' };
    const digit = Number.parseInt(char, base);
    if (Number.isNaN(digit)) {
      return {
        ok: false,
        reason: `illegal character ${runeName(input, from + i)} in escape sequence`,
      };
    }
    code = code * base + digit;
  }
  const isByte = count <= 3;
  const isBad = isByte ? code > 0xff : code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  if (isBad) return { ok: false, reason: 'escape sequence is an invalid Unicode code point' };
  return { ok: true, code, isByte, end: from + count };
}

/** `U+0063 'c'`, Go's %#U. */
function runeName(input: string, at: number): string {
  const code = input.codePointAt(at) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCodePoint(code)}'`;
}

function isLoneSurrogate(input: string, at: number): boolean {
  const unit = input.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdfff) return false;
  if (unit >= 0xdc00) {
    const before = input.charCodeAt(at - 1);
    return !(before >= 0xd800 && before < 0xdc00);
  }
  const after = input.charCodeAt(at + 1);
  return !(after >= 0xdc00 && after < 0xe000);
}

function decodeWithEscapes(bytes: readonly number[]): string {
  const strict = new TextDecoder('utf-8', { fatal: true });
  let out = '';
  for (let i = 0; i < bytes.length; ) {
    const width = sequenceLength(bytes[i]!);
    try {
      out += strict.decode(Uint8Array.from(bytes.slice(i, i + width)));
      i += width;
    } catch {
      // Not UTF-8 from here: this byte is kept as an escape and decoding goes on after it.
      out += String.fromCharCode(0xdc00 + bytes[i]!);
      i++;
    }
  }
  return out;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

/** False when the text holds bytes that were no UTF-8. */
export function isValidUtf8(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (isLoneSurrogate(text, i)) return false;
  return true;
}

/** Like Go's %q, with kept bytes as `\xc5`. */
export function quoteWithBytes(text: string, quote: (text: string) => string): string {
  let out = '';
  let plain = '';
  const flush = (): void => {
    out += quote(plain).slice(1, -1);
    plain = '';
  };
  for (let i = 0; i < text.length; i++) {
    if (isLoneSurrogate(text, i)) {
      flush();
      out += `\\x${(text.charCodeAt(i) & 0xff).toString(16)}`;
    } else plain += text[i];
  }
  flush();
  return `"${out}"`;
}
