import { OperatingError } from '@pollux/base';

const CODE = 'STORAGE.UNAVAILABLE';
/** A chain of causes is no longer than this; a circle of them must not be followed for ever. */
const MAX_CAUSES = 16;

/** Not now: the storage is starting, and cannot say yet what it holds. Somebody else may know; trying again helps. */
export class UnavailableError extends OperatingError {
  constructor(message: string) {
    super(CODE, message);
  }

  /** The error of this kind that `error` is or was caused by, or null. */
  static behind(error: unknown): OperatingError | null {
    let at: unknown = error;
    for (let i = 0; i < MAX_CAUSES && at instanceof Error; i++) {
      if (OperatingError.is(at) && at.code === CODE) return at;
      at = at.cause;
    }
    return null;
  }
}
