/** The strings of the head's labels, each once, by number. Number 0 is the empty string. */
export class Symbols {
  readonly #ids = new Map<string, number>([['', 0]]);
  readonly #texts: string[] = [''];
  readonly #free: number[] = [];

  get count(): number {
    return this.#ids.size;
  }

  /** The number of `text`, given one when it has none. */
  intern(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.#texts.length;
    this.#texts[id] = text;
    this.#ids.set(text, id);
    return id;
  }

  /** The number of `text`, or −1. */
  find(text: string): number {
    return this.#ids.get(text) ?? -1;
  }

  text(id: number): string {
    return this.#texts[id]!;
  }

  /** Forgets all symbols that `isUsed` does not name; their numbers are given out again. */
  retain(isUsed: (id: number) => boolean): void {
    for (const [text, id] of this.#ids) {
      if (id === 0 || isUsed(id)) continue;
      this.#ids.delete(text);
      this.#texts[id] = '';
      this.#free.push(id);
    }
  }

  /** Numbers ever given out; ids are below it. */
  get limit(): number {
    return this.#texts.length;
  }
}
