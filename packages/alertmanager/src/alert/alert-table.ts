import type { Alert, AlertIdentity } from './alert.ts';

/**
 * Alerts by their label sets. The key is a hash that a reader of requests can take without making the labels; alerts whose
 * hashes are equal stand in one list. A Map of joined labels would hold a text of 150 bytes more for each alert.
 */
export class AlertTable {
  readonly #slots = new Map<number, Alert | readonly Alert[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one of these labels, `hash` being theirs. */
  get(hash: number, identity: AlertIdentity): Alert | undefined {
    const slot = this.#slots.get(hash);
    if (slot === undefined) return undefined;
    if (isList(slot)) return slot.find((alert) => alert.identity.equals(identity));
    return slot.identity.equals(identity) ? slot : undefined;
  }

  /** The first that passes, among those of this hash. */
  find(hash: number, test: (alert: Alert) => boolean): Alert | undefined {
    const slot = this.#slots.get(hash);
    if (slot === undefined) return undefined;
    if (isList(slot)) return slot.find(test);
    return test(slot) ? slot : undefined;
  }

  /** Takes the place of `previous`, which must be what {@link get} gave for these labels. */
  set(hash: number, alert: Alert, previous: Alert | undefined): void {
    const slot = this.#slots.get(hash);
    if (previous === undefined) this.#size++;
    if (slot === undefined || slot === previous) this.#slots.set(hash, alert);
    else {
      const others = isList(slot) ? slot.filter((other) => other !== previous) : [slot];
      this.#slots.set(hash, [...others, alert]);
    }
  }

  /** Takes the place of the version with the same labels, if there is one. */
  put(hash: number, alert: Alert): void {
    const slot = this.#slots.get(hash);
    if (slot === undefined) {
      this.#size++;
      this.#slots.set(hash, alert);
    } else this.set(hash, alert, this.get(hash, alert.identity));
  }

  delete(hash: number, alert: Alert): void {
    const slot = this.#slots.get(hash);
    if (slot === undefined) return;
    const left = isList(slot) ? slot.filter((other) => other !== alert) : [];
    if (left.length > 0) this.#slots.set(hash, left);
    else this.#slots.delete(hash);
    this.#size--;
  }

  /** As {@link values}, at once and for less. */
  list(): Alert[] {
    const all: Alert[] = [];
    this.#slots.forEach((slot) => {
      if (isList(slot)) all.push(...slot);
      else all.push(slot);
    });
    return all;
  }

  /** In no particular order; deleting what was just given is allowed. */
  *values(): IterableIterator<Alert> {
    for (const slot of this.#slots.values()) {
      if (isList(slot)) yield* slot;
      else yield slot;
    }
  }
}

function isList(slot: Alert | readonly Alert[]): slot is readonly Alert[] {
  return Array.isArray(slot);
}
