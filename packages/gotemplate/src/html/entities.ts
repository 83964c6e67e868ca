const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  apos: "'",
  gt: '>',
  lt: '<',
  quot: '"',
  nbsp: '\u00a0',
  colon: ':',
  comma: ',',
  equals: '=',
  excl: '!',
  grave: '`',
  lpar: '(',
  lsqb: '[',
  lcub: '{',
  newline: '\n',
  num: '#',
  period: '.',
  plus: '+',
  quest: '?',
  rcub: '}',
  rpar: ')',
  rsqb: ']',
  semi: ';',
  sol: '/',
  bsol: '\\',
  tab: '\t',
  dollar: '$',
};

/**
 * Character references replaced by what they stand for: the numeric ones and those named ones that could change what a
 * place of an attribute is. Any other stays as written, which is as good for telling contexts.
 */
export function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#[xX]([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+));?/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) {
        const hasEnd = whole.endsWith(';') || /^(?:amp|gt|lt|quot|nbsp)$/.test(name);
        return (hasEnd ? NAMED[name.toLowerCase()] : undefined) ?? whole;
      }
      const codePoint = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      const isValid = codePoint > 0 && codePoint <= 0x10ffff && !(codePoint >> 11 === 0x1b);
      return String.fromCodePoint(isValid ? codePoint : 0xfffd);
    },
  );
}
