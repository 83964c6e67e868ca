const BRAND = Symbol.for('pollux.operating-error');

/**
 * What can go wrong in operation: bad input, a peer that is away, a full disk. Every room derives its own classes and
 * gives each a stable `code`. The brand survives worker threads and several copies of this module, where `instanceof`
 * does not.
 */
export class OperatingError extends Error {
  readonly [BRAND] = true;
  /** Stable, upper-case, dotted: `TSDB.OUT_OF_ORDER`. Users and tests match on it. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }

  static is(error: unknown): error is OperatingError {
    return typeof error === 'object' && error !== null && BRAND in error;
  }
}

/**
 * Input refused; `place` names where (file:line:column, field path or position), `message` says what is wrong. Where the
 * message must be the peer's to the letter, `remedy` says what to write instead; only messages for people add it.
 */
export class InputError extends OperatingError {
  readonly place: string;
  readonly remedy: string;

  constructor(
    code: string,
    place: string,
    message: string,
    options?: { cause?: unknown; remedy?: string },
  ) {
    super(code, place === '' ? message : `${place}: ${message}`, options);
    this.place = place;
    this.remedy = options?.remedy ?? '';
  }
}

/** A named limit was hit. The message says which and how to raise it. */
export class LimitError extends OperatingError {
  readonly limit: string;

  constructor(code: string, limit: string, message: string) {
    super(code, message);
    this.limit = limit;
  }
}

/** The operation was given up because its signal aborted or its time ran out. */
export class CanceledError extends OperatingError {
  constructor(message = 'operation canceled', options?: { cause?: unknown }) {
    super('BASE.CANCELED', message, options);
  }
}

export class TimeoutError extends OperatingError {
  constructor(message: string) {
    super('BASE.TIMEOUT', message);
  }
}

/** The text of anything that was thrown, with its chain of causes; a cause that the message quotes is not repeated. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's aggregate errors (several addresses tried) have an empty message of their own.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(errorText).join('; ');
  }
  if (error.cause === undefined) return error.message;
  const cause = errorText(error.cause);
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}

/** Node's `code` of a system error (`ENOENT`, `EADDRINUSE` …), or an empty string. */
export function systemCode(error: unknown): string {
  if (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string'
  ) {
    return error.code;
  }
  return '';
}
