import { snappyEncode } from '../codec/snappy.ts';
import { TimeSeriesEncoder } from '../codec/v1/encode-write.ts';
import type { SampleRing } from './sample-ring.ts';

/** How many of each kind a batch or an answer speaks of. */
export type Counts = {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
};

export type Batch = {
  /** Elements of the ring it covers, oldest first. */
  readonly taken: number;
  readonly counts: Counts;
  /** Left out for their age. */
  readonly tooOld: Counts;
  readonly highestTimestampMs: number;
  /** Snappy block, ready to send; empty when nothing is left to send. */
  readonly body: Uint8Array;
  readonly decodedBytes: number;
};

/** Turns the oldest elements of a ring into one request body. Samples of one series become one TimeSeries, in order. */
export class BatchBuilder {
  readonly #encoder = new TimeSeriesEncoder();
  readonly #next: Int32Array;
  readonly #lastOf = new Map<number, number>();
  readonly #firsts: number[] = [];

  constructor(ringCapacity: number) {
    this.#next = new Int32Array(ringCapacity);
  }

  /** At most `maxSamples` elements; those older than `oldestMs` are counted and left out. */
  build(ring: SampleRing, maxSamples: number, oldestMs: number): Batch {
    const taken = Math.min(ring.size, maxSamples);
    const counts = { samples: 0, histograms: 0, exemplars: 0 };
    const tooOld = { samples: 0, histograms: 0, exemplars: 0 };
    let highestTimestampMs = Number.NEGATIVE_INFINITY;
    this.#lastOf.clear();
    this.#firsts.length = 0;
    this.#encoder.reset();
    for (let position = 0; position < taken; position++) {
      const index = ring.indexOf(position);
      const extra = ring.extras[index] ?? null;
      const kind = extra === null ? 'samples' : KIND_OF[extra.kind];
      const timestampMs = ring.timestampsMs[index]!;
      if (timestampMs < oldestMs) {
        tooOld[kind]++;
        continue;
      }
      counts[kind]++;
      if (timestampMs > highestTimestampMs) highestTimestampMs = timestampMs;
      if (extra === null) this.#chain(ring.refs[index]!, index);
      else if (extra.kind === 'histogram') {
        this.#encoder.histogram(ring.labelFields[index]!, timestampMs, extra.histogram);
      } else this.#encoder.exemplar(ring.labelFields[index]!, extra.exemplar);
    }
    for (const first of this.#firsts) {
      this.#encoder.chain(ring.labelFields[first]!, ring, first, this.#next);
    }
    const decodedBytes = this.#encoder.size;
    const body = decodedBytes === 0 ? new Uint8Array(0) : snappyEncode(this.#encoder.bytes());
    return { taken, counts, tooOld, highestTimestampMs, body, decodedBytes };
  }

  #chain(ref: number, index: number): void {
    const last = this.#lastOf.get(ref);
    if (last === undefined) this.#firsts.push(index);
    else this.#next[last] = index;
    this.#lastOf.set(ref, index);
    this.#next[index] = -1;
  }
}

const KIND_OF = { histogram: 'histograms', exemplar: 'exemplars' } as const;
