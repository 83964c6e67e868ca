import type { Headers } from '../net.ts';

/** A GET without a body and without anything that concerns the connection. */
export type PlainGet = PlainHead;

/** A POST of the same kind. */
export type PlainPost = PlainHead & {
  /** Where the body begins, and its length. */
  readonly bodyAt: number;
  readonly length: number;
};

type PlainHead = {
  readonly target: string;
  /** The header lines as sent, each with its end; of a POST without that of the length. */
  readonly block: string;
};

/** As much as node:http takes of a request's head. */
const MAX_BYTES = 16 * 1024;
const START = /^GET (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/;
const POST_START = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/;
const LENGTH = /^content-length:[\t ]*(0|[1-9][0-9]{0,14})[\t ]*\r\n/im;
const BLOCK = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n)+$/;
const END = '\r\n\r\n';
/** What asks for more than an answer, and what says that there is a body. */
const NOT_PLAIN: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'proxy-connection',
  'keep-alive',
  'http2-settings',
]);

/**
 * Takes `bytes` apart when they are one whole plain GET and nothing else; null leaves them to a parser that knows all of
 * HTTP. What a header block means is asked of {@link plainHeaders}, once for blocks that come again.
 */
export function plainGet(bytes: Buffer): PlainGet | null {
  const size = bytes.length;
  // Method and end are looked at as bytes: most of what is no GET is a large body.
  if (size > MAX_BYTES || size < 18 || bytes[0] !== 0x47 || bytes[size - 1] !== 0x0a) return null;
  const text = bytes.toString('latin1');
  if (text.indexOf(END) !== size - END.length) return null;
  const start = START.exec(text);
  if (start === null) return null;
  return { target: start[1]!, block: text.slice(start[0].length, -2) };
}

/** The same for the beginning of a plain POST, whose head is whole in `bytes`; the body may be there in part, and more behind it. */
export function plainPost(bytes: Buffer): PlainPost | null {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4f) return null;
  const end = bytes.indexOf(END);
  if (end < 0 || end + END.length > MAX_BYTES) return null;
  const text = bytes.toString('latin1', 0, end + 2);
  const start = POST_START.exec(text);
  if (start === null) return null;
  const lines = text.slice(start[0].length);
  const length = LENGTH.exec(lines);
  if (length === null) return null;
  return {
    target: start[1]!,
    // A second one stays, which then is none of a plain request.
    block: lines.slice(0, length.index) + lines.slice(length.index + length[0].length),
    bodyAt: end + END.length,
    length: Number(length[1]),
  };
}

/** Headers of a block by their lower-case names; null when they ask for more than a plain answer, or are not well-formed. */
export function plainHeaders(block: string): Headers | null {
  if (!BLOCK.test(block)) return null;
  const headers: Record<string, string> = {};
  for (const line of block.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '');
    // How often a header may be there differs from name to name.
    if (NOT_PLAIN.has(name) || Object.hasOwn(headers, name) || name === '__proto__') return null;
    headers[name] = value;
  }
  const isKept = (headers.connection ?? 'keep-alive').toLowerCase() === 'keep-alive';
  return isKept && (headers.host ?? '') !== '' ? headers : null;
}
