/**
 * The texts of the labels of the series that was read last, by their places in its record: those of the next one are mostly
 * the same at the same position, which is told by comparing them, without a hash.
 */
export class LastTexts {
  /** Texts that are known. */
  size = 0;
  starts = new Uint32Array(64);
  /** What the other side knows the text by, and the token's version then. */
  tokens = new Uint32Array(64);
  versions = new Uint32Array(64);
  #lengths = new Uint32Array(64);

  /** Makes room for `size` texts; afterwards none is known when there was too little. */
  reserve(size: number): void {
    if (size <= this.starts.length) return;
    this.size = 0;
    this.starts = new Uint32Array(size * 2);
    this.tokens = new Uint32Array(size * 2);
    this.versions = new Uint32Array(size * 2);
    this.#lengths = new Uint32Array(size * 2);
  }

  /** Whether text `index` is `data[start, start + length)`, of the same record. */
  isText(index: number, data: Uint8Array, start: number, length: number): boolean {
    if (this.#lengths[index] !== length) return false;
    const from = this.starts[index]!;
    for (let i = 0; i < length; i++) if (data[from + i] !== data[start + i]) return false;
    return true;
  }

  put(index: number, start: number, length: number, token: number, version: number): void {
    this.starts[index] = start;
    this.#lengths[index] = length;
    this.tokens[index] = token;
    this.versions[index] = version;
  }
}
