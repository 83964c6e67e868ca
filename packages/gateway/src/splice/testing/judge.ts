import type { Span } from '@pollux/promql/parser';
import { MemorySeries } from '@pollux/promql/script';
import { MemoryBudget, NO_HINTS, type Queryable } from '@pollux/storage';
import { selectorsOf } from '../../merge/choose-replica.ts';
import { viewPast } from '../../past-view.ts';
import { cutToSegments } from '../cut-to-segments.ts';
import { type Segment, type SegmentOptions, Splice } from '../segments.ts';
import type { ModelledPair, Points, Times, Told } from './modelled-pair.ts';
import { type Cell, cellsIn, timelineOf } from './timeline.ts';

/** A query with what one step of it may read, known from how it was made and not from reading it. */
export type KnownQuery = {
  readonly query: string;
  readonly spans: (timeMs: number) => readonly Span[];
  /** Instances whose series it reads. */
  readonly instances: readonly string[];
  /** It counts resets of counters. */
  readonly isResets?: boolean;
};

/** Of invariant I3. */
export type Case = 'alone' | 'spliced' | 'gap';

export type Verdict = { readonly cases: readonly Case[]; readonly fault: string | null };

/** Seams must keep so much time free; more than the clocks differ. */
export const GUARD_MS = 5_000;

/**
 * Judges an answer by invariant I3, from the schedules of the model alone:
 * (a) where a replica covers all that a step reads, the step is what the whole history of one such replica gives;
 * (b) else it is what the raw series give that were put together by segments, which must be lawful;
 * (c) and a warning is there exactly when nobody covers something.
 */
export async function judge(
  pair: ModelledPair,
  known: KnownQuery,
  times: Times,
  told: Told,
): Promise<Verdict> {
  const { replicas } = pair;
  const steps: number[] = [];
  for (let at = times.startMs; at <= times.endMs; at += Math.max(1, times.stepMs)) steps.push(at);
  const evaluate = (queryable: Queryable): Promise<Points> =>
    pair.evaluate(known.query, times, queryable);
  const whole = await Promise.all(replicas.map((replica) => evaluate(replica.whole)));
  const held = await Promise.all(replicas.map((replica) => evaluate(replica.held)));
  const timelines = new Map(
    pair.targets.map(({ instance }) => [instance, timelineOf(replicas, instance)] as const),
  );
  const cellsAt = (at: number): readonly Cell[] =>
    known.instances.flatMap((instance) => cellsIn(timelines.get(instance)!, known.spans(at)));
  const cases: Case[] = [];
  let fault: string | null = null;
  const unable: number[] = [];
  for (const at of steps) {
    const cells = cellsAt(at);
    const given = textOf(told.points, at);
    const isGap = cells.some(({ states }) => states.every((state) => state === 'missed'));
    const able = indexesOf(replicas, (i) =>
      cells.every(({ states, yields }) => states[i] !== 'missed' && !yields[i]),
    );
    cases.push(able.length > 0 ? 'alone' : isGap ? 'gap' : 'spliced');
    if (able.length > 0) {
      if (able.some((i) => isSame(whole[i]!, told.points, at))) continue;
      const truths = able.map((i) => `${replicas[i]!.name}: ${textOf(whole[i]!, at)}`);
      fault ??= `at ${at}: ${given} is not ${truths.join(', nor ')}`;
      continue;
    }
    // Who has all that anybody has is as good alone; else the splice is looked at below.
    const full = indexesOf(replicas, (i) =>
      cells.every(
        ({ states, yields }) =>
          !yields[i] && (states[i] !== 'missed' || states.every((state) => state === 'missed')),
      ),
    );
    // Series that belong to no target may have made it a splice all the same.
    if (!full.some((i) => isSame(held[i]!, told.points, at))) unable.push(at);
  }
  const isGapTold = told.warnings.some((text) => text.startsWith('no replica covers '));
  if (isGapTold !== cases.includes('gap'))
    fault ??= `warnings of a gap: ${told.warnings.join('; ') || 'none'}`;
  if (known.isResets === true) fault ??= judgeResets(pair, known, told.points);
  fault ??= await judgeSplices(pair, known, times, { told, steps, unable, timelines });
  return {
    cases,
    fault: fault === null ? null : `${known.query} ${JSON.stringify(times)}: ${fault}`,
  };
}

/** A counter is seen to step back only where its target began again; clocks differ by a few seconds. */
function judgeResets(pair: ModelledPair, known: KnownQuery, points: Points): string | null {
  for (const [at, step] of points) {
    for (const [key, value] of step) {
      const target = pair.targets.find(({ instance }) => key.includes(`"${instance}"`))!;
      const restarts = target.restartsMs.filter((timeMs) =>
        known
          .spans(at)
          .some(({ minMs, maxMs }) => timeMs > minMs - 3_000 && timeMs < maxMs + 3_000),
      );
      if (Number(JSON.parse(value)) > restarts.length)
        return `at ${at}: ${value} resets of ${key}, not ${restarts.length}`;
    }
  }
  return null;
}

/** Runs of neighbouring steps are spliced as one. */
async function judgeSplices(
  pair: ModelledPair,
  known: KnownQuery,
  times: Times,
  asked: {
    readonly told: Told;
    readonly steps: readonly number[];
    readonly unable: readonly number[];
    readonly timelines: ReadonlyMap<string, readonly Cell[]>;
  },
): Promise<string | null> {
  const { told, steps, unable, timelines } = asked;
  let from = 0;
  while (from < unable.length) {
    let to = from;
    while (steps.indexOf(unable[to + 1]!) === steps.indexOf(unable[to]!) + 1) to++;
    const run = { ...times, startMs: unable[from]!, endMs: unable[to]! };
    from = to + 1;
    const spans = [...known.spans(run.startMs), ...known.spans(run.endMs)];
    const span = {
      minMs: Math.min(...spans.map(({ minMs }) => minMs)),
      maxMs: Math.max(...spans.map(({ maxMs }) => maxMs)),
    };
    const reasons: string[] = [];
    let isFound = false;
    // Either replica may be the one to begin with.
    for (const preferred of [0, 1]) {
      const spliced = await splicedBy(pair, known, timelines, {
        span,
        guardMs: GUARD_MS,
        preferred,
      });
      if (typeof spliced === 'string') return spliced;
      const points = await pair.evaluate(known.query, run, spliced);
      const wrong = steps.find(
        (at) => at >= run.startMs && at <= run.endMs && !isSame(points, told.points, at),
      );
      if (wrong === undefined) isFound = true;
      else
        reasons.push(`at ${wrong}: ${textOf(told.points, wrong)} is not ${textOf(points, wrong)}`);
    }
    if (!isFound) return reasons.join(', nor ');
  }
  return null;
}

/** The whole histories cut by segments; why not, when these are not lawful. */
async function splicedBy(
  pair: ModelledPair,
  known: KnownQuery,
  timelines: ReadonlyMap<string, readonly Cell[]>,
  options: SegmentOptions,
): Promise<Queryable | string> {
  const { replicas } = pair;
  const selectors = selectorsOf([known.query]) ?? [];
  const past = viewPast(
    replicas.map((replica) => ({ name: replica.name, report: replica.report(pair.clock.now()) })),
    selectors,
  );
  const splice = new Splice(past, options);
  const spliced = new MemorySeries(64);
  const copies = await Promise.all(replicas.map(({ held }) => allSeries(held)));
  for (const [key, { labels }] of new Map(copies.flatMap((copy) => [...copy]))) {
    if (!known.instances.includes(labels.get('instance'))) continue;
    const segments = splice.segmentsFor(labels);
    const unlawful = lawOf(timelines.get(labels.get('instance'))!, segments, options.span);
    if (unlawful !== null) return unlawful;
    const own = new Map(
      copies.flatMap((copy, i) => {
        const columns = copy.get(key);
        return columns === undefined ? [] : [[i, columns] as const];
      }),
    );
    const columns = cutToSegments(own, segments);
    if (columns === null) continue;
    for (let i = 0; i < columns.count; i++) {
      const words = new Uint32Array(columns.values.buffer, columns.values.byteOffset);
      const isStale = words[i * 2] === 2 && words[i * 2 + 1] === 0x7ff00000;
      spliced.add(labels, {
        timestampMs: columns.timestampsMs[i]!,
        value: columns.values[i]!,
        isStale,
        histogram: columns.histograms?.[i] ?? null,
      });
    }
  }
  return spliced;
}

async function allSeries(queryable: Queryable) {
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const range = { minMs: 0, maxMs: Number.MAX_SAFE_INTEGER };
  const source = queryable.select({ range, matchers: [], hints: NO_HINTS, sorted: true }, context);
  const all = new Map<string, NonNullable<Awaited<ReturnType<typeof source.next>>>[number]>();
  for (let batch = await source.next(); batch !== null; batch = await source.next())
    for (const columns of batch) all.set(columns.labels.key(), columns);
  return all;
}

/** Null when segments keep to the invariant for the series of one target. */
function lawOf(timeline: readonly Cell[], segments: readonly Segment[], span: Span): string | null {
  for (const [i, { replica, startMs, endMs }] of segments.entries()) {
    const before = segments[i - 1];
    if (endMs <= startMs) return `nothing in the segment at ${startMs}`;
    if (before === undefined) continue;
    if (startMs < before.endMs) return `overlap at ${startMs}`;
    if (before.replica !== replica && startMs < before.endMs + GUARD_MS)
      return `no guard before ${startMs}`;
  }
  const cuts = segments.flatMap(({ startMs, endMs }) => [startMs, endMs]);
  for (const cell of cellsIn(timeline, [span])) {
    const startMs = Math.max(cell.startMs, span.minMs);
    const endMs = Math.min(cell.endMs, span.maxMs + 1);
    const within = [startMs, ...cuts.filter((cut) => cut > startMs && cut < endMs)];
    for (const at of within) {
      const fault = lawAt(timeline, cell, segments, at);
      if (fault !== null) return fault;
    }
  }
  return null;
}

function lawAt(
  timeline: readonly Cell[],
  cell: Cell,
  segments: readonly Segment[],
  at: number,
): string | null {
  if (cell.states.every((state) => state === 'missed')) return null;
  const own = segments.find(({ startMs, endMs }) => at >= startMs && at < endMs);
  if (own === undefined) {
    const before = segments.filter(({ endMs }) => endMs <= at).at(-1);
    const isSeam = before !== undefined && at < before.endMs + GUARD_MS;
    return isSeam ? null : `nobody gives ${at}, though it is covered`;
  }
  if (cell.states[own.replica] !== 'missed') return null;
  // Another one that covers for no longer than a guard what this one does not is left out.
  const isLeftOut = coveredByOthers(timeline, cell, own.replica) <= GUARD_MS;
  return isLeftOut ? null : `replica ${own.replica} does not cover ${at}`;
}

/** How long, around a cell, others cover what `replica` does not. */
function coveredByOthers(timeline: readonly Cell[], cell: Cell, replica: number): number {
  const isSo = (one: Cell | undefined): boolean =>
    one?.states[replica] === 'missed' && one.states.some((state) => state !== 'missed');
  let from = timeline.indexOf(cell);
  let to = from;
  while (isSo(timeline[from - 1])) from--;
  while (isSo(timeline[to + 1])) to++;
  return timeline[to]!.endMs - timeline[from]!.startMs;
}

function indexesOf<T>(list: readonly T[], isWanted: (index: number) => boolean): readonly number[] {
  return [...list.keys()].filter(isWanted);
}

/**
 * Equal but for the last digits: an engine that walks a range adds up in another order than one that begins in its middle.
 */
export function isSame(a: Points, b: Points, at: number): boolean {
  const left = a.get(at) ?? new Map<string, string>();
  const right = b.get(at) ?? new Map<string, string>();
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => {
    const other = right.get(key);
    if (other === undefined || value === other) return value === other;
    const [x, y] = [value, other].map((text) => Number(JSON.parse(text)));
    return Math.abs(x! - y!) <= Math.abs(x!) * 1e-9;
  });
}

function textOf(points: Points, at: number): string {
  return [...(points.get(at) ?? new Map<string, string>())]
    .map(([key, value]) => `${key} ${value}`)
    .sort()
    .join('\n');
}
