import { DecodeError, type File, Heap } from '@pollux/base';
import { XOR_MALFORMED, xorCount, xorDecode } from '@pollux/kernels';
import type { Labels } from '@pollux/model';
import { SectionReader, type SpillSection } from './spill-file.ts';

/** Which of two samples of a series at one time is kept. */
export type Duplicates = 'first' | 'last';

/** Samples of one series, lent until the next call; word 2i of the values is the low half. */
export type SampleBatch = {
  readonly timestampsMs: Float64Array;
  readonly valueWords: Uint32Array;
  count: number;
};

/** Samples in a spilled chunk at most. */
export const SPILL_CHUNK_SAMPLES = 120;
const BATCH_SAMPLES = 1024;

/**
 * The series of one range of time, merged from the runs: sorted by labels, each once, its samples ascending strictly. Holds
 * a window a run and never a whole series.
 */
export class RangeMerge {
  readonly #duplicates: Duplicates;
  readonly #heap = new Heap<Lane>((a, b) => a.labels.compare(b.labels) || a.run - b.run);
  /** Those that hold the present series, earliest run first. */
  #current: Lane[] = [];
  #labels: Labels | null = null;
  readonly #batch: SampleBatch = {
    timestampsMs: new Float64Array(BATCH_SAMPLES),
    valueWords: new Uint32Array(BATCH_SAMPLES * 2),
    count: 0,
  };
  /** Samples left out because another of the same time, with another value, was kept. */
  conflicts = 0;

  constructor(
    file: File,
    sections: readonly SpillSection[],
    duplicates: Duplicates,
    bufferBytes: number,
  ) {
    this.#duplicates = duplicates;
    for (const [run, section] of sections.entries()) {
      const lane = new Lane(new SectionReader(file, section, bufferBytes), run);
      if (lane.nextSeries()) this.#heap.push(lane);
    }
  }

  /** The next series, or null behind the last. What was not read of the present one is left out. */
  next(): Labels | null {
    for (const lane of this.#current) if (lane.nextSeries()) this.#heap.push(lane);
    this.#current = [];
    const first = this.#heap.pop();
    if (first === undefined) {
      this.#labels = null;
      return null;
    }
    this.#labels = first.labels;
    this.#current.push(first);
    while (this.#heap.peek()?.labels.equals(this.#labels) === true) {
      const lane = this.#heap.pop();
      if (lane !== undefined) this.#current.push(lane);
    }
    return this.#labels;
  }

  /** The next samples of the present series; a count of 0 at its end. */
  read(): SampleBatch {
    const batch = this.#batch;
    batch.count = 0;
    while (batch.count < BATCH_SAMPLES && this.#appendNext(batch)) {
      // One sample a turn.
    }
    return batch;
  }

  #appendNext(batch: SampleBatch): boolean {
    let chosen: Lane | null = null;
    for (const lane of this.#current) {
      if (!lane.hasSample()) continue;
      if (chosen === null || lane.timestampMs < chosen.timestampMs) chosen = lane;
      else if (lane.timestampMs === chosen.timestampMs) {
        if (!lane.hasValueOf(chosen)) this.conflicts++;
        if (this.#duplicates === 'first') lane.drop();
        else {
          chosen.drop();
          chosen = lane;
        }
      }
    }
    if (chosen === null) return false;
    chosen.moveTo(batch);
    return true;
  }
}

/** A run's series one after another, with the samples of the present one. */
class Lane {
  readonly run: number;
  readonly #reader: SectionReader;
  readonly #times = new Float64Array(SPILL_CHUNK_SAMPLES);
  readonly #words = new Uint32Array(SPILL_CHUNK_SAMPLES * 2);
  #labels: Labels | null = null;
  #dataEnd = 0;
  #at = 0;
  #count = 0;

  constructor(reader: SectionReader, run: number) {
    this.#reader = reader;
    this.run = run;
  }

  get labels(): Labels {
    if (this.#labels === null) throw new DecodeError('no series', this.#reader.position);
    return this.#labels;
  }

  get timestampMs(): number {
    return this.#times[this.#at]!;
  }

  nextSeries(): boolean {
    const reader = this.#reader;
    if (this.#labels !== null) reader.skip(this.#dataEnd - reader.position);
    this.#at = 0;
    this.#count = 0;
    if (reader.isAtEnd) return false;
    this.#labels = reader.labels();
    this.#dataEnd = reader.uvarint() + reader.position;
    return true;
  }

  hasSample(): boolean {
    if (this.#at < this.#count) return true;
    const reader = this.#reader;
    if (reader.position >= this.#dataEnd) return false;
    const bytes = reader.bytes(reader.uvarint());
    this.#at = 0;
    this.#count =
      bytes.length < 2 || xorCount(bytes, 0) > SPILL_CHUNK_SAMPLES
        ? XOR_MALFORMED
        : xorDecode(bytes, 0, bytes.length, this.#times, this.#words, 0);
    if (this.#count < 1) throw new DecodeError('a spilled chunk does not decode', reader.position);
    return true;
  }

  hasValueOf(other: Lane): boolean {
    return (
      this.#words[this.#at * 2] === other.#words[other.#at * 2] &&
      this.#words[this.#at * 2 + 1] === other.#words[other.#at * 2 + 1]
    );
  }

  drop(): void {
    this.#at++;
  }

  moveTo(batch: SampleBatch): void {
    const from = this.#at++;
    const to = batch.count++;
    batch.timestampsMs[to] = this.#times[from]!;
    batch.valueWords[to * 2] = this.#words[from * 2]!;
    batch.valueWords[to * 2 + 1] = this.#words[from * 2 + 1]!;
  }
}
