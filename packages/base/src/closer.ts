import type { Clock } from './clock.ts';
import { deadline } from './clock.ts';
import { errorText, TimeoutError } from './errors.ts';
import type { StopSignal } from './stop-signal.ts';

type Step = { readonly name: string; readonly close: () => Promise<void> | void };

/**
 * A named last-in-first-out stack of clean-ups. Close is idempotent and bounded: a step that does not finish in time is
 * left behind and reported, so that one stuck part never holds the rest.
 */
export class Closer {
  readonly #clock: Clock;
  readonly #steps: Step[] = [];
  #closing: Promise<string[]> | null = null;
  #stepTimeoutMs = 5_000;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `close` when the stack unwinds; later additions run first. After the unwinding it runs at once. */
  defer(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close });
    if (this.#closing === null) return;
    // A start that lost the race against the close: what it made must not stay open.
    this.#closing = this.#closing.then(async (failures) => [
      ...failures,
      ...(await this.#unwind(this.#stepTimeoutMs)),
    ]);
  }

  /** Unwinds; each step gets at most `stepTimeoutMs`. Returns what failed as `name: reason`. */
  close(stepTimeoutMs = 5_000): Promise<string[]> {
    if (this.#closing === null) {
      this.#stepTimeoutMs = stepTimeoutMs;
      this.#closing = this.#unwind(stepTimeoutMs);
    }
    return this.#closing;
  }

  async #unwind(stepTimeoutMs: number): Promise<string[]> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await withTimeout(this.#clock, stepTimeoutMs, `closing ${step.name}`, async () =>
          step.close(),
        );
      } catch (error) {
        failures.push(`${step.name}: ${errorText(error)}`);
      }
    }
    return failures;
  }
}

/** The result of `work`, or a {@link TimeoutError} after `timeoutMs`; `work` gets a signal that aborts then. */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  parent?: StopSignal,
): Promise<T> {
  const limit = deadline(
    clock,
    timeoutMs,
    () => new TimeoutError(`${what}: no end after ${timeoutMs} ms`),
    parent,
  );
  try {
    return await Promise.race([
      work(limit.signal),
      new Promise<never>((_, reject) => {
        limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true });
        if (limit.signal.aborted) reject(limit.signal.reason);
      }),
    ]);
  } finally {
    limit.release();
  }
}
