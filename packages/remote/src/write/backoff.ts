/** Longest time a destination may ask to be left alone; a wrong Retry-After must not stop a queue for days. */
const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** Waits between attempts: doubling from `minMs` to `maxMs`; what the destination asks for goes before. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#nextMs = minMs;
  }

  reset(): void {
    this.#nextMs = this.#minMs;
  }

  /** The wait before the next attempt; `retryAfterMs` 0 when the destination said nothing. */
  next(retryAfterMs: number): number {
    const own = this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    return retryAfterMs > 0 ? Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) : own;
  }
}

/** Retry-After as seconds or an HTTP date; 0 when absent, past or unreadable. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}
