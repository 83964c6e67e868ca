import type { HttpRequest } from '@pollux/base';
import { quoteText } from '@pollux/model';
import { BodyError } from './json-body.ts';

const JSON_TYPE = 'application/json';
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TYPE = new RegExp(`^\\s*(${TOKEN}/${TOKEN})\\s*(;.*)?$`);
const PARAMETERS = new RegExp(`^(?:\\s*;\\s*${TOKEN}=(?:${TOKEN}|"[^"]*"))*\\s*;?\\s*$`);

/** Throws a BodyError for a body that is said to be something else than JSON, and for a client that takes none. */
export function checkMediaTypes({
  headers,
  method,
}: Pick<HttpRequest, 'headers' | 'method'>): void {
  const hasBody = Number(headers['content-length'] ?? 0) > 0 || 'transfer-encoding' in headers;
  if (hasBody && method !== 'GET') {
    // Who sends JSON is taken to read it.
    checkContentType(headers['content-type']);
    return;
  }
  if (headers.accept === undefined || takesJson(headers.accept)) return;
  throw new BodyError(
    '',
    `unsupported media type requested, only [${JSON_TYPE}] are available`,
    406,
  );
}

/** What is not said is `application/octet-stream`, RFC 9110, 8.3. */
function checkContentType(written = 'application/octet-stream'): void {
  const [, type, parameters = ''] = TYPE.exec(written) ?? [];
  const problem =
    type === undefined
      ? `mediatype: malformed: ${quoteText(written)}`
      : PARAMETERS.test(parameters)
        ? ''
        : 'mime: invalid media parameter';
  if (problem !== '') {
    const message = `parsing Content-Type header from ${quoteText(written)} failed, because ${problem}`;
    throw new BodyError('', message, 400);
  }
  if (type?.toLowerCase() === JSON_TYPE) return;
  const message = `unsupported media type ${quoteText(written)}, only [${JSON_TYPE}] are allowed`;
  throw new BodyError('', message, 415);
}

function takesJson(accept: string): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((one) => /^q=0(?:\.0*)?$/.test(one));
    return !isRefused && [JSON_TYPE, 'application/*', '*/*'].includes(type);
  });
}
