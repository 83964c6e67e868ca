import type { Span } from '@pollux/promql/parser';
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
    states: replicas.map((replica) => stateOf(replica, instance, startMs)),
  }));
  const before = { startMs: 0, endMs: times[0]!, states: replicas.map((): Outcome => 'done') };
  const cells = [before, ...plain];
  const yields = replicas.map((_, own) => yieldingCells(cells, own));
  return cells.map((cell, i) => ({
    ...cell,
    yields: yields.map((cellsOfOne) => cellsOfOne.has(i)),
  }));
}

export function cellsIn(timeline: readonly Cell[], spans: readonly Span[]): readonly Cell[] {
  return timeline.filter((cell) =>
    spans.some(({ minMs, maxMs }) => cell.startMs <= maxMs && cell.endMs > minMs),
  );
}

function stateOf(replica: ModelledReplica, instance: string, atMs: number): Outcome {
  const { down } = replica.faults;
  if (down.some(({ startMs, endMs }) => atMs >= startMs && atMs < endMs)) return 'missed';
  const schedules = replica.schedules.get(instance) ?? [];
  const first = schedules[0]?.timeMs ?? 0;
  return schedules[Math.floor((atMs - first) / INTERVAL_MS)]?.outcome ?? 'done';
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
