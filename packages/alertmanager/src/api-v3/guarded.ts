import { type HttpResponse, InputError, LimitError } from '@pollux/base';
import { TemplateError } from '@pollux/gotemplate';
import type { RouteHandler } from '@pollux/http';
import { BodyError } from '../api/json-body.ts';
import { answer } from '../api/respond.ts';
import { SilenceNotFoundError } from '../errors.ts';
import { NotFoundError, RequestError } from './errors.ts';

/** Turns refusals into `{"error": {code, field, message}}` with their status. */
export function guarded(handler: RouteHandler): RouteHandler {
  return async (exchange) => {
    try {
      return await handler(exchange);
    } catch (error) {
      if (error instanceof LimitError) {
        const status = error.code === 'HTTP.BODY_TOO_LARGE' ? 413 : 429;
        return problem(status, error.code, error.limit, error.message);
      }
      if (error instanceof TemplateError) {
        // Of the labels of a route, which are rendered before anything else.
        return problem(400, error.code, 'template', error.message);
      }
      if (error instanceof InputError) {
        return problem(statusOf(error), error.code, error.place, error.message);
      }
      throw error;
    }
  };
}

function statusOf(error: InputError): number {
  if (error instanceof NotFoundError || error instanceof SilenceNotFoundError) return 404;
  return error instanceof RequestError || error instanceof BodyError ? error.status : 400;
}

function problem(status: number, code: string, field: string, message: string): HttpResponse {
  return answer(status, { error: { code, field, message } });
}
