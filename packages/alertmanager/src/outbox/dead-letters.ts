import { type DeadLetter, owedKey } from './owed.ts';

/** More than so many, or so many bytes, are not kept: the oldest go. */
const MAX_LETTERS = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;

type Replay = NonNullable<DeadLetter['replay']>;

export type DeadLettersOptions = {
  readonly onGone: (id: number) => void;
  readonly onReplay: (id: number, replay: Replay) => void;
};

/** Notifications that were given up, oldest first; one for each group and integration. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #kept = new Map<number, { letter: DeadLetter; readonly sizeBytes: number }>();
  readonly #idByKey = new Map<string, number>();
  #bytes = 0;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#kept.size;
  }

  *all(): IterableIterator<DeadLetter> {
    for (const { letter } of this.#kept.values()) yield letter;
  }

  get(id: number): DeadLetter | undefined {
    return this.#kept.get(id)?.letter;
  }

  of(key: string): DeadLetter | undefined {
    const id = this.#idByKey.get(key);
    return id === undefined ? undefined : this.get(id);
  }

  /** Returns those that had to make room. */
  add(letter: DeadLetter, sizeBytes: number): readonly DeadLetter[] {
    this.restore(letter, sizeBytes);
    const dropped: DeadLetter[] = [];
    for (const { letter: oldest } of this.#kept.values()) {
      if (this.#kept.size <= MAX_LETTERS && this.#bytes <= MAX_BYTES) break;
      dropped.push(oldest);
      this.remove(oldest.id);
    }
    return dropped;
  }

  noteReplay(id: number, replay: Replay): void {
    this.restoreReplay(id, replay);
    this.#options.onReplay(id, replay);
  }

  remove(id: number): boolean {
    if (!this.forget(id)) return false;
    this.#options.onGone(id);
    return true;
  }

  removeOf(key: string): void {
    const letter = this.of(key);
    if (letter !== undefined) this.remove(letter.id);
  }

  /** As the file tells it: nothing is noted. */
  restore(letter: DeadLetter, sizeBytes: number): void {
    this.forget(letter.id);
    this.#kept.set(letter.id, { letter, sizeBytes });
    this.#idByKey.set(owedKey(letter.owed), letter.id);
    this.#bytes += sizeBytes;
  }

  restoreReplay(id: number, replay: Replay): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined) kept.letter = { ...kept.letter, replay };
  }

  forget(id: number): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return false;
    this.#kept.delete(id);
    this.#bytes -= kept.sizeBytes;
    const key = owedKey(kept.letter.owed);
    if (this.#idByKey.get(key) === id) this.#idByKey.delete(key);
    return true;
  }
}
