import type { StopSignal } from '@pollux/base';
import { QueryError } from '../errors.ts';

type Part = { readonly bytes: Uint8Array; readonly isLast: boolean };

/** The parts of a large answer as they come; who iterates takes them once. */
export class PartStream implements AsyncIterable<Uint8Array> {
  readonly #parts: Part[] = [];
  readonly #onTaken: () => void;
  readonly #onDone: () => void;
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => {};
  #unfollow: () => void = () => {};
  #isDone = false;

  /** `onTaken` after each part but the last; `onDone` once, when the last was taken or none is wanted any more. */
  constructor(calls: { readonly onTaken: () => void; readonly onDone: () => void }) {
    this.#onTaken = calls.onTaken;
    this.#onDone = calls.onDone;
  }

  /** Drops what is left when the signal aborts. */
  dropWith(signal: StopSignal | undefined): void {
    if (signal === undefined) return;
    const drop = (): void => this.drop();
    this.#unfollow = () => signal.removeEventListener('abort', drop);
    if (signal.aborted) drop();
    else signal.addEventListener('abort', drop, { once: true });
  }

  deliver(part: Part): void {
    this.#parts.push(part);
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Nobody will take what is left. */
  drop(): void {
    this.fail(new QueryError('canceled', 'query was canceled while its answer was sent'));
    this.#done();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#failure.error;
        const part = this.#parts.shift();
        if (part === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          continue;
        }
        if (part.isLast) this.#finish();
        else this.#onTaken();
        yield part.bytes;
        if (part.isLast) return;
      }
    } finally {
      this.#done();
    }
  }

  #done(): void {
    if (this.#isDone) return;
    this.#finish();
    this.#onDone();
  }

  #finish(): void {
    this.#isDone = true;
    this.#unfollow();
  }
}
