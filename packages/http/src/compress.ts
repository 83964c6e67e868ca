import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { HttpHandler, HttpResponse } from '@pollux/base';

const gzip = promisify(zlib.gzip);
const deflate = promisify(zlib.deflate);
/** Below this the saving is not worth the time. */
const MIN_BYTES = 1_024;
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|javascript|openmetrics-text|x-ndjson|csv))/;

/**
 * Compresses whole bodies with the first of gzip and deflate that Accept-Encoding names (of q-values only 0 counts),
 * at level 1: 130 MB/s where level 6 gives 33 MB/s for 15 % less size.
 */
export function withCompression(handler: HttpHandler): HttpHandler {
  return async (request) => {
    const response = await handler(request);
    const encoding = acceptedEncoding(request.headers['accept-encoding'] ?? '');
    if (encoding === null || !isCompressible(response)) return response;
    const body = typeof response.body === 'string' ? Buffer.from(response.body) : response.body;
    if (!(body instanceof Uint8Array) || body.length < MIN_BYTES) return response;
    const packed = await (encoding === 'gzip' ? gzip : deflate)(body, { level: 1 });
    // The length that the handler gave is that of the plain body.
    const { 'content-length': _, ...headers } = response.headers ?? {};
    const vary = [headers.vary ?? [], 'Accept-Encoding'].flat().join(', ');
    return {
      ...response,
      headers: { ...headers, 'content-encoding': encoding, vary },
      body: packed,
    };
  };
}

function acceptedEncoding(accept: string): 'gzip' | 'deflate' | null {
  if (accept === '') return null;
  for (const part of accept.split(',')) {
    const [word = '', quality = ''] = part.split(';');
    const name = word.trim().toLowerCase();
    if (/^\s*q\s*=\s*0(?:\.0*)?\s*$/i.test(quality)) continue;
    if (name === 'gzip' || name === 'deflate') return name;
  }
  return null;
}

function isCompressible(response: HttpResponse): boolean {
  const headers = response.headers ?? {};
  const type = headers['content-type'];
  return (
    response.body !== undefined &&
    headers['content-encoding'] === undefined &&
    typeof type === 'string' &&
    COMPRESSIBLE.test(type)
  );
}
