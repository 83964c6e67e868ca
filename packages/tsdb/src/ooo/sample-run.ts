/** Samples gathered from overlapping chunks, then put into order; the memory is used again. */
export class SampleRun {
  timestampsMs = new Float64Array(64);
  words = new Uint32Array(128);
  count = 0;
  #order = new Uint32Array(64);
  #times = new Float64Array(64);
  #sortedWords = new Uint32Array(128);

  clear(): void {
    this.count = 0;
  }

  add(timestampMs: number, low: number, high: number): void {
    const at = this.count++;
    if (at === this.timestampsMs.length) this.#grow();
    this.timestampsMs[at] = timestampMs;
    this.words[at * 2] = low;
    this.words[at * 2 + 1] = high;
  }

  /** Sorts by time; of samples at the same time the one that was added first stays. */
  sort(): void {
    if (this.#isAscending()) return;
    const { count } = this;
    const order = this.#order.subarray(0, count);
    for (let i = 0; i < count; i++) order[i] = i;
    const times = this.timestampsMs;
    order.sort((a, b) => times[a]! - times[b]! || a - b);
    let kept = 0;
    for (const from of order) {
      const at = times[from]!;
      if (kept > 0 && this.#times[kept - 1] === at) continue;
      this.#times[kept] = at;
      this.#sortedWords[kept * 2] = this.words[from * 2]!;
      this.#sortedWords[kept * 2 + 1] = this.words[from * 2 + 1]!;
      kept++;
    }
    [this.timestampsMs, this.#times] = [this.#times, this.timestampsMs];
    [this.words, this.#sortedWords] = [this.#sortedWords, this.words];
    this.count = kept;
  }

  #isAscending(): boolean {
    for (let i = 1; i < this.count; i++) {
      if (!(this.timestampsMs[i]! > this.timestampsMs[i - 1]!)) return false;
    }
    return true;
  }

  #grow(): void {
    const size = this.timestampsMs.length * 2;
    const times = new Float64Array(size);
    const words = new Uint32Array(size * 2);
    times.set(this.timestampsMs);
    words.set(this.words);
    this.timestampsMs = times;
    this.words = words;
    this.#times = new Float64Array(size);
    this.#sortedWords = new Uint32Array(size * 2);
    this.#order = new Uint32Array(size);
  }
}
