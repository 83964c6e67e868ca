import type { Labels } from '@pollux/model';

/** Word 0 of a value is its low half. */
export type ImportedSample = {
  readonly timestampMs: number;
  readonly valueLow: number;
  readonly valueHigh: number;
};

/** Where a source puts its samples. */
export interface SampleTarget {
  /** `key` names the series; `labels` is asked only when the key is new. */
  add(key: string, labels: () => Labels, sample: ImportedSample): void;
  /** To be awaited after each piece of input; rejects with CanceledError when the work is given up. */
  pause(doneBytes: number, totalBytes: number): Promise<void>;
  /** Something of the input that was left out, and is worth a line at the end. */
  leftOut(what: string, count: number): void;
}

/** Reads all of an input. Throws InputError naming the place of a fault. */
export type SampleSource = (target: SampleTarget) => Promise<void>;
