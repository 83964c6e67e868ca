/**
 * A label name out of a URL: `U__` announces that characters which legacy names lack are written `_HEX_` and underscores
 * `__`. A text that is not well formed under this rule stands for itself.
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name;
  const escaped = name.slice(3);
  let out = '';
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== '_') {
      out += escaped[i]!;
      continue;
    }
    if (escaped[i + 1] === '_') {
      out += '_';
      i++;
      continue;
    }
    const end = escaped.indexOf('_', i + 1);
    const digits = end < 0 ? '' : escaped.slice(i + 1, end);
    const codePoint = /^[0-9a-fA-F]{1,6}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
    const isScalar =
      codePoint >= 0 && codePoint <= 0x10ffff && !(codePoint >= 0xd800 && codePoint <= 0xdfff);
    if (!isScalar) return name;
    out += String.fromCodePoint(codePoint);
    i = end;
  }
  return out;
}
