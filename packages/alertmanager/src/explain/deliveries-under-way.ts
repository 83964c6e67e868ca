import type { FailedAttemptEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { entryKey, type LogReceiver } from '../nflog/entry.ts';

export type UnderWay = Pick<FailedAttemptEvent, 'attempt' | 'error' | 'isRetried'> & {
  readonly timeMs: number;
};

/** Deliveries that have failed at least once and are tried again: what no history has yet, since they have not ended. */
export class DeliveriesUnderWay {
  readonly #byKey = new Map<string, UnderWay>();

  constructor(events: NotifyEvents, now: () => number) {
    events.subscribe((event) => {
      if (event.kind === 'failed attempt') {
        const { attempt, error, isRetried } = event;
        const key = entryKey(event.flush.groupKey, event.receiver);
        this.#byKey.set(key, { attempt, error, isRetried, timeMs: now() });
      } else if (event.kind === 'delivery') {
        this.#byKey.delete(entryKey(event.flush.groupKey, event.receiver));
      }
    });
  }

  find(groupKey: string, receiver: LogReceiver): UnderWay | null {
    return this.#byKey.get(entryKey(groupKey, receiver)) ?? null;
  }
}
