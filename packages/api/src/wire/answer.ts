import { API_ERROR_STATUS, type ApiErrorType } from '@pollux/api-types';
import type { HttpResponse } from '@pollux/base';
import type { Annotation } from '@pollux/storage';
import { encodeJson } from './encode.ts';

/** What a handler gives. */
export type ApiResult =
  | {
      readonly kind: 'data';
      readonly data: unknown;
      readonly annotations?: readonly Annotation[];
    }
  | {
      /** The `data` member, already JSON, in pieces that need not be held as one text. */
      readonly kind: 'encoded';
      readonly pieces: readonly (string | Uint8Array)[];
      readonly annotations: readonly Annotation[];
      readonly headers?: Readonly<Record<string, string>> | undefined;
    }
  | {
      /** The `data` member as bytes that come as they are taken, and its end. */
      readonly kind: 'parts';
      readonly parts: AsyncIterable<Uint8Array>;
      readonly last: string;
      readonly annotations: readonly Annotation[];
      readonly headers?: Readonly<Record<string, string>> | undefined;
    }
  | {
      /** Data is bare JSON without the envelope: Pollux' own pages. */
      readonly kind: 'bare';
      readonly data: unknown;
    }
  /** The whole answer, of who was refused before a handler was asked. */
  | { readonly kind: 'refused'; readonly response: HttpResponse }
  /** 204. */
  | { readonly kind: 'empty' };

/** Most warnings, and most infos, of one answer; the rest is counted in one more line. */
const MAX_ANNOTATIONS = 10;
/** Larger bodies go out in pieces and uncompressed, so that one answer never is one buffer. */
const MAX_WHOLE_LENGTH = 4 * 1024 * 1024;

const HEAD = '{"status":"success","data":';
const JSON_HEADERS = { 'content-type': 'application/json' } as const;

export function respond(result: ApiResult): HttpResponse {
  switch (result.kind) {
    case 'empty':
      return { status: 204 };
    case 'refused':
      return result.response;
    case 'bare':
      return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(result.data) };
    case 'data':
      return success([encodeJson(result.data)], result.annotations ?? []);
    case 'encoded':
      return success(result.pieces, result.annotations, result.headers);
    case 'parts':
      return {
        status: 200,
        headers: { ...JSON_HEADERS, ...result.headers },
        body: inParts(result.parts, result.last + tailOf(result.annotations)),
      };
  }
}

export function respondError(
  type: ApiErrorType,
  message: string,
  how: { readonly annotations?: readonly Annotation[]; readonly status?: number | null } = {},
): HttpResponse {
  const { annotations = [], status = null } = how;
  const { warnings, infos } = split(annotations);
  const body = encodeJson({ status: 'error', errorType: type, error: message, warnings, infos });
  return { status: status ?? API_ERROR_STATUS[type], headers: JSON_HEADERS, body };
}

function success(
  pieces: readonly (string | Uint8Array)[],
  annotations: readonly Annotation[],
  headers?: Readonly<Record<string, string>>,
): HttpResponse {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const all = [HEAD, ...pieces, tailOf(annotations)];
  return {
    status: 200,
    headers: headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers },
    body: length <= MAX_WHOLE_LENGTH ? joined(all) : encoded(all),
  };
}

/** What follows the `data` member. */
function tailOf(annotations: readonly Annotation[]): string {
  if (annotations.length === 0) return '}';
  const notes = encodeJson(split(annotations));
  return notes === '{}' ? '}' : `,${notes.slice(1)}`;
}

async function* inParts(parts: AsyncIterable<Uint8Array>, tail: string): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(HEAD);
  yield* parts;
  yield encoder.encode(tail);
}

function joined(pieces: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (pieces.every((piece) => typeof piece === 'string')) return pieces.join('');
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)),
  );
}

async function* encoded(pieces: readonly (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  for (const piece of pieces) yield typeof piece === 'string' ? encoder.encode(piece) : piece;
}

function split(annotations: readonly Annotation[]): {
  warnings?: string[];
  infos?: string[];
} {
  const warnings = capped(annotations, 'warning');
  const infos = capped(annotations, 'info');
  return {
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(infos.length === 0 ? {} : { infos }),
  };
}

function capped(annotations: readonly Annotation[], kind: Annotation['kind']): string[] {
  const texts = annotations.filter((note) => note.kind === kind).map(({ text }) => text);
  const unique = [...new Set(texts)];
  if (unique.length <= MAX_ANNOTATIONS) return unique;
  const omitted = unique.length - MAX_ANNOTATIONS;
  return [...unique.slice(0, MAX_ANNOTATIONS), `${omitted} more ${kind} annotations omitted`];
}
