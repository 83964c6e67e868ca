import { setNormalNanAt, wordsOf } from '@pollux/model';

/** The samples of one scrape, in the order of the exposition. Arrays may be longer than `count`. */
export class SampleColumns {
  count = 0;
  /** Indices in the target's own series cache. */
  seriesIds = new Uint32Array(0);
  values = new Float64Array(0);
  /** The same memory as `values`, for NaN payloads. */
  valueWords: Uint32Array = new Uint32Array(0);
  /** Milliseconds; NaN where the exposition gave none. */
  timestamps = new Float64Array(0);
  /** When each counting began, in milliseconds, 0 where that is unknown; null while no sample told. */
  startTimestamps: Float64Array | null = null;

  /** Makes room for element `index`. */
  reserve(index: number): void {
    if (index < this.values.length) return;
    const capacity = Math.max(64, this.values.length * 2, index + 1);
    const seriesIds = new Uint32Array(capacity);
    const values = new Float64Array(capacity);
    const timestamps = new Float64Array(capacity);
    const words = wordsOf(values);
    seriesIds.set(this.seriesIds);
    // Copied as integers: a NaN must keep its payload.
    words.set(this.valueWords);
    timestamps.set(this.timestamps);
    if (this.startTimestamps !== null) {
      const starts = new Float64Array(capacity);
      starts.set(this.startTimestamps);
      this.startTimestamps = starts;
    }
    this.seriesIds = seriesIds;
    this.values = values;
    this.valueWords = words;
    this.timestamps = timestamps;
  }

  /** Copies an element, without its start, over another. */
  move(from: number, to: number): void {
    this.seriesIds[to] = this.seriesIds[from]!;
    this.valueWords[to * 2] = this.valueWords[from * 2]!;
    this.valueWords[to * 2 + 1] = this.valueWords[from * 2 + 1]!;
    this.timestamps[to] = this.timestamps[from]!;
  }

  /** Of an element that there is room for. */
  setStart(index: number, startMs: number): void {
    if (this.startTimestamps === null) {
      if (startMs === 0) return;
      this.startTimestamps = new Float64Array(this.values.length);
    }
    this.startTimestamps[index] = startMs;
  }

  clearStart(index: number): void {
    if (this.startTimestamps !== null) this.startTimestamps[index] = 0;
  }

  setNormalNan(index: number): void {
    setNormalNanAt(this.valueWords, index);
  }
}
