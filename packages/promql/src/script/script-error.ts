import { InputError } from '@pollux/base';

/** A text is no script of the test language; names the line. */
export class ScriptError extends InputError {
  constructor(place: string, message: string) {
    super('PROMQL.BAD_SCRIPT', place, message);
  }
}
