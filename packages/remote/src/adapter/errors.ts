import { InputError } from '@pollux/base';

/** A store has answered that it does not take these samples, whenever they come; others of the same request may be stored. */
export class TargetRefusedError extends InputError {
  constructor(target: string, reason: string) {
    super('REMOTE.TARGET_REFUSED', target, reason);
  }
}
