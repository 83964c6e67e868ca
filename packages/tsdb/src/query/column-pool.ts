/** Times in ms and values of samples; the words are the values' own bits. */
export type SampleColumns = {
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
  readonly values: Float64Array;
};

const FIRST_SAMPLES = 1_024;
/** Larger ones are not kept: 512 KiB. */
const MAX_SAMPLES = 32_768;
/** For queries that are read by turns. */
const MAX_SPARE = 2;

/**
 * Columns of builders that are done, for the next: grown anew for each query, by and by, they would be garbage of several times the
 * size of what it reads.
 */
export class ColumnPool {
  readonly #spare: SampleColumns[] = [];

  /** What they hold is undefined. */
  take(): SampleColumns {
    return this.#spare.pop() ?? newColumns(FIRST_SAMPLES);
  }

  /** Nobody looks at them any more. */
  give(columns: SampleColumns): void {
    if (columns.timestampsMs.length <= MAX_SAMPLES && this.#spare.length < MAX_SPARE)
      this.#spare.push(columns);
  }
}

/** Columns of `size` samples that begin with the first `count` of `old`. */
export function grownColumns(old: SampleColumns, count: number, size: number): SampleColumns {
  const grown = newColumns(size);
  grown.timestampsMs.set(old.timestampsMs.subarray(0, count));
  grown.words.set(old.words.subarray(0, count * 2));
  return grown;
}

function newColumns(size: number): SampleColumns {
  const words = new Uint32Array(size * 2);
  return { timestampsMs: new Float64Array(size), words, values: new Float64Array(words.buffer) };
}
