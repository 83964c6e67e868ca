/**
 * Letter case as Go's strings.ToLower and ToUpper: one code point for one, without the special casing that JavaScript
 * applies (`ß` stays, a final sigma is an ordinary one). Hash rings and joins over such labels must agree between the two.
 */
export function lowerCase(text: string): string {
  return isAscii(text) ? text.toLowerCase() : Array.from(text, lowerOf).join('');
}

export function upperCase(text: string): string {
  return isAscii(text) ? text.toUpperCase() : Array.from(text, upperOf).join('');
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

function lowerOf(char: string): string {
  // U+0130 is the one letter whose lower case JavaScript writes with two code points.
  return char === '\u0130' ? 'i' : char.toLowerCase();
}

function upperOf(char: string): string {
  const upper = char.toUpperCase();
  if (Array.from(upper).length === 1) return upper;
  const code = char.codePointAt(0)!;
  // Greek with iota subscript has single letters above; all other expansions (ß, ligatures) have none.
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9);
  return char;
}
