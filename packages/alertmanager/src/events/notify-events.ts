import type { NotifyEvent } from './notify-event.ts';

/** Must not throw, and must not hold the thread: it is called in the midst of notifying. What it is given is immutable. */
export type NotifyObserver = (event: NotifyEvent) => void;

/**
 * Where the parts of the room tell what they do, for history and the like. Callers ask {@link isHeard} before they make
 * an event, so that nothing is paid for when nobody listens.
 */
export class NotifyEvents {
  #observers: readonly NotifyObserver[] = [];

  get isHeard(): boolean {
    return this.#observers.length > 0;
  }

  tell(event: NotifyEvent): void {
    for (const observer of this.#observers) observer(event);
  }

  /** The returned function ends it. */
  subscribe(observer: NotifyObserver): () => void {
    this.#observers = [...this.#observers, observer];
    return () => {
      this.#observers = this.#observers.filter((other) => other !== observer);
    };
  }
}
