const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

/** The builtin `html`: the five characters that matter in text and attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => HTML[character]!);
}

/** The builtin `js`: safe inside a JavaScript string literal. */
export function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\p{Cc}\p{Z}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, (character) => {
    const known = JS[character];
    if (known !== undefined) return known;
    const codePoint = character.codePointAt(0)!;
    if (codePoint === 0x20) return character;
    return `\\u${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
  });
}

/** The builtin `urlquery`: as Go's url.QueryEscape, a space becomes a plus. */
export function escapeUrlQuery(text: string): string {
  return encodeURIComponent(wellFormed(text))
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** Lone surrogates have no UTF-8; they become U+FFFD as on any other way out. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
