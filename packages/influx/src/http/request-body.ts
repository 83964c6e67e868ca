import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { type HttpRequest, InputError, systemCode } from '@pollux/base';

const gunzip = promisify(zlib.gunzip);

/** The body, inflated when it says gzip. Over the limit, before or after inflating, is a LimitError or RangeError. */
export async function readBody(request: HttpRequest, limitBytes: number): Promise<Uint8Array> {
  const limit = limitBytes === 0 ? Number.MAX_SAFE_INTEGER : limitBytes;
  const body = await request.body(limit);
  if (request.headers['content-encoding'] !== 'gzip') return body;
  try {
    return await gunzip(body, { maxOutputLength: Math.min(limit, 2 ** 31) });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') throw new BodyTooLargeError();
    const isShort = body.length < 10 || systemCode(error) === 'Z_BUF_ERROR';
    throw new InputError('INFLUX.GZIP', '', isShort ? 'unexpected EOF' : 'gzip: invalid header', {
      cause: error,
    });
  }
}

/** An inflated body over `max-body-size`. */
export class BodyTooLargeError extends InputError {
  constructor() {
    super('INFLUX.BODY_TOO_LARGE', '', 'Request Entity Too Large');
  }
}
