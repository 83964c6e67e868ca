const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** A double-quoted Go string literal; `asciiOnly` escapes everything above U+007E. */
export function quote(text: string, asciiOnly = false): string {
  let out = '"';
  for (const character of text)
    out += character === '"' ? '\\"' : escapeCharacter(character, asciiOnly);
  return `${out}"`;
}

/** A single-quoted Go character literal. */
export function quoteRune(codePoint: number, asciiOnly = false): string {
  const valid = codePoint >= 0 && codePoint <= 0x10ffff && !isSurrogate(codePoint);
  const character = String.fromCodePoint(valid ? codePoint : 0xfffd);
  return `'${character === "'" ? "\\'" : escapeCharacter(character, asciiOnly)}'`;
}

export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character);
}

/** `U+0041`. */
export function unicodeName(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * The value of a Go string or character literal with its quotes, or null when it is malformed. Byte escapes that do not
 * form UTF-8 become U+FFFD, since a JavaScript string cannot hold them.
 */
export function unquote(literal: string): string | null {
  const mark = literal[0];
  if (mark === undefined || literal.length < 2 || !literal.endsWith(mark)) return null;
  const body = literal.slice(1, -1);
  if (mark === '`') return body.replaceAll('\r', '');
  if (body.includes('\n')) return null;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const pattern =
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))|([^\\])/gsuy;
  let end = 0;
  for (const match of body.matchAll(pattern)) {
    end = match.index + match[0].length;
    const [, hex, short, long, octal, letter, plain] = match;
    const byte = hex !== undefined ? Number.parseInt(hex, 16) : octal && Number.parseInt(octal, 8);
    if (typeof byte === 'number') {
      if (byte > 255) return null;
      bytes.push(byte);
      continue;
    }
    const text: string | null =
      plain ?? (letter === undefined ? pointOf(short ?? long) : unescapeLetter(letter, mark));
    if (text === null || (plain !== undefined && text === mark)) return null;
    bytes.push(...encoder.encode(text));
  }
  if (end !== body.length) return null;
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function pointOf(hex: string | undefined): string | null {
  const codePoint = Number.parseInt(hex ?? '', 16);
  return codePoint <= 0x10ffff && !isSurrogate(codePoint) ? String.fromCodePoint(codePoint) : null;
}

function unescapeLetter(letter: string, mark: string): string | null {
  if (letter === mark) return mark;
  for (const [character, escaped] of Object.entries(SHORT)) {
    if (escaped[1] === letter) return character;
  }
  return null;
}

function escapeCharacter(character: string, asciiOnly: boolean): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const codePoint = character.codePointAt(0)!;
  if (
    codePoint < 0x80
      ? codePoint >= 0x20 && codePoint < 0x7f
      : !asciiOnly && PRINTABLE.test(character)
  ) {
    return character;
  }
  if (codePoint < 0x20 || codePoint === 0x7f)
    return `\\x${codePoint.toString(16).padStart(2, '0')}`;
  if (isSurrogate(codePoint)) return '\\ufffd';
  if (codePoint < 0x10000) return `\\u${codePoint.toString(16).padStart(4, '0')}`;
  return `\\U${codePoint.toString(16).padStart(8, '0')}`;
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint < 0xe000;
}
