import { assert } from './assert.ts';

/** A first-in-first-out queue with a limit. What does not fit is refused, and the caller decides and counts. */
export class BoundedQueue<T> {
  readonly capacity: number;
  #items: (T | undefined)[];
  #head = 0;
  #size = 0;
  #waiting: { readonly promise: Promise<void>; readonly wake: () => void } | null = null;

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity >= 0, `no queue of ${capacity} items`);
    this.capacity = capacity;
    this.#items = new Array<T | undefined>(Math.min(capacity, 16));
  }

  get size(): number {
    return this.#size;
  }

  /** False when full. */
  push(item: T): boolean {
    if (this.#size === this.capacity) return false;
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) % this.#items.length] = item;
    this.#size++;
    this.#waiting?.wake();
    this.#waiting = null;
    return true;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#items.length;
    this.#size--;
    return item;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#head = 0;
    this.#size = 0;
  }

  /** Resolves at once when something is there, else at the next push; that push wakes all who wait. */
  ready(): Promise<void> {
    if (this.#size > 0) return Promise.resolve();
    if (this.#waiting === null) {
      let wake = (): void => {};
      const promise = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#waiting = { promise, wake };
    }
    return this.#waiting.promise;
  }

  #grow(): void {
    const grown = new Array<T | undefined>(Math.min(this.capacity, this.#items.length * 2));
    for (let i = 0; i < this.#size; i++) {
      grown[i] = this.#items[(this.#head + i) % this.#items.length];
    }
    this.#items = grown;
    this.#head = 0;
  }
}
