import { InputError } from '@pollux/base';

/** A request refused; `place` is the field or parameter. */
export class RequestError extends InputError {
  readonly status: number;

  constructor(field: string, message: string, status = 400) {
    super('ALERTMANAGER.BAD_REQUEST', field, message);
    this.status = status;
  }
}

/** Something that the request names does not exist. */
export class NotFoundError extends InputError {
  constructor(field: string, message: string) {
    super('ALERTMANAGER.NOT_FOUND', field, message);
  }
}
