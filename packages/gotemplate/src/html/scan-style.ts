import type { Context, Scan } from './context.ts';
import { unfinished } from './scan-script.ts';

/** A URL is one up to its query or fragment. */
export function scanUrl(context: Context, text: string): Scan {
  if (/[#?]/.test(text)) return [{ ...context, urlPart: 'QueryOrFrag' }, text.length];
  if (context.urlPart === 'None' && /[^ \t\n\f\r]/.test(text)) {
    return [{ ...context, urlPart: 'PreQuery' }, text.length];
  }
  return [context, text.length];
}

const EVENT =
  /(?<![A-Za-z0-9_-]|[\u0080-\u{10ffff}])url[\t\n\f\r ]*\([\t\n\f\r ]*(["']?)|["']|\/\/|\/\*/giu;

/** To the next string, URL or comment. */
export function scanStyle(context: Context, text: string): Scan {
  EVENT.lastIndex = 0;
  const match = EVENT.exec(text);
  if (match === null) return [context, text.length];
  const end = match.index + match[0].length;
  return [{ ...context, state: stateOf(match[0], match[1]) }, end];
}

function stateOf(event: string, quoteOfUrl: string | undefined): Context['state'] {
  switch (event) {
    case '"':
      return 'CSSDqStr';
    case "'":
      return 'CSSSqStr';
    case '//':
      return 'CSSLineCmt';
    case '/*':
      return 'CSSBlockCmt';
    default:
      return quoteOfUrl === '"' ? 'CSSDqURL' : quoteOfUrl === "'" ? 'CSSSqURL' : 'CSSURL';
  }
}

const STRING_EVENTS = {
  CSSDqStr: /\\[\s\S]?|"/g,
  CSSDqURL: /\\[\s\S]?|"/g,
  CSSSqStr: /\\[\s\S]?|'/g,
  CSSSqURL: /\\[\s\S]?|'/g,
  CSSURL: /\\[\s\S]?|[\t\n\f\r )]/g,
} as const;

/** To the end of a string or URL; a string may be a URL too (`@import`), so its parts are watched. */
export function scanStyleString(context: Context, text: string): Scan {
  const { state } = context;
  if (!Object.hasOwn(STRING_EVENTS, state)) return [context, text.length];
  let inside = context;
  for (const match of text.matchAll(STRING_EVENTS[state as keyof typeof STRING_EVENTS])) {
    if (match[0] === '\\') return unfinished('CSS string', text);
    if (!match[0].startsWith('\\')) return [{ ...inside, state: 'CSS' }, match.index + 1];
    inside = scanUrl(inside, decodeStyle(text.slice(0, match.index + match[0].length)))[0];
  }
  return [scanUrl(inside, decodeStyle(text))[0], text.length];
}

/** CSS escapes replaced by what they stand for. */
export function decodeStyle(text: string): string {
  return text.replace(
    /\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\f\r])?|([\s\S]))/gu,
    (_, hex?: string, other?: string) => {
      if (hex === undefined) return other ?? '';
      const codePoint = Number.parseInt(hex, 16);
      return codePoint > 0x10ffff
        ? String.fromCodePoint(codePoint >> 4) + hex.slice(-1)
        : String.fromCodePoint(codePoint);
    },
  );
}
