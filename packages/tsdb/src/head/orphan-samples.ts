import { createSampleColumns, growSampleColumns } from '../format/wal-record.ts';

/** 24 bytes each. */
const MAX_SAMPLES = 1_000_000;
const NONE = -1;

/**
 * Samples of the log whose series record has not been seen: it was lost, or stands behind them. They wait for it, a bounded
 * number of them; what is over is only counted.
 */
export class OrphanSamples {
  readonly #maxSamples: number;
  readonly #columns = createSampleColumns(256);
  /** The sample of the same reference before this one. */
  #previous = new Int32Array(256);
  readonly #newest = new Map<number, number>();
  #dropped = 0;

  constructor(maxSamples = MAX_SAMPLES) {
    this.#maxSamples = maxSamples;
  }

  /** References without a series so far. */
  get refCount(): number {
    return this.#newest.size;
  }

  /** Samples that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  add(
    ref: number,
    timestampMs: number,
    valueLow: number,
    valueHigh: number,
    startTimestampMs: number,
  ): void {
    const columns = this.#columns;
    const at = columns.count;
    const before = this.#newest.get(ref) ?? NONE;
    if (at === this.#maxSamples) {
      this.#dropped++;
      this.#newest.set(ref, before);
      return;
    }
    growSampleColumns(columns, at + 1);
    if (columns.refs.length > this.#previous.length) {
      const grown = new Int32Array(columns.refs.length);
      grown.set(this.#previous);
      this.#previous = grown;
    }
    columns.refs[at] = ref;
    columns.timestampsMs[at] = timestampMs;
    columns.valueWords[at * 2] = valueLow;
    columns.valueWords[at * 2 + 1] = valueHigh;
    if (startTimestampMs !== 0) {
      columns.startTimestampsMs ??= new Float64Array(columns.refs.length);
      columns.startTimestampsMs[at] = startTimestampMs;
    }
    columns.count++;
    this.#previous[at] = before;
    this.#newest.set(ref, at);
  }

  /** Gives the samples of the reference in the order of the log, and forgets them. */
  take(
    ref: number,
    visit: (timestampMs: number, low: number, high: number, startTimestampMs: number) => void,
  ): void {
    const newest = this.#newest.get(ref);
    if (newest === undefined) return;
    this.#newest.delete(ref);
    const order: number[] = [];
    for (let at = newest; at !== NONE; at = this.#previous[at]!) order.push(at);
    const { timestampsMs, valueWords, startTimestampsMs } = this.#columns;
    for (const at of order.reverse()) {
      const startMs = startTimestampsMs?.[at] ?? 0;
      visit(timestampsMs[at]!, valueWords[at * 2]!, valueWords[at * 2 + 1]!, startMs);
    }
  }
}
