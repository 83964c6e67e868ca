import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { LimitError, OperatingError } from '../errors.ts';

const gunzip = promisify(zlib.gunzip);
const inflate = promisify(zlib.inflate);

export async function readBody(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > maxBytes) throw answerTooLarge(maxBytes);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
}

/** Of an answer, by its Content-Encoding. */
export async function decodeBody(
  data: Uint8Array,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? '';
  // An answer to HEAD names the encoding of a body that it does not have.
  if (data.length === 0 || !['gzip', 'x-gzip', 'deflate'].includes(name)) return data;
  try {
    const options = { maxOutputLength: maxBytes };
    return await (name === 'deflate' ? inflate(data, options) : gunzip(data, options));
  } catch (error) {
    if (error instanceof RangeError) throw answerTooLarge(maxBytes);
    throw new OperatingError('BASE.CONNECTION', `answer is no valid ${encoding}`, { cause: error });
  }
}

export function answerTooLarge(maxBytes: number): LimitError {
  return new LimitError('BASE.ANSWER_TOO_LARGE', 'maxBodyBytes', `body exceeds ${maxBytes} bytes`);
}
