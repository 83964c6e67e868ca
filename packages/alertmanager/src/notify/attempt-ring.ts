import type { NotificationReason } from './notification.ts';

/** One notification as it ended, for the console. */
export type NotificationAttempt = {
  /** When it ended, ms. */
  readonly timeMs: number;
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly reason: NotificationReason;
  readonly firing: number;
  readonly resolved: number;
  readonly result: 'sent' | 'failed' | 'sent by another member';
  /** Requests made. */
  readonly attempts: number;
  readonly durationMs: number;
  /** Empty when sent. Holds no secrets: errors of receivers name origins only. */
  readonly error: string;
};

/** The last notifications, oldest first. */
export class AttemptRing {
  readonly #capacity: number;
  #items: NotificationAttempt[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(attempt: NotificationAttempt): void {
    this.#items.push(attempt);
    // Cut in batches, so that an addition costs constant time on average.
    if (this.#items.length >= this.#capacity * 2) this.#items = this.items();
  }

  items(): NotificationAttempt[] {
    return this.#items.slice(-this.#capacity);
  }
}
