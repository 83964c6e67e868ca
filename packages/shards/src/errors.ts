import { InputError, LimitError, OperatingError } from '@pollux/base';

/** The disk refused a write; nothing of it is visible and later writes are tried anew. */
export class ShardWriteError extends OperatingError {
  constructor(message: string, cause: unknown) {
    super('SHARDS.WRITE_FAILED', message, { cause });
  }
}

/** A file of the store does not hold what its format says. */
export class ShardCorruptionError extends OperatingError {
  constructor(path: string, reason: string, options?: { cause?: unknown }) {
    super('SHARDS.CORRUPT', `${path}: ${reason}`, options);
  }
}

/** The store was closed or the database dropped while the call ran. */
export class ShardClosedError extends OperatingError {
  constructor(what: string) {
    super('SHARDS.CLOSED', `${what} is closed`);
  }
}

export class ShardLimitError extends LimitError {
  constructor(limit: string, message: string) {
    super('SHARDS.LIMIT', limit, message);
  }
}

/** A name that cannot be stored. */
export class ShardInputError extends InputError {
  constructor(place: string, message: string) {
    super('SHARDS.INPUT', place, message);
  }
}
