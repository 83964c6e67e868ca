import type { Span } from '@pollux/promql/parser';
import { type IntervalSet, intervalSet, overlaps, subtract, union } from '@pollux/storage';
import { INTERVAL_MS, type ModelledReplica, type Outcome } from './modelled-replica.ts';

/** A stretch of time in which nothing changes: what each replica has of it, and whether it yields. */
export type Cell = {
  readonly startMs: number;
  readonly endMs: number;
  readonly states: readonly Outcome[];
  readonly yields: readonly boolean[];
};

/** All that happened to one target, by the schedules of the model alone: a schedule stands for the time up to the next. */
export function timelineOf(
  replicas: readonly ModelledReplica[],
  instance: string,
): readonly Cell[] {
  const cuts = new Set<number>();
  const filled = replicas.map((replica) => replica.healedOf(instance));
  for (const set of filled.flatMap((one) => Object.values(one))) {
    for (const { startMs, endMs } of set) {
      cuts.add(startMs);
      cuts.add(endMs);
    }
  }
  for (const { schedules, faults } of replicas) {
    for (const { timeMs } of schedules.get(instance) ?? []) {
      cuts.add(timeMs);
      cuts.add(timeMs + INTERVAL_MS);
    }
    for (const { startMs, endMs } of faults.down) {
      cuts.add(startMs);
      cuts.add(endMs);
    }
  }
  const times = [...cuts].sort((a, b) => a - b);
  const plain = times.map((startMs, i) => ({
    startMs,
    endMs: times[i + 1] ?? Number.MAX_SAFE_INTEGER,
    states: replicas.map((replica, i): Outcome => {
      const { healed, ownSeams, common } = filled[i]!;
      const isIn = (set: IntervalSet): boolean => overlaps(set, startMs, startMs + 1);
      if (isDown(replica, startMs) && !isIn(common)) return 'missed';
      const own = scheduledAt(replica, instance, startMs);
      if (own !== 'missed') return own;
      if (isIn(healed)) return stateOf(replicas[1 - i]!, instance, startMs);
      // Samples in a seam are none, or this one's own.
      return isIn(ownSeams) ? 'done' : 'missed';
    }),
  }));
  const before = { startMs: 0, endMs: times[0]!, states: replicas.map((): Outcome => 'done') };
  const cells = [before, ...plain];
  const yields = replicas.map((_, own) => yieldingCells(cells, own));
  const seams = replicas.map((_, own) => seamsThatYield(replicas, own));
  return cells.map((cell, i) => ({
    ...cell,
    yields: yields.map(
      (cellsOfOne, own) =>
        cellsOfOne.has(i) || overlaps(seams[own]!, cell.startMs, cell.startMs + 1),
    ),
  }));
}

/** A seam, as a whole, gives way where another one was there for any of it, whatever it scraped. */
function seamsThatYield(replicas: readonly ModelledReplica[], own: number): IntervalSet {
  const there = replicas.map((replica, other) => {
    const { seams, common } = replica.healedOf('');
    const away = subtract(intervalSet(replica.faults.down), common);
    return other === own ? null : union(away, seams);
  });
  return replicas[own]!.healedOf('').seams.filter((seam) =>
    there.some((away) => away !== null && subtract([seam], away).length > 0),
  );
}

export function cellsIn(timeline: readonly Cell[], spans: readonly Span[]): readonly Cell[] {
  return timeline.filter((cell) =>
    spans.some(({ minMs, maxMs }) => cell.startMs <= maxMs && cell.endMs > minMs),
  );
}

function stateOf(replica: ModelledReplica, instance: string, atMs: number): Outcome {
  return isDown(replica, atMs) ? 'missed' : scheduledAt(replica, instance, atMs);
}

function isDown({ faults }: ModelledReplica, atMs: number): boolean {
  return faults.down.some(({ startMs, endMs }) => atMs >= startMs && atMs < endMs);
}

function scheduledAt({ schedules }: ModelledReplica, instance: string, atMs: number): Outcome {
  const own = schedules.get(instance) ?? [];
  const first = own[0]?.timeMs ?? 0;
  return own[Math.floor((atMs - first) / INTERVAL_MS)]?.outcome ?? 'done';
}

/** Where it failed while another one succeeded, for a whole interval or more: then it was the link that broke. */
function yieldingCells(cells: readonly Omit<Cell, 'yields'>[], own: number): ReadonlySet<number> {
  const yielding = new Set<number>();
  for (const other of cells[0]!.states.keys()) {
    if (other === own) continue;
    let from = 0;
    for (let i = 0; i <= cells.length; i++) {
      const states = cells[i]?.states;
      if (states?.[own] === 'failed' && states[other] === 'done') continue;
      const isLong = i > from && cells[i - 1]!.endMs - cells[from]!.startMs >= INTERVAL_MS;
      if (isLong) for (let k = from; k < i; k++) yielding.add(k);
      from = i + 1;
    }
  }
  return yielding;
}
