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
      readonly pieces: readonly string[];
      readonly annotations: readonly Annotation[];
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      /** Data is bare JSON without the envelope: Pollux' own pages. */
      readonly kind: 'bare';
      readonly data: unknown;
    }
  /** 204. */
  | { readonly kind: 'empty' };

/** Most warnings, and most infos, of one answer; the rest is counted in one more line. */
const MAX_ANNOTATIONS = 10;
/** Larger bodies go out in pieces and uncompressed, so that one answer never is one buffer. */
const MAX_WHOLE_LENGTH = 4 * 1024 * 1024;

const JSON_HEADERS = { 'content-type': 'application/json' } as const;

export function respond(result: ApiResult): HttpResponse {
  switch (result.kind) {
    case 'empty':
      return { status: 204 };
    case 'bare':
      return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(result.data) };
    case 'data':
      return success([encodeJson(result.data)], result.annotations ?? [], {});
    case 'encoded':
      return success(result.pieces, result.annotations, result.headers ?? {});
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
  pieces: readonly string[],
  annotations: readonly Annotation[],
  headers: Readonly<Record<string, string>>,
): HttpResponse {
  const head = '{"status":"success","data":';
  const notes = encodeJson(split(annotations));
  const tail = notes === '{}' ? '}' : `,${notes.slice(1)}`;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const all = [head, ...pieces, tail];
  return {
    status: 200,
    headers: { ...JSON_HEADERS, ...headers },
    body: length <= MAX_WHOLE_LENGTH ? all.join('') : encoded(all),
  };
}

async function* encoded(pieces: readonly string[]): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  for (const piece of pieces) yield encoder.encode(piece);
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
