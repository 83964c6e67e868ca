const MARK = '…';

export type Truncated = { readonly text: string; readonly isCut: boolean };

/** At most `limit` characters (code points); what is cut ends in an ellipsis, which counts. */
export function truncateInRunes(text: string, limit: number): Truncated {
  // A code point has one or two units, so a short text need not be taken apart.
  if (text.length <= limit) return { text, isCut: false };
  const runes = [...text];
  if (runes.length <= limit) return { text, isCut: false };
  if (limit <= 3) return { text: runes.slice(0, limit).join(''), isCut: true };
  return { text: runes.slice(0, limit - 1).join('') + MARK, isCut: true };
}

/** At most `limit` bytes of UTF-8, never half a character. Too short for the ellipsis, dots stand for all. */
export function truncateInBytes(text: string, limit: number): Truncated {
  if (Buffer.byteLength(text) <= limit) return { text, isCut: false };
  if (limit <= 3) return { text: limit === 3 ? MARK : '.'.repeat(limit), isCut: true };
  let size = 0;
  let end = 0;
  for (const rune of text) {
    size += Buffer.byteLength(rune);
    if (size > limit - Buffer.byteLength(MARK)) break;
    end += rune.length;
  }
  return { text: text.slice(0, end) + MARK, isCut: true };
}
