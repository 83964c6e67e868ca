import type { Span } from '@pollux/promql/parser';
import type { HeldSeries } from './held-series.ts';
import { INTERVAL_MS } from './pair-plan.ts';

/** What became of a schedule, told by what is stored of it. */
export type Outcome = 'done' | 'failed' | 'missed';

type Schedule = readonly [timeMs: number, outcome: Outcome, isTwinUp: boolean];

/** A stretch of time in which nothing changes: what each replica has of one target. */
export type Cell = {
  readonly startMs: number;
  readonly endMs: number;
  /** Of each replica; missed for one that nobody can ask. */
  readonly states: readonly Outcome[];
  /** When that was scheduled. */
  readonly scheduledMs: readonly number[];
  /** Whether it is, or would be, a success. */
  readonly twinUp: readonly boolean[];
  /** Whether it failed where another one surely succeeded for a whole interval and more: then it was the link that broke. */
  readonly yields: readonly boolean[];
  /** The same where the other one may say that it was not there. */
  readonly mayYield: readonly boolean[];
  /** Whether it may say that it was not there, though nothing was missed: a start counts as down. */
  readonly doubtful: readonly boolean[];
  /** Whether the gateway need not know of it yet. */
  readonly isNew: readonly boolean[];
};

/** One replica as it is at the moment of a question. */
export type ReplicaPast = {
  readonly twin: HeldSeries;
  /** Null when it cannot be asked. */
  readonly held: HeldSeries | null;
  /** When it was down, or about to be, by its own clock. */
  readonly doubtful: readonly Span[];
  /** When it began to run; what was missed before it misses no more. */
  readonly startsMs: readonly number[];
  /** Its disk was new then, and it knows of nothing before. */
  readonly sinceMs: number;
  /** What was scheduled later the gateway need not know the end of. */
  readonly decidedMs: number;
};

/** All that happened to one target, told from the samples of `up` that twins and replicas have. */
export function cellsOf(replicas: readonly ReplicaPast[], instance: string): readonly Cell[] {
  const schedules = replicas.map(({ twin, held }) => {
    const wanted = upOf(twin, instance);
    const has = held === null ? new Map<number, boolean>() : upOf(held, instance);
    return [...wanted].map(([timeMs, isTwinUp]): Schedule => {
      const isUp = has.get(timeMs);
      return [timeMs, isUp === undefined ? 'missed' : isUp ? 'done' : 'failed', isTwinUp];
    });
  });
  const cuts = new Set<number>();
  for (const [index, own] of schedules.entries()) {
    for (const [timeMs] of own) {
      cuts.add(timeMs);
      cuts.add(timeMs + INTERVAL_MS);
    }
    for (const timeMs of replicas[index]!.startsMs) cuts.add(timeMs);
    for (const { minMs, maxMs } of replicas[index]!.doubtful) {
      cuts.add(minMs);
      cuts.add(maxMs);
    }
  }
  const times = [...cuts].sort((a, b) => a - b);
  const stretches = [0, ...times].map((startMs, i) => ({
    startMs,
    endMs: times[i] ?? Number.MAX_SAFE_INTEGER,
  }));
  const plain = stretches.map(({ startMs, endMs }) => ({
    startMs,
    endMs,
    ...statesAt(schedules, startMs, replicas),
    isNew: schedules.map((own, index) => {
      const last = own.findLast(([timeMs]) => timeMs <= startMs)?.[0] ?? 0;
      return last >= replicas[index]!.decidedMs || startMs >= last + INTERVAL_MS;
    }),
    doubtful: schedules.map((own, index) => {
      const [first = 0] = own[0] ?? [];
      // Of what was before its first sample a server says nothing.
      if (startMs < first) return true;
      return replicas[index]!.doubtful.some(({ minMs, maxMs }) => startMs < maxMs && endMs > minMs);
    }),
  }));
  const yields = replicas.map((_, own) => yieldingCells(plain, own, true));
  const mayYield = replicas.map((_, own) => yieldingCells(plain, own, false));
  return plain.map((cell, i) => ({
    ...cell,
    yields: yields.map((indexes) => indexes.has(i)),
    mayYield: mayYield.map((indexes) => indexes.has(i)),
  }));
}

export function cellsIn(cells: readonly Cell[], spans: readonly Span[]): readonly Cell[] {
  return cells.filter((cell) =>
    spans.some(({ minMs, maxMs }) => cell.startMs <= maxMs && cell.endMs > minMs),
  );
}

/** Before the first schedule and behind the last there is nothing to have; a schedule stands for the time up to the next. */
function statesAt(
  schedules: readonly (readonly Schedule[])[],
  atMs: number,
  replicas: readonly ReplicaPast[],
): Pick<Cell, 'states' | 'scheduledMs' | 'twinUp'> {
  const found = schedules.map((own, index): Schedule => {
    const last = own.findLast(([timeMs]) => timeMs <= atMs);
    const hasBegun = replicas[index]!.startsMs.some(
      (timeMs) => last !== undefined && timeMs > last[0] && timeMs <= atMs,
    );
    const isOver = last?.[1] === 'missed' && hasBegun;
    if (last !== undefined && atMs < last[0] + INTERVAL_MS && !isOver) return last;
    return [atMs, replicas[index]!.held === null ? 'missed' : 'done', false];
  });
  return {
    states: found.map(([, state]) => state),
    scheduledMs: found.map(([timeMs]) => timeMs),
    twinUp: found.map(([, , isTwinUp]) => isTwinUp),
  };
}

/** Times of scrapes, and whether each found the target. */
export function upOf(held: HeldSeries, instance: string): ReadonlyMap<number, boolean> {
  for (const { labels, count, timestampsMs, values } of held.series.values()) {
    if (labels.metricName !== 'up' || labels.get('instance') !== instance) continue;
    return new Map(Array.from({ length: count }, (_, i) => [timestampsMs[i]!, values[i] === 1]));
  }
  return new Map();
}

export function instancesOf(held: HeldSeries): readonly string[] {
  return [...held.series.values()].flatMap(({ labels }) =>
    labels.metricName === 'up' ? [labels.get('instance')] : [],
  );
}

function yieldingCells(
  cells: readonly Omit<Cell, 'yields' | 'mayYield'>[],
  own: number,
  isSure: boolean,
): ReadonlySet<number> {
  const yielding = new Set<number>();
  for (const other of cells[0]!.states.keys()) {
    if (other === own) continue;
    let from = 0;
    for (let i = 0; i <= cells.length; i++) {
      const { states = [], doubtful = [], isNew = [] } = cells[i] ?? {};
      const isGood = isSure
        ? states[other] === 'done' && !doubtful[other] && !isNew[other]
        : states[other] === 'done' || isNew[other];
      if (states[own] === 'failed' && isGood) continue;
      const isLong = i > from && cells[i - 1]!.endMs - cells[from]!.startMs >= INTERVAL_MS;
      if (isLong) for (let k = from; k < i; k++) yielding.add(k);
      from = i + 1;
    }
  }
  return yielding;
}
