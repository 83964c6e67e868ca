/** What a body of unknown length is taken for until it is there. */
const UNKNOWN_BYTES = 1024 * 1024;

/** What the bodies of all requests that are passed on may take together: each is held whole, to be sent again if need be. */
export class BodyBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Reserves room for a body and reads it; null when there is none. The returned function gives the room back, once the body is no
   * longer needed.
   */
  async read(
    declaredBytes: number | null,
    read: () => Promise<Uint8Array>,
  ): Promise<{ readonly body: Uint8Array; readonly release: () => void } | null> {
    let heldBytes = declaredBytes ?? UNKNOWN_BYTES;
    if (this.#usedBytes > 0 && this.#usedBytes + heldBytes > this.limitBytes) return null;
    this.#usedBytes += heldBytes;
    const release = (): void => {
      this.#usedBytes -= heldBytes;
      heldBytes = 0;
    };
    try {
      const body = await read();
      this.#usedBytes += body.length - heldBytes;
      heldBytes = body.length;
      return { body, release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
