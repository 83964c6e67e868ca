import { InputError } from '@pollux/base';

/** A request that the state of databases, policies or users does not allow; the message is influxd's. */
export class MetaError extends InputError {
  constructor(message: string) {
    super('INFLUX.META', '', message);
  }
}
