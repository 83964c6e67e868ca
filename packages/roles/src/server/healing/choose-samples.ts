import { type FloatHistogram, wordsOf } from '@pollux/model';
import {
  firstSampleFrom,
  type Interval,
  type IntervalSet,
  isSameHistogram,
  type SeriesColumns,
} from '@pollux/storage';

/** Samples of a twin that are to be copied: runs of indexes, start, end (exclusive), start, end … */
export type Chosen = {
  readonly runs: readonly number[];
  /** Around samples that this server has of its own, and that are not the twin's: there the histories meet. */
  readonly seams: readonly Interval[];
};

/**
 * Which of the twin's samples fill `cut`. What is here already is not copied again, so that a copy which was broken off can
 * be made anew. Where there is a sample that the twin does not have, none is taken closer to it than the guard.
 */
export function chooseSamples(
  twin: SeriesColumns,
  own: SeriesColumns | null,
  cut: IntervalSet,
  guardMs: number,
): Chosen {
  const runs: number[] = [];
  if (own === null || own.count === 0) {
    for (const { startMs, endMs } of cut) {
      const from = firstSampleFrom(twin, startMs);
      const to = firstSampleFrom(twin, endMs);
      if (from < to) runs.push(from, to);
    }
    return { runs, seams: [] };
  }
  const { foreignMs, copied } = compare(twin, own);
  let near = 0;
  for (const { startMs, endMs } of cut) {
    for (
      let i = firstSampleFrom(twin, startMs);
      i < twin.count && twin.timestampsMs[i]! < endMs;
      i++
    ) {
      const timeMs = twin.timestampsMs[i]!;
      while (near < foreignMs.length && foreignMs[near]! + guardMs <= timeMs) near++;
      const isNear = near < foreignMs.length && Math.abs(foreignMs[near]! - timeMs) < guardMs;
      if (isNear || copied.has(timeMs)) continue;
      if (runs.at(-1) === i) runs[runs.length - 1] = i + 1;
      else runs.push(i, i + 1);
    }
  }
  const seams = foreignMs
    .filter((timeMs) => cut.some(({ startMs, endMs }) => timeMs >= startMs && timeMs < endMs))
    .map((timeMs) => ({ startMs: timeMs - guardMs, endMs: timeMs + guardMs + 1 }));
  return { runs, seams };
}

/** Own samples that are the twin's as well, bit for bit, and those that are not. */
function compare(
  twin: SeriesColumns,
  own: SeriesColumns,
): { readonly foreignMs: readonly number[]; readonly copied: ReadonlySet<number> } {
  const ownWords = wordsOf(own.values);
  const twinWords = wordsOf(twin.values);
  const foreignMs: number[] = [];
  const copied = new Set<number>();
  for (let i = 0; i < own.count; i++) {
    const timeMs = own.timestampsMs[i]!;
    const at = firstSampleFrom(twin, timeMs);
    const isCopy =
      at < twin.count &&
      twin.timestampsMs[at] === timeMs &&
      ownWords[i * 2] === twinWords[at * 2] &&
      ownWords[i * 2 + 1] === twinWords[at * 2 + 1] &&
      isSameKind(own.histograms?.[i] ?? null, twin.histograms?.[at] ?? null);
    if (isCopy) copied.add(timeMs);
    else foreignMs.push(timeMs);
  }
  return { foreignMs, copied };
}

function isSameKind(own: FloatHistogram | null, twin: FloatHistogram | null): boolean {
  return own === null || twin === null ? own === twin : isSameHistogram(own, twin);
}
