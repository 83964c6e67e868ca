import { errorText } from '@pollux/base';
import type { HostName } from '@pollux/roles/up';
import type { Entry } from './set-up.ts';
import { ADDRESS_TIMEOUT_MS, QUESTION_TIMEOUT_MS } from './times.ts';

/** What came back, or why nothing did. */
export type Reply = {
  readonly status: number;
  readonly text: string;
  readonly error: string | null;
  /** Whose entry it came from. */
  readonly by: HostName | null;
  readonly tookMs: number;
};

/**
 * The one address as a user has it. Where it can lead to two machines, it is as keepalived's: when the one that has it refuses or
 * does not answer, the other takes it, and keeps it if it answers.
 */
export class OneAddress {
  readonly #entries: readonly Entry[];
  #current = 0;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  async ask(target: string, init: RequestInit = {}): Promise<Reply> {
    const startMs = performance.now();
    const faults: string[] = [];
    const first = this.#current;
    for (let attempt = 0; attempt < this.#entries.length; attempt++) {
      const leftMs = QUESTION_TIMEOUT_MS - (performance.now() - startMs);
      const isLast = attempt === this.#entries.length - 1;
      const timeoutMs = isLast ? leftMs : Math.min(ADDRESS_TIMEOUT_MS, leftMs);
      const at = (first + attempt) % this.#entries.length;
      const { url, host: by } = this.#entries[at]!;
      try {
        const signal = AbortSignal.timeout(Math.max(1, Math.round(timeoutMs)));
        const response = await fetch(`${url}${target}`, { ...init, signal });
        const text = await response.text();
        // Another question may have moved the address meanwhile.
        if (attempt > 0 && this.#current === first) this.#current = at;
        const error = response.ok ? null : `status ${response.status}: ${text.slice(0, 200)}`;
        return { status: response.status, text, error, by, tookMs: performance.now() - startMs };
      } catch (error) {
        faults.push(causeText(error));
      }
    }
    return {
      status: 0,
      text: '',
      error: faults.join('; then '),
      by: null,
      tookMs: performance.now() - startMs,
    };
  }
}

/** `fetch failed` alone tells nothing; its cause does. */
function causeText(error: unknown): string {
  const isWrapped = error instanceof Error && error.cause instanceof Error;
  return errorText(isWrapped ? error.cause : error);
}
