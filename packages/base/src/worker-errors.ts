import { errorText, LimitError, OperatingError, systemCode } from './errors.ts';

/** Longer chains of causes are cut. */
const MAX_CAUSES = 8;

/** An error as it crosses from one thread to another. */
export type PackedError = {
  readonly name: string;
  readonly message: string;
  /** Of an operating error or of the system; empty for none. */
  readonly code: string;
  readonly isOperating: boolean;
  readonly cause: PackedError | null;
};

/** A worker went without saying why. */
export class WorkerExitError extends OperatingError {
  constructor(worker: string, how: string, options?: { cause?: unknown }) {
    super('BASE.WORKER_EXIT', `the worker ${worker} ended before its work: ${how}`, options);
  }
}

/** A worker's heap has reached its limit. */
export class WorkerMemoryError extends LimitError {
  constructor(worker: string, megabytes: number) {
    super(
      'BASE.WORKER_MEMORY',
      'maxHeapMegabytes',
      `the worker ${worker} needs more than its ${megabytes} MB of heap`,
    );
  }
}

export function packError(error: unknown, depth = 0): PackedError {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: errorText(error), code: '', isOperating: false, cause: null };
  }
  const { name, message, cause } = error;
  return {
    name,
    message,
    code: systemCode(error),
    isOperating: OperatingError.is(error),
    cause: cause === undefined || depth >= MAX_CAUSES ? null : packError(cause, depth + 1),
  };
}

/** The error with its name, text, code and causes: an OperatingError where it was one, but not of its own class. */
export function unpackError(packed: PackedError): Error {
  const { name, message, code, isOperating, cause } = packed;
  const options = cause === null ? {} : { cause: unpackError(cause) };
  const error = isOperating
    ? new OperatingError(code, message, options)
    : new Error(message, options);
  error.name = name;
  return isOperating || code === '' ? error : Object.assign(error, { code });
}
