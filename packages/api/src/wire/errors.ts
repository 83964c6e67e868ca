import type { ApiErrorType } from '@pollux/api-types';
import { CanceledError, errorText, LimitError, OperatingError, TimeoutError } from '@pollux/base';
import { QueryError } from '@pollux/promql';
import { type Annotation, UnavailableError } from '@pollux/storage';

/** A request refused or failed, with the API's own kind of error. */
export class ApiError extends OperatingError {
  readonly type: ApiErrorType;
  readonly annotations: readonly Annotation[];
  /** Where it is not the one that the kind of error has. */
  readonly status: number | null;

  constructor(
    type: ApiErrorType,
    message: string,
    options: { cause?: unknown; annotations?: readonly Annotation[]; status?: number } = {},
  ) {
    super(`API.${type.toUpperCase()}`, message, { cause: options.cause });
    this.type = type;
    this.annotations = options.annotations ?? [];
    this.status = options.status ?? null;
  }
}

export function badData(message: string): ApiError {
  return new ApiError('bad_data', message);
}

export function invalidParameter(name: string, reason: string): ApiError {
  return badData(`invalid parameter ${JSON.stringify(name)}: ${reason}`);
}

/** The API's error for anything that a handler threw. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = errorText(error);
  const unavailable = UnavailableError.behind(error);
  if (unavailable !== null) {
    // Prometheus gives this kind 500 for what is switched off; 503 says that trying again, or elsewhere, helps.
    return new ApiError('unavailable', unavailable.message, { cause: error, status: 503 });
  }
  if (error instanceof QueryError) {
    switch (error.kind) {
      case 'bad_data':
        return new ApiError('bad_data', error.message, { cause: error });
      case 'timeout':
        return new ApiError('timeout', error.message, { cause: error });
      case 'canceled':
        return new ApiError('canceled', error.message, { cause: error });
      case 'execution':
      case 'too_many_samples':
        return new ApiError('execution', error.message, { cause: error });
    }
  }
  if (error instanceof CanceledError) return new ApiError('canceled', text, { cause: error });
  if (error instanceof TimeoutError) return new ApiError('timeout', text, { cause: error });
  if (error instanceof LimitError || OperatingError.is(error)) {
    return new ApiError('execution', text, { cause: error });
  }
  return new ApiError('internal', text, { cause: error });
}
