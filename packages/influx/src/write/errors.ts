import { InputError } from '@pollux/base';

/** Some points of a request were refused; the others are stored. */
export class PartialWriteError extends InputError {
  constructor(reason: string, dropped: number) {
    super('INFLUX.PARTIAL_WRITE', '', `partial write: ${reason} dropped=${dropped}`);
  }
}
