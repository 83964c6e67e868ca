import { InputError } from '@pollux/base';

/** A configuration refused; the place is `file:line:column`, the message names the field and what is allowed. */
export class ConfigError extends InputError {
  constructor(place: string, message: string, options?: { cause?: unknown }) {
    super('CONFIG.INVALID', place, message, options);
  }
}
