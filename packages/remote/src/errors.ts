import { InputError, OperatingError } from '@pollux/base';

/** A setting that Prometheus has and Pollux does not serve yet; refused at load, so that nobody relies on it. */
export class NotSupportedError extends InputError {
  constructor(place: string, what: string) {
    super('REMOTE.NOT_SUPPORTED', place, `${what} is not supported yet; remove it`);
  }
}

/** A remote endpoint could not be read from. */
export class RemoteReadError extends OperatingError {
  /** Of the answer, 0 when there was none. */
  readonly status: number;

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super('REMOTE.READ_FAILED', message, options);
    this.status = status;
  }
}
