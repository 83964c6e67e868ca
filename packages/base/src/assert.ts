/**
 * A broken promise of the program itself, never of its input. It is kept on in production: a monitoring system that goes
 * on with a broken invariant gives wrong answers, which is worse than none.
 */
export class ProgrammerError extends Error {
  override readonly name = 'ProgrammerError';
}

/** Throws {@link ProgrammerError} unless `condition` holds. Must not be reachable by any input. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ProgrammerError(`BUG: ${what}`);
}

/** The value, or a {@link ProgrammerError} when it is null or undefined. */
export function defined<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new ProgrammerError(`BUG: ${what} is missing`);
  return value;
}

/** Marks a branch the type checker has proven empty. */
export function unreachable(value: never, what = 'unreachable case'): never {
  throw new ProgrammerError(`BUG: ${what}: ${String(value)}`);
}
