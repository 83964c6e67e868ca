import type { TimedHistogram } from '../query/histogram-run.ts';

/** Samples gathered from overlapping chunks, then put into order; the memory is used again. */
export class SampleRun {
  timestampsMs = new Float64Array(64);
  /** The bits of floats; of a histogram its place among those that were added. */
  words = new Uint32Array(128);
  /** Of floats, 0 = unknown; null while none has been added that has one. */
  startTimestampsMs: Float64Array | null = null;
  /** 1 for a histogram. */
  kinds = new Uint8Array(64);
  count = 0;
  #histograms: TimedHistogram[] = [];
  #order = new Uint32Array(64);
  #times = new Float64Array(64);
  #sortedWords = new Uint32Array(128);
  #sortedKinds = new Uint8Array(64);

  clear(): void {
    this.count = 0;
    this.startTimestampsMs = null;
    if (this.#histograms.length > 0) this.#histograms = [];
  }

  add(timestampMs: number, low: number, high: number, startTimestampMs: number): void {
    this.#add(timestampMs, low, high, 0);
    if (startTimestampMs === 0 && this.startTimestampsMs === null) return;
    this.startTimestampsMs ??= new Float64Array(this.timestampsMs.length);
    this.startTimestampsMs[this.count - 1] = startTimestampMs;
  }

  addHistogram(sample: TimedHistogram): void {
    this.#add(sample.timestampMs, this.#histograms.push(sample) - 1, 0, 1);
    if (this.startTimestampsMs !== null) this.startTimestampsMs[this.count - 1] = 0;
  }

  /** The histogram at a place where `kinds` is 1. */
  histogramAt(index: number): TimedHistogram {
    return this.#histograms[this.words[index * 2]!]!;
  }

  #add(timestampMs: number, low: number, high: number, kind: number): void {
    const at = this.count++;
    if (at === this.timestampsMs.length) this.#grow();
    this.timestampsMs[at] = timestampMs;
    this.words[at * 2] = low;
    this.words[at * 2 + 1] = high;
    this.kinds[at] = kind;
  }

  /** Sorts by time; of samples at the same time the one that was added first stays. */
  sort(): void {
    if (this.#isAscending()) return;
    const { count } = this;
    const order = this.#order.subarray(0, count);
    for (let i = 0; i < count; i++) order[i] = i;
    const times = this.timestampsMs;
    const starts = this.startTimestampsMs;
    const sortedStarts = starts === null ? null : new Float64Array(times.length);
    order.sort((a, b) => times[a]! - times[b]! || a - b);
    let kept = 0;
    for (const from of order) {
      const at = times[from]!;
      if (kept > 0 && this.#times[kept - 1] === at) continue;
      this.#times[kept] = at;
      this.#sortedWords[kept * 2] = this.words[from * 2]!;
      this.#sortedWords[kept * 2 + 1] = this.words[from * 2 + 1]!;
      this.#sortedKinds[kept] = this.kinds[from]!;
      if (starts !== null && sortedStarts !== null) sortedStarts[kept] = starts[from]!;
      kept++;
    }
    [this.timestampsMs, this.#times] = [this.#times, this.timestampsMs];
    [this.words, this.#sortedWords] = [this.#sortedWords, this.words];
    [this.kinds, this.#sortedKinds] = [this.#sortedKinds, this.kinds];
    this.startTimestampsMs = sortedStarts;
    this.count = kept;
  }

  /** Takes the histograms out, in order; floats are left. */
  takeHistograms(): TimedHistogram[] {
    const taken: TimedHistogram[] = [];
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.kinds[i] === 1) {
        taken.push(this.histogramAt(i));
        continue;
      }
      this.timestampsMs[kept] = this.timestampsMs[i]!;
      this.words[kept * 2] = this.words[i * 2]!;
      this.words[kept * 2 + 1] = this.words[i * 2 + 1]!;
      this.kinds[kept] = 0;
      if (this.startTimestampsMs !== null) {
        this.startTimestampsMs[kept] = this.startTimestampsMs[i]!;
      }
      kept++;
    }
    this.count = kept;
    return taken;
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
    const kinds = new Uint8Array(size);
    times.set(this.timestampsMs);
    words.set(this.words);
    kinds.set(this.kinds);
    if (this.startTimestampsMs !== null) {
      const starts = new Float64Array(size);
      starts.set(this.startTimestampsMs);
      this.startTimestampsMs = starts;
    }
    this.timestampsMs = times;
    this.words = words;
    this.kinds = kinds;
    this.#times = new Float64Array(size);
    this.#sortedWords = new Uint32Array(size * 2);
    this.#sortedKinds = new Uint8Array(size);
    this.#order = new Uint32Array(size);
  }
}
