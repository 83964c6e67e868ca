/** References of series, a bit each; a reference is the place of an entry in the index in units of 16 bytes. */
export class SeriesSet {
  readonly #first: number;
  readonly #bits: Uint8Array;
  count = 0;

  constructor(firstRef: number, endRef: number) {
    this.#first = firstRef;
    this.#bits = new Uint8Array(Math.ceil(Math.max(0, endRef - firstRef) / 8) + 1);
  }

  add(ref: number): void {
    const at = ref - this.#first;
    this.#bits[at >>> 3] = this.#bits[at >>> 3]! | (1 << (at & 7));
    this.count++;
  }

  has(ref: number): boolean {
    const at = ref - this.#first;
    return at >= 0 && at < this.#bits.length * 8 && (this.#bits[at >>> 3]! & (1 << (at & 7))) !== 0;
  }
}
