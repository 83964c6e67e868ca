import { formatDateTime } from '../api/time.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { PastAttempt } from '../explain/explain-sources.ts';
import type { LogReceiver } from '../nflog/entry.ts';
import type { NotificationAttempt } from './attempt.ts';

/** The last notifications, oldest first. */
export class AttemptRing {
  readonly #capacity: number;
  #items: NotificationAttempt[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** From now on every notification that ends is kept. */
  listen(events: NotifyEvents): void {
    events.subscribe((event) => {
      if (event.kind === 'delivery') this.add(event.outcome);
    });
  }

  add(attempt: NotificationAttempt): void {
    this.#items.push(attempt);
    // Cut in batches, so that an addition costs constant time on average.
    if (this.#items.length >= this.#capacity * 2) this.#items = this.items();
  }

  items(): NotificationAttempt[] {
    return this.#items.slice(-this.#capacity);
  }

  /** The last ones to one integration of one group, newest first. */
  of(groupKey: string, { groupName, integration, index }: LogReceiver): PastAttempt[] {
    const name = `${integration}[${index}]`;
    return this.items()
      .filter(
        (item) =>
          item.groupKey === groupKey && item.receiver === groupName && item.integration === name,
      )
      .map(({ timeMs, reason, result, attempts, durationMs, error }) => ({
        time: formatDateTime(timeMs),
        reason,
        result,
        attempts,
        durationMs,
        error,
      }))
      .reverse();
  }
}
