/** Whether a URL is relative or of a protocol that runs no script. */
export function isSafeUrl(url: string): boolean {
  const colon = url.indexOf(':');
  const protocol = url.slice(0, Math.max(colon, 0));
  if (colon < 0 || protocol.includes('/')) return true;
  return /^(?:https?|mailto)$/i.test(protocol);
}

/** Encodes all but letters, digits and `-._~`. */
export function escapeUrl(text: string): string {
  return encode(text, /^[A-Za-z0-9._~-]$/);
}

/** Encodes what must not stand in a URL and leaves its structure and the escapes that it has. */
export function normalizeUrl(text: string): string {
  return text
    .split(/(%[0-9a-fA-F]{2})/)
    .map((part, index) =>
      index % 2 === 1 ? part : encode(part, /^[A-Za-z0-9._~!#$&*+,/:;=?@[\]-]$/),
    )
    .join('');
}

function encode(text: string, isKept: RegExp): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    out += isKept.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** A list of images with their sizes; elements that are none become `refused`. */
export function escapeSourceSet(text: string, refused: string): string {
  return text
    .split(',')
    .map((element) => {
      const [, before = '', url = '', sizes = ''] =
        /^([ \t\n\f\r]*)([^ \t\n\f\r]*)([\s\S]*)$/.exec(element) ?? [];
      const isFit = isSafeUrl(url) && /^[ \t\n\f\rA-Za-z0-9]*$/.test(sizes);
      return isFit ? before + normalizeUrl(url) + sizes : `#${refused}`;
    })
    .join(',');
}
