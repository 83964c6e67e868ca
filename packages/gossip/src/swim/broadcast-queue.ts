type Item = {
  readonly message: Uint8Array;
  /** The member a message is about; a newer one replaces it. */
  readonly subject: string;
  readonly sequence: number;
  readonly onSpent: (() => void) | undefined;
  transmits: number;
};

/**
 * Messages about members waiting to be gossiped, each as often as the cluster's size asks. Least-sent first, among these the longest,
 * then the newest, as memberlist's queue picks them.
 */
export class BroadcastQueue {
  readonly #mult: number;
  #items: Item[] = [];
  #sequence = 0;

  /** Each message is sent `mult` × ceil(log10(n + 1)) times. */
  constructor(mult: number) {
    this.#mult = mult;
  }

  get size(): number {
    return this.#items.length;
  }

  /** `onSpent` runs when the message has been sent often enough or was replaced. */
  push(message: Uint8Array, subject: string, onSpent?: () => void): void {
    const replaced = this.#items.filter((item) => item.subject === subject);
    this.#items = this.#items.filter((item) => item.subject !== subject);
    for (const item of replaced) item.onSpent?.();
    this.#items.push({ message, subject, sequence: this.#sequence++, onSpent, transmits: 0 });
  }

  /** Messages for one packet: each costs its length and `overheadBytes` of `budgetBytes`. Counts them as sent. */
  take(memberCount: number, overheadBytes: number, budgetBytes: number): Uint8Array[] {
    if (this.#items.length === 0) return [];
    const limit = transmitLimit(this.#mult, memberCount);
    this.#items.sort(compareItems);
    const taken: Uint8Array[] = [];
    const kept: Item[] = [];
    let free = budgetBytes;
    for (const item of this.#items) {
      if (item.message.length + overheadBytes > free) {
        kept.push(item);
        continue;
      }
      free -= item.message.length + overheadBytes;
      taken.push(item.message);
      item.transmits++;
      if (item.transmits >= limit) item.onSpent?.();
      else kept.push(item);
    }
    this.#items = kept;
    return taken;
  }
}

export function transmitLimit(mult: number, memberCount: number): number {
  return mult * Math.ceil(Math.log10(memberCount + 1));
}

function compareItems(a: Item, b: Item): number {
  return (
    a.transmits - b.transmits || b.message.length - a.message.length || b.sequence - a.sequence
  );
}
