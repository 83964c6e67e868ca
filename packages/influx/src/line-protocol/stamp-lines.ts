import { UNIT_NANOS, writePrecision } from './precision.ts';
import { LineError, lineEnd, scanFields, scanKey, skipBlanks } from './scan.ts';

const COMMENT = 35;
const BACKSLASH = 92;

/**
 * Gives each line without a time this one, in the precision of the write, so that whoever gets the lines, and whenever, stores the same
 * points. Lines that cannot be read stay as they are, and so does a body whose precision is none: who stores them has the words for it.
 * Returns `body` itself when nothing was missing.
 */
export function stampLines(body: Uint8Array, precision: string | null, nowMs: number): Uint8Array {
  const unit = writePrecision(precision === 'us' ? 'u' : precision);
  if (unit === null) return body;
  const stamp = ` ${(BigInt(nowMs) * 1_000_000n) / UNIT_NANOS[unit]}`;
  // One character a byte: what the scanner looks for is ASCII, and no byte of a longer UTF-8 sequence is.
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1');
  const pieces: string[] = [];
  let taken = 0;
  for (let at = 0; at < text.length; ) {
    const end = lineEnd(text, at);
    const start = skipBlanks(text, at);
    at = end + 1;
    if (start >= end || text.charCodeAt(start) === COMMENT) continue;
    const fieldsEnd = endOfTimeless(text.slice(start, end));
    if (fieldsEnd < 0) continue;
    pieces.push(text.slice(taken, start + fieldsEnd), stamp);
    taken = start + fieldsEnd;
  }
  if (pieces.length === 0) return body;
  pieces.push(text.slice(taken));
  return Buffer.from(pieces.join(''), 'latin1');
}

/** Where the fields of a line end behind which no time stands; −1 for others. */
function endOfTimeless(line: string): number {
  try {
    const fieldsEnd = scanFields(line, skipBlanks(line, scanKey(line).end), true);
    // Behind a backslash the blank before the time would belong to the field.
    const isOpen = line.charCodeAt(fieldsEnd - 1) !== BACKSLASH;
    return isOpen && skipBlanks(line, fieldsEnd) === line.length ? fieldsEnd : -1;
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    return -1;
  }
}
