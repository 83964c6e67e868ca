import { wordsOf } from '@pollux/model';
import type { ColumnData } from '../column-data.ts';
import type { ReplicaColumn } from '../store-view.ts';

/** A pause of more than this many ordinary intervals is a gap that another replica may fill. */
const GAP_INTERVALS = 2.5;
/** Distance kept at each seam, in intervals, so that no sample of one replica stands inside the rhythm of the other. */
const GUARD_INTERVALS = 0.5;

/**
 * One copy of several. The leading replica is `preferred` when it has samples, else the one with most samples (of equals,
 * the first by name). Where it pauses for more than {@link GAP_INTERVALS} of its intervals, and before its first and after
 * its last sample, the others fill in, in the same order of merit, never interleaved.
 */
export function chooseReplica(
  columns: readonly ReplicaColumn[],
  preferred: string | null,
): ReplicaColumn | null {
  const order = [...columns].sort(
    (a, b) => merit(b, preferred) - merit(a, preferred) || (a.replica < b.replica ? -1 : 1),
  );
  const [leader, ...others] = order;
  if (leader === undefined) return null;
  let data = leader.data;
  for (const other of others) data = fillGaps(data, other.data);
  return { replica: leader.replica, data };
}

function merit(column: ReplicaColumn, preferred: string | null): number {
  return column.replica === preferred ? Number.POSITIVE_INFINITY : column.data.count;
}

function fillGaps(main: ColumnData, filler: ColumnData): ColumnData {
  const interval = medianInterval(main) ?? medianInterval(filler);
  if (interval === null) return main;
  const guard = interval * GUARD_INTERVALS;
  const takeFrom = new Uint8Array(main.count + filler.count);
  let count = 0;
  let m = 0;
  for (let f = 0; f < filler.count; f++) {
    const at = filler.timesMs[f]!;
    while (m < main.count && main.timesMs[m]! <= at) {
      takeFrom[count++] = 0;
      m++;
    }
    const before = m > 0 ? main.timesMs[m - 1]! : Number.NEGATIVE_INFINITY;
    const after = m < main.count ? main.timesMs[m]! : Number.POSITIVE_INFINITY;
    const isGap = after - before > interval * GAP_INTERVALS;
    if (isGap && at - before > guard && after - at > guard) takeFrom[count++] = 1;
    else takeFrom[count++] = 2;
  }
  while (m < main.count) {
    takeFrom[count++] = 0;
    m++;
  }
  return weave(main, filler, takeFrom.subarray(0, count));
}

/** Codes of `plan`: 0 next of main, 1 next of filler, 2 skip one of filler. */
function weave(main: ColumnData, filler: ColumnData, plan: Uint8Array): ColumnData {
  let size = 0;
  for (const code of plan) if (code !== 2) size++;
  const timesMs = new Float64Array(size);
  const cells = new Float64Array(size);
  const target = wordsOf(cells);
  const sources = [wordsOf(main.cells), wordsOf(filler.cells)] as const;
  const next = [0, 0];
  let at = 0;
  for (const code of plan) {
    const side = code === 0 ? 0 : 1;
    const row = next[side]!++;
    if (code === 2) continue;
    timesMs[at] = (side === 0 ? main : filler).timesMs[row]!;
    target[at * 2] = sources[side][row * 2]!;
    target[at * 2 + 1] = sources[side][row * 2 + 1]!;
    at++;
  }
  return { kind: main.kind, count: size, timesMs, nanos: null, cells, texts: null };
}

function medianInterval(data: ColumnData): number | null {
  if (data.count < 2) return null;
  const steps = new Float64Array(data.count - 1);
  for (let i = 1; i < data.count; i++) steps[i - 1] = data.timesMs[i]! - data.timesMs[i - 1]!;
  steps.sort();
  return steps[steps.length >> 1]!;
}
