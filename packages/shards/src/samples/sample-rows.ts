const FIRST_ROWS = 64;
/** Buffers with room for more rows are not kept, nor more than so many. */
const MAX_KEPT_ROWS = 16_384;
const MAX_KEPT = 64;

/** Floats for columns of one shard group, 20 bytes a row. */
export class SampleRows {
  columns = new Uint32Array(FIRST_ROWS);
  timesMs = new Float64Array(FIRST_ROWS);
  /** Low and high word of each value. */
  words = new Uint32Array(FIRST_ROWS * 2);
  count = 0;

  get capacity(): number {
    return this.columns.length;
  }

  push(column: number, ms: number, low: number, high: number): void {
    const at = this.count;
    if (at === this.columns.length) this.#grow();
    this.columns[at] = column;
    this.timesMs[at] = ms;
    this.words[at * 2] = low;
    this.words[at * 2 + 1] = high;
    this.count = at + 1;
  }

  /** Copies a row over an earlier one. */
  move(from: number, to: number): void {
    this.columns[to] = this.columns[from]!;
    this.timesMs[to] = this.timesMs[from]!;
    this.words[to * 2] = this.words[from * 2]!;
    this.words[to * 2 + 1] = this.words[from * 2 + 1]!;
  }

  #grow(): void {
    const capacity = this.columns.length * 2;
    const [columns, timesMs, words] = [this.columns, this.timesMs, this.words];
    this.columns = new Uint32Array(capacity);
    this.columns.set(columns);
    this.timesMs = new Float64Array(capacity);
    this.timesMs.set(timesMs);
    this.words = new Uint32Array(capacity * 2);
    this.words.set(words);
  }
}

/** Rows that wait for their commit, whose memory is used again for later ones. */
export class SampleRowsPool {
  readonly #free: SampleRows[] = [];

  take(): SampleRows {
    return this.#free.pop() ?? new SampleRows();
  }

  give(rows: SampleRows): void {
    rows.count = 0;
    if (rows.capacity <= MAX_KEPT_ROWS && this.#free.length < MAX_KEPT) this.#free.push(rows);
  }
}
