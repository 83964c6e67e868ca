/** Every answer of the Prometheus HTTP API. */
export type ApiAnswer<T> = ApiSuccess<T> | ApiFailure;

export type ApiSuccess<T> = {
  readonly status: 'success';
  readonly data: T;
  /** The data may be wrong or incomplete. */
  readonly warnings?: readonly string[];
  /** The data may surprise. */
  readonly infos?: readonly string[];
};

export type ApiFailure = {
  readonly status: 'error';
  readonly errorType: ApiErrorType;
  readonly error: string;
  readonly data?: unknown;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
};

export type ApiErrorType =
  | 'bad_data'
  | 'execution'
  | 'canceled'
  | 'timeout'
  | 'internal'
  | 'unavailable'
  | 'not_found'
  | 'not_acceptable';

/** The HTTP status that goes with each error type. */
export const API_ERROR_STATUS: Readonly<Record<ApiErrorType, number>> = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  internal: 500,
  unavailable: 500,
  not_found: 404,
  not_acceptable: 406,
};

/** The data of an answer; throws an Error with the server's text when it failed or is no such answer. */
export function dataOf<T>(answer: unknown): T {
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) {
    throw new Error('the answer is no Prometheus API answer');
  }
  const { status, error } = answer as { status: unknown; error?: unknown };
  if (status !== 'success') throw new Error(typeof error === 'string' ? error : 'request failed');
  return (answer as ApiSuccess<T>).data;
}
