import type { TimeRange } from '@pollux/storage';
import type { Interval } from '../head/intervals.ts';
import type { TimedHistogram } from './histogram-run.ts';

/** A chunk of any encoding at `bytes[offset]`, lent for the call, of which the newest `hidden` samples are left out. */
export type LentChunk = {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly hidden: number;
};

/** Takes the samples of one series from its sources, oldest first. */
export interface SampleTarget {
  /** True when a chunk of these bounds may hold samples of the range. */
  overlaps(minMs: number, maxMs: number): boolean;
  /** Without the samples in `deleted`. `place` names the chunk in errors; `times` are its oldest and its newest sample's. */
  addChunk(
    chunk: LentChunk,
    deleted: readonly Interval[],
    place: () => string,
    times: TimeRange,
  ): void;
  /**
   * In ascending order of time; `words` are the values' bits, two each; of `startTimestampsMs` 0 is unknown, and null means that all
   * are. The columns are copied.
   */
  addSamples(
    timestampsMs: Float64Array,
    words: Uint32Array,
    count: number,
    startTimestampsMs?: Float64Array | null,
  ): void;
  /**
   * Takes the newest of a source's samples in place of all; false, or absent, when it wants the others too. Whoever wants only the
   * newest sample of a series needs no more of each of its sources.
   */
  addNewest?(timestampMs: number, valueLow: number, valueHigh: number): boolean;
  addHistograms(samples: readonly TimedHistogram[]): void;
}
