import type { FloatHistogram } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import type { Interval } from '../head/intervals.ts';
import type { TimedHistogram } from './histogram-run.ts';
import type { RawBuffers } from './raw-buffers.ts';
import {
  PADDING_BYTES,
  type RawSamples,
  STEP_CHUNK,
  STEP_HISTOGRAMS,
  STEP_SAMPLES,
  STEP_SAMPLES_WITH_START,
} from './raw-samples.ts';
import type { LentChunk, SampleTarget } from './sample-target.ts';

/** Numbers begin at a multiple of it. */
const NUMBER_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Writes down what a {@link SampleTarget} is told, for a batch of series. Decodes nothing. */
export class RawRecorder implements SampleTarget {
  readonly #range: TimeRange;
  #steps = new Uint32Array(1024);
  #numbers = new Float64Array(1024);
  /** In shared memory; null until the batch has some. */
  #bytes: Uint8Array<SharedArrayBuffer> | null = null;
  readonly #buffers: RawBuffers;
  #stepCount = 0;
  #numberCount = 0;
  #byteCount = 0;
  #histograms: TimedHistogram[] = [];
  #blocks: Block[] = [];
  #source = 0;
  /** Where the number of steps of the current series stands. */
  #seriesAt = 0;

  constructor(range: TimeRange, buffers: RawBuffers) {
    this.#range = range;
    this.#buffers = buffers;
  }

  /** Of what was recorded since {@link take}. */
  get sizeBytes(): number {
    return this.#byteCount + (this.#stepCount + this.#numberCount * 2) * 4;
  }

  /** What follows is of another series. */
  begin(): void {
    this.#reserveSteps(1);
    this.#seriesAt = this.#stepCount;
    this.#steps[this.#stepCount++] = 0;
  }

  /** True when the series has something to decode; else it is as if it had not begun. */
  end(): boolean {
    if (this.#steps[this.#seriesAt] !== 0) return true;
    this.#stepCount = this.#seriesAt;
    return false;
  }

  /** What follows is of this block; of the head when there is none. */
  from(block: Block | undefined): void {
    if (block === undefined) {
      this.#source = 0;
      return;
    }
    const known = this.#blocks.indexOf(block);
    this.#source = 1 + (known >= 0 ? known : this.#blocks.push(block) - 1);
  }

  overlaps(minMs: number, maxMs: number): boolean {
    return maxMs >= this.#range.minMs && minMs <= this.#range.maxMs;
  }

  addChunk(chunk: LentChunk, deleted: readonly Interval[]): void {
    const { encoding, bytes, offset, length, hidden } = chunk;
    this.#step();
    this.#reserveSteps(7);
    const steps = this.#steps;
    let at = this.#stepCount;
    steps[at++] = STEP_CHUNK;
    steps[at++] = encoding;
    steps[at++] = this.#byteCount;
    steps[at++] = length;
    steps[at++] = hidden;
    steps[at++] = this.#source;
    steps[at++] = deleted.length;
    this.#stepCount = at;
    this.#reserveNumbers(deleted.length * 2);
    for (const { minMs, maxMs } of deleted) {
      this.#numbers[this.#numberCount++] = minMs;
      this.#numbers[this.#numberCount++] = maxMs;
    }
    const target = this.#reserveBytes(length);
    target.set(bytes.subarray(offset, offset + length), this.#byteCount);
    this.#byteCount += length;
  }

  addSamples(
    timestampsMs: Float64Array,
    words: Uint32Array,
    count: number,
    startTimestampsMs: Float64Array | null = null,
  ): void {
    if (count === 0) return;
    this.#step();
    this.#reserveSteps(2);
    const kind = startTimestampsMs === null ? STEP_SAMPLES : STEP_SAMPLES_WITH_START;
    this.#steps[this.#stepCount++] = kind;
    this.#steps[this.#stepCount++] = count;
    this.#reserveNumbers(count * 3);
    this.#numbers.set(timestampsMs.subarray(0, count), this.#numberCount);
    const at = this.#numberCount + count;
    new Uint32Array(this.#numbers.buffer).set(words.subarray(0, count * 2), at * 2);
    this.#numberCount = at + count;
    if (startTimestampsMs === null) return;
    this.#numbers.set(startTimestampsMs.subarray(0, count), this.#numberCount);
    this.#numberCount += count;
  }

  addHistograms(samples: readonly TimedHistogram[]): void {
    if (samples.length === 0) return;
    this.#step();
    this.#reserveSteps(2);
    this.#steps[this.#stepCount++] = STEP_HISTOGRAMS;
    this.#steps[this.#stepCount++] = samples.length;
    for (const sample of samples) {
      this.#histograms.push({ ...sample, histogram: withOwnBuffers(sample.histogram) });
    }
  }

  /** What was recorded, in one buffer of the pool, and a fresh start. The receiver gives the buffer back. */
  take(): { readonly samples: RawSamples; readonly buffer: SharedArrayBuffer } {
    const numbersAt = Math.ceil((this.#byteCount + PADDING_BYTES) / NUMBER_BYTES) * NUMBER_BYTES;
    const stepsAt = numbersAt + this.#numberCount * NUMBER_BYTES;
    const { buffer } = this.#reserveBytes(stepsAt + this.#stepCount * 4 - this.#byteCount);
    const steps = new Uint32Array(buffer, stepsAt, this.#stepCount);
    const numbers = new Float64Array(buffer, numbersAt, this.#numberCount);
    steps.set(this.#steps.subarray(0, this.#stepCount));
    // Between arrays of one type `set` copies bytes, so NaN payloads stay.
    numbers.set(this.#numbers.subarray(0, this.#numberCount));
    const samples: RawSamples = {
      steps,
      numbers,
      bytes: new Uint8Array(buffer, 0, numbersAt),
      histograms: this.#histograms,
      blocks: this.#blocks.map(({ ulid, directory }) => ({ ulid, directory })),
    };
    this.#stepCount = 0;
    this.#numberCount = 0;
    this.#byteCount = 0;
    this.#bytes = null;
    this.#histograms = [];
    this.#blocks = [];
    return { samples, buffer };
  }

  #step(): void {
    this.#steps[this.#seriesAt] = this.#steps[this.#seriesAt]! + 1;
  }

  #reserveSteps(more: number): void {
    const needed = this.#stepCount + more;
    if (needed <= this.#steps.length) return;
    const larger = new Uint32Array(Math.max(needed, this.#steps.length * 2));
    larger.set(this.#steps);
    this.#steps = larger;
  }

  #reserveNumbers(more: number): void {
    const needed = this.#numberCount + more;
    if (needed <= this.#numbers.length) return;
    const larger = new Float64Array(Math.max(needed, this.#numbers.length * 2));
    larger.set(this.#numbers);
    this.#numbers = larger;
  }

  /** Where bytes go, with room for so many more. */
  #reserveBytes(more: number): Uint8Array<SharedArrayBuffer> {
    const needed = this.#byteCount + more;
    const current = this.#bytes;
    if (current !== null && needed <= current.length) return current;
    const larger = new Uint8Array(
      this.#buffers.take(current === null ? needed : Math.max(needed, current.length * 2)),
    );
    if (current !== null) {
      larger.set(current.subarray(0, this.#byteCount));
      this.#buffers.give(current.buffer);
    }
    this.#bytes = larger;
    return larger;
  }
}

/** A part of a buffer would cross to another thread with all of the buffer. */
function withOwnBuffers(histogram: FloatHistogram): FloatHistogram {
  const { positiveBuckets, negativeBuckets, customValues } = histogram;
  return {
    ...histogram,
    positiveBuckets: positiveBuckets.slice(),
    negativeBuckets: negativeBuckets.slice(),
    customValues: customValues?.slice() ?? null,
  };
}
