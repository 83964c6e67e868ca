/** Lets one piece of work at a time run under each key. */
export class KeyLocks {
  readonly #held = new Map<string, Promise<void>>();

  isHeld(key: string): boolean {
    return this.#held.has(key);
  }

  /** Waits for whoever holds the key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const held = this.#held.get(key);
      if (held === undefined) break;
      await held;
    }
    let release = (): void => {};
    this.#held.set(
      key,
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    try {
      return await work();
    } finally {
      this.#held.delete(key);
      release();
    }
  }
}
