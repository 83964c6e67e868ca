/** The strings of the head's labels, each once, by number, with the number of places that use it. Number 0 is "". */
export class Symbols {
  readonly #ids = new Map<string, number>([['', 0]]);
  readonly #texts: string[] = [''];
  #uses = new Uint32Array(256);
  readonly #free: number[] = [];
  /** Symbols that nobody used at some time since the last {@link releaseUnused}. */
  #unused: number[] = [];

  get count(): number {
    return this.#ids.size;
  }

  /** Numbers are below it. */
  get limit(): number {
    return this.#texts.length;
  }

  /** The number of `text`, given one when it has none; counts a use. */
  use(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#texts.length;
      this.#texts[id] = text;
      this.#ids.set(text, id);
      if (id >= this.#uses.length) {
        const grown = new Uint32Array(this.#uses.length * 2);
        grown.set(this.#uses);
        this.#uses = grown;
      }
    }
    this.#uses[id] = this.#uses[id]! + 1;
    return id;
  }

  /** Takes a use back. The symbol keeps its number until {@link releaseUnused}. */
  drop(id: number): void {
    this.#uses[id] = this.#uses[id]! - 1;
    if (this.#uses[id] === 0) this.#unused.push(id);
  }

  /** The number of `text`, or −1. */
  find(text: string): number {
    return this.#ids.get(text) ?? -1;
  }

  text(id: number): string {
    return this.#texts[id]!;
  }

  /** Forgets symbols without uses; their numbers are given out again. */
  releaseUnused(): void {
    for (const id of this.#unused) {
      const text = this.#texts[id]!;
      // A symbol may be listed twice, or be in use again.
      if (this.#uses[id] !== 0 || id === 0 || this.#ids.get(text) !== id) continue;
      this.#ids.delete(text);
      this.#texts[id] = '';
      this.#free.push(id);
    }
    this.#unused = [];
  }
}
