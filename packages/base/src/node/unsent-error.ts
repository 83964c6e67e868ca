import { OperatingError } from '../errors.ts';

/** The server did not begin with the request: it can be sent again on another connection, whatever it does. */
export class UnsentError extends OperatingError {
  constructor(what: string, options?: { readonly cause: unknown }) {
    super('BASE.UNSENT', what, options);
  }

  static override is(error: unknown): error is UnsentError {
    return error instanceof UnsentError;
  }
}
