import { Buffer } from 'node:buffer';

const LINE = 76;

/** Characters that stand for themselves in quoted-printable: printable ASCII but the equals sign. */
const isPlain = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e && byte !== 0x3d) || byte === 0x20 || byte === 0x09;

/** RFC 2045, 6.7: lines of at most 76 characters, line ends as CRLF. */
export function quotedPrintable(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .split('\n')
    .map((line) => softLines(encodedBytes(line)))
    .join('\r\n');
}

/** One token for each byte; a blank at the end of a line is encoded, because transports drop it. */
function encodedBytes(line: string): string[] {
  const bytes = Buffer.from(line);
  return [...bytes].map((byte, index) => {
    const isBlankAtEnd = index === bytes.length - 1 && (byte === 0x20 || byte === 0x09);
    if (isPlain(byte) && !isBlankAtEnd) return String.fromCharCode(byte);
    return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

function softLines(tokens: readonly string[]): string {
  const lines: string[] = [];
  let current = '';
  for (const [index, token] of tokens.entries()) {
    const isLast = index === tokens.length - 1;
    if (current.length + token.length > LINE - (isLast ? 0 : 1)) {
      lines.push(`${current}=`);
      current = '';
    }
    current += token;
  }
  lines.push(current);
  return lines.join('\r\n');
}

/** A header's value in words of RFC 2047 (Q encoding) when it needs them. Line ends cannot break out of it. */
export function encodedHeader(value: string): string {
  if (/^[\t\x20-\x7e]*$/.test(value)) return value;
  const words: string[] = [];
  let current = '';
  for (const rune of value) {
    const encoded = [...Buffer.from(rune)].map(encodedByte).join('');
    // 75 is the longest word; its frame takes 12.
    if (current.length + encoded.length > 75 - 12) {
      words.push(current);
      current = '';
    }
    current += encoded;
  }
  words.push(current);
  return words.map((word) => `=?utf-8?q?${word}?=`).join('\r\n ');
}

function encodedByte(byte: number): string {
  if (byte === 0x20) return '_';
  const char = String.fromCharCode(byte);
  if (byte > 0x20 && byte < 0x7f && !'=?_'.includes(char)) return char;
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

export type MailParts = {
  /** Name and encoded value, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly boundary: string;
  /** Empty for none. */
  readonly text: string;
  readonly html: string;
};

/** A whole mail; the last of its alternatives is the one to prefer, so HTML follows text. */
export function mailOf({ headers, boundary, text, html }: MailParts): string {
  const part = (type: string, body: string): string =>
    [
      `--${boundary}`,
      'Content-Transfer-Encoding: quoted-printable',
      `Content-Type: ${type}; charset=UTF-8`,
      '',
      quotedPrintable(body),
    ].join('\r\n');
  return [
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Type: multipart/alternative;  boundary=${boundary}`,
    'MIME-Version: 1.0',
    '',
    ...(text === '' ? [] : [part('text/plain', text)]),
    ...(html === '' ? [] : [part('text/html', html)]),
    `--${boundary}--`,
    '',
  ].join('\r\n');
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 1123 with the zone as a number, in UTC. */
export function mailDate(timeMs: number): string {
  const date = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]}`;
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${day} ${date.getUTCFullYear()} ${time} +0000`;
}
