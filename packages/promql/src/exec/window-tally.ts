import { pointsBetween } from './query-counts.ts';
import type { RangeSeries } from './series-columns.ts';

/** What the windows of one series held, in points. */
export type HeldWindows = { readonly widest: number; readonly last: number };

/**
 * What a function over windows holds at most, as Prometheus has it: one series after the other, of which the samples of one
 * window, and what it gave for the series before.
 */
export class WindowTally {
  /** Of the series before the block at hand: what was given for them. */
  #before = 0;
  #peak = 0;
  /** widest, last, given per series of the block. */
  #block = new Float64Array(0);
  #count = 0;

  /** For an operator that begins anew. */
  clear(): void {
    this.#before = 0;
    this.#peak = 0;
    this.#count = 0;
  }

  /** The next series, in order; each is then told of in any order. */
  begin(seriesCount: number): void {
    this.#fold();
    const size = seriesCount * 3;
    if (this.#block.length < size) this.#block = new Float64Array(size);
    else this.#block.fill(0, 0, size);
    this.#count = seriesCount;
  }

  /** Of some steps of series `s` of the block, later ones later. */
  held(s: number, widest: number, last: number): void {
    const block = this.#block;
    if (widest > block[s * 3]!) block[s * 3] = widest;
    block[s * 3 + 1] = last;
  }

  given(s: number, points: number): void {
    this.#block[s * 3 + 2]! += points;
  }

  /** At the end. */
  finish(): { readonly peak: number; readonly given: number } {
    this.#fold();
    return { peak: this.#peak, given: this.#before };
  }

  #fold(): void {
    const block = this.#block;
    for (let at = 0; at < this.#count * 3; at += 3) {
      const whileReading = this.#before + block[at]!;
      this.#before += block[at + 2]!;
      const atEnd = this.#before + block[at + 1]!;
      if (whileReading > this.#peak) this.#peak = whileReading;
      if (atEnd > this.#peak) this.#peak = atEnd;
    }
    this.#count = 0;
  }
}

/** What the windows (startMs[i], endMs[i]] of `count` steps hold of a series of which not each sample is one point. */
export function heldByWindows(
  { timestampsMs, histograms, count: samples }: RangeSeries,
  {
    startMs,
    endMs,
    count,
  }: { readonly startMs: Float64Array; readonly endMs: Float64Array; readonly count: number },
): HeldWindows & { readonly present: number } {
  let widest = 0;
  let last = 0;
  let present = 0;
  let lo = 0;
  let hi = 0;
  let points = 0;
  for (let i = 0; i < count; i++) {
    const wasAt = hi;
    while (hi < samples && timestampsMs[hi]! <= endMs[i]!) hi++;
    points += pointsBetween(histograms, wasAt, hi);
    const from = lo;
    while (lo < hi && timestampsMs[lo]! <= startMs[i]!) lo++;
    points -= pointsBetween(histograms, from, lo);
    if (points > widest) widest = points;
    last = points;
    if (hi > lo) present++;
  }
  return { widest, last, present };
}
