import { assert } from '@pollux/base';
import type { Exemplar, FloatHistogram } from '@pollux/model';

/** What a ring element holds besides a float sample. */
export type RingExtra =
  | { readonly kind: 'histogram'; readonly histogram: FloatHistogram }
  | { readonly kind: 'exemplar'; readonly exemplar: Exemplar };

/**
 * A bounded first-in-first-out of samples on their way out, as columns. Each element knows its series, that series' label
 * fields, and the sequence number of the log record it came from, by which the cursor moves.
 */
export class SampleRing {
  readonly capacity: number;
  readonly refs: Float64Array;
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
  readonly sequences: Float64Array;
  readonly labelFields: (Uint8Array | null)[];
  readonly extras: (RingExtra | null)[];
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.refs = new Float64Array(capacity);
    this.timestampsMs = new Float64Array(capacity);
    this.words = new Uint32Array(capacity * 2);
    this.sequences = new Float64Array(capacity);
    this.labelFields = new Array<Uint8Array | null>(capacity).fill(null);
    this.extras = new Array<RingExtra | null>(capacity).fill(null);
  }

  get size(): number {
    return this.#size;
  }

  /** Sequence of the oldest element, or infinity when empty. */
  get oldestSequence(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.sequences[this.#head]!;
  }

  /** The array index of the element that is `position` places behind the oldest. */
  indexOf(position: number): number {
    const index = this.#head + position;
    return index < this.capacity ? index : index - this.capacity;
  }

  /**
   * Makes room for one element and gives its array index, or −1 when full. The caller fills timestamp and words; the rest
   * is set here.
   */
  push(ref: number, labelFields: Uint8Array, sequence: number, extra: RingExtra | null): number {
    if (this.#size === this.capacity) return -1;
    const index = this.indexOf(this.#size);
    this.#size++;
    this.refs[index] = ref;
    this.labelFields[index] = labelFields;
    this.sequences[index] = sequence;
    this.extras[index] = extra;
    return index;
  }

  /** Drops the `count` oldest elements. */
  drop(count: number): void {
    assert(count <= this.#size, 'ring: more dropped than held');
    for (let i = 0; i < count; i++) {
      const index = this.indexOf(i);
      this.labelFields[index] = null;
      this.extras[index] = null;
    }
    this.#head = this.indexOf(count);
    this.#size -= count;
  }
}
