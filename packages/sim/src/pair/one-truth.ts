import {
  cutToSegments,
  type PastView,
  type Piece,
  planQuery,
  readQueryParams,
  type Segment,
  Splice,
  spansBetween,
  viewPast,
} from '@pollux/gateway';
import type { Engine } from '@pollux/promql';
import type { Span } from '@pollux/promql/parser';
import type { CoverageReport, SeriesColumns } from '@pollux/storage';
import { isNamed, type NamedGaps, namedGapsOf } from './gap-warning.ts';
import { HeldSeries } from './held-series.ts';
import { evaluate, formOf, isSameAt, type Points, type Told, textAt } from './pair-answers.ts';
import { type Cell, cellsIn, cellsOf, type ReplicaPast } from './pair-past.ts';
import { GUARD_MS, LOOKBACK_MS } from './pair-plan.ts';
import type { PairQuestion } from './pair-question.ts';

/** Of invariant I3. */
export type Case = 'alone' | 'spliced' | 'gap';

/** All that is known of the replicas at the moment of a question. */
export type Scene = {
  readonly engine: Engine;
  readonly atMs: number;
  readonly replicas: readonly KnownReplica[];
};

export type KnownReplica = ReplicaPast & {
  readonly name: string;
  /** What the gateway may go by: the last reports that it had, and that of the moment. */
  readonly reports: readonly CoverageReport[];
};

export type Verdict = { readonly cases: readonly Case[]; readonly fault: string | null };

type Steps = readonly {
  readonly at: number;
  readonly cells: readonly Cell[];
}[];

/**
 * Judges an answer by invariant I3, from what is stored and was scheduled:
 * (a) where a replica that is heard covers all that a step reads, the step is what the twin of one such replica says;
 * (b) else it is what the raw series say that were put together by segments, which must be lawful;
 * (c) and a warning is there exactly when nobody covers something, and names that time and no other.
 */
export async function judgeAnswer(
  scene: Scene,
  question: PairQuestion,
  told: Told,
): Promise<Verdict> {
  const { engine, replicas } = scene;
  const { query, times } = question;
  const live = indexesOf(replicas, (i) => replicas[i]!.held !== null);
  const past = new Map(question.instances.map((name) => [name, cellsOf(replicas, name)] as const));
  const steps: Steps = stepsOf(question).map((at) => ({
    at,
    cells: question.instances.flatMap((name) => cellsIn(past.get(name)!, question.spans(at))),
  }));
  const whole = await Promise.all(replicas.map(({ twin }) => evaluate(engine, query, times, twin)));
  // Before anything that is known nothing is missed.
  const baseMs = Math.min(...live.map((i) => replicas[i]!.sinceMs));
  const cases: Case[] = [];
  const rest: number[] = [];
  const sureGaps: Cell[] = [];
  const possibleGaps: Cell[] = [];
  let fault: string | null = null;
  for (const { at, cells } of steps) {
    const spans = question.spans(at);
    const able = live.filter((i) => mayCover(cells, i, spans));
    const surelyAble = able.filter((i) => surelyCovers(cells, i));
    const missed = cells.filter(({ states, scheduledMs, isNew }) =>
      live.every(
        (i) =>
          states[i] === 'missed' &&
          !isNew[i] &&
          scheduledMs[i]! >= baseMs &&
          isWithin(scheduledMs[i]!, spans),
      ),
    );
    cases.push(able.length > 0 ? 'alone' : missed.length > 0 ? 'gap' : 'spliced');
    if (able.length === 0) sureGaps.push(...missed);
    const mayMiss = cells.filter(({ states, doubtful, isNew, twinUp }) => {
      // What one that is not heard has scraped, and all others failed to, is named too.
      const isElsewhere = twinUp.some((isUp, i) => isUp && !live.includes(i));
      return live.every(
        (i) =>
          states[i] === 'missed' ||
          doubtful[i] ||
          isNew[i] ||
          (isElsewhere && states[i] === 'failed'),
      );
    });
    possibleGaps.push(...mayMiss);
    if (able.some((i) => isSameAt(whole[i]!, told.points, at, times))) continue;
    if (surelyAble.length === 0) {
      rest.push(at);
      continue;
    }
    const truths = surelyAble.map((i) => `${replicas[i]!.name}: ${textAt(whole[i]!, at)}`);
    fault ??= `at ${at}: ${textAt(told.points, at)} is not ${truths.join(', nor ')} (may: ${able.map((i) => `${replicas[i]!.name} ${textAt(whole[i]!, at)}`)})`;
  }
  fault ??= misnamed(namedGapsOf(told.warnings), sureGaps, possibleGaps);
  if (rest.length > 0) fault ??= await judgeSplices(scene, question, told, { steps, rest, past });
  return { cases, fault };
}

/** What is wrong with the times that are named; each cell that nobody has is, and nothing that somebody surely has. */
function misnamed(
  named: NamedGaps | null,
  sure: readonly Cell[],
  possible: readonly Cell[],
): string | null {
  if (named === null) return sure.length > 0 ? 'nobody covers something, and no warning' : null;
  const spanOf = ({ startMs, endMs }: Cell): Span => ({ minMs: startMs, maxMs: endMs });
  const unnamed = sure.find((cell) => !isNamed(named, spanOf(cell)));
  if (unnamed !== undefined)
    return `nobody covers ${unnamed.startMs} to ${unnamed.endMs}, and it is not named: ${named.text}`;
  const invented = named.spans.find(
    (span) => !possible.some(({ startMs, endMs }) => span.minMs <= endMs && span.maxMs >= startMs),
  );
  return invented === undefined ? null : `a warning of a gap that is none: ${named.text}`;
}

/** Null when some plan for reports that the gateway may have had explains all of these steps and is lawful. */
async function judgeSplices(
  { engine, replicas }: Scene,
  question: PairQuestion,
  told: Told,
  asked: {
    readonly steps: Steps;
    readonly rest: readonly number[];
    readonly past: ReadonlyMap<string, readonly Cell[]>;
  },
): Promise<string | null> {
  const { query, times } = question;
  const params = readQueryParams(formOf(query, times), times.stepMs > 0, {
    nowMs: times.endMs,
    lookbackMs: LOOKBACK_MS,
  })!;
  const faults: string[] = [];
  const live = replicas.filter(({ held }) => held !== null);
  for (let of = 0; of < Math.max(...live.map(({ reports }) => reports.length)); of++) {
    const known = live.map(({ name, reports }) => ({
      name,
      report: reports[of] ?? reports.at(-1) ?? null,
    }));
    const view = viewPast(known, params.selectors);
    for (const preferred of live.keys()) {
      const { pieces } = planQuery({ ...params, past: view, preferred, canSplice: true });
      const fault = await explains({ live, view, preferred, pieces });
      if (fault === null) return null;
      faults.push(fault);
    }
  }
  return [...new Set(faults)].join('; ');

  async function explains(plan: {
    readonly live: Scene['replicas'];
    readonly view: PastView;
    readonly preferred: number;
    readonly pieces: readonly Piece[];
  }): Promise<string | null> {
    for (const piece of plan.pieces) {
      const own = asked.steps.filter(
        ({ at }) => asked.rest.includes(at) && at >= piece.startMs && at <= piece.endMs,
      );
      if (own.length === 0) continue;
      const run = { ...times, startMs: piece.startMs, endMs: piece.endMs };
      let points: Points;
      if (piece.replica !== null) {
        const index = replicas.indexOf(plan.live[piece.replica]!);
        const live = plan.live.map((one) => replicas.indexOf(one));
        const lack = own.find(
          ({ at, cells }) =>
            !hasAllThereIs(cells, { replica: index, live, spans: question.spans(at) }),
        );
        if (lack !== undefined)
          return `at ${lack.at}: ${replicas[index]!.name} alone, which lacks what others have`;
        points = await evaluate(engine, query, run, replicas[index]!.held!);
      } else {
        const spliced = splicedBy({ ...plan, piece });
        if (typeof spliced === 'string') return spliced;
        points = await evaluate(engine, query, run, spliced);
      }
      const wrong = own.find(({ at }) => !isSameAt(points, told.points, at, times));
      if (wrong !== undefined) {
        const { at } = wrong;
        return `at ${at}: ${textAt(told.points, at)} is not ${textAt(points, at)}`;
      }
    }
    return null;
  }

  /** What is held, cut by segments; why not, when these are not lawful. */
  function splicedBy(plan: {
    readonly live: Scene['replicas'];
    readonly view: PastView;
    readonly preferred: number;
    readonly piece: Piece;
  }): HeldSeries | string {
    const { live, view, preferred, piece } = plan;
    const spans = spansBetween(params.window, piece.startMs, piece.endMs);
    const span = {
      minMs: Math.min(...spans.map(({ minMs }) => minMs)),
      maxMs: Math.max(...spans.map(({ maxMs }) => maxMs)),
    };
    const splice = new Splice(view, { span, guardMs: GUARD_MS, preferred });
    const numbers = live.map((one) => replicas.indexOf(one));
    const spliced: SeriesColumns[] = [];
    const keys = new Set(live.flatMap(({ held }) => [...(held?.series.keys() ?? [])]));
    for (const key of keys) {
      const copies = live.flatMap(({ held }, i) => {
        const columns = held?.series.get(key);
        return columns === undefined ? [] : [[i, columns] as const];
      });
      const { labels } = copies[0]![1];
      const cells = asked.past.get(labels.get('instance'));
      if (cells === undefined) continue;
      const segments = splice.segmentsFor(labels);
      const unlawful = lawOf(cells, segments, { span, numbers });
      if (unlawful !== null) return `${labels}: ${unlawful}`;
      const columns = cutToSegments(new Map(copies), segments);
      if (columns !== null) spliced.push(columns);
    }
    return new HeldSeries(spliced);
  }
}

function stepsOf({ times }: PairQuestion): readonly number[] {
  const steps: number[] = [];
  for (let at = times.startMs; at <= times.endMs; at += Math.max(1, times.stepMs)) steps.push(at);
  return steps;
}

/** Every schedule in the spans took place, and where it failed others did as well. */
function mayCover(cells: readonly Cell[], replica: number, spans: readonly Span[]): boolean {
  return cells.every(({ states, scheduledMs, yields }) => {
    if (yields[replica]) return false;
    return states[replica] !== 'missed' || !isWithin(scheduledMs[replica]!, spans);
  });
}

function isWithin(timeMs: number, spans: readonly Span[]): boolean {
  return spans.some(({ minMs, maxMs }) => timeMs >= minMs && timeMs <= maxMs);
}

/** Nor does the schedule before them leave a doubt. */
function surelyCovers(cells: readonly Cell[], replica: number): boolean {
  return cells.every(
    ({ states, mayYield, doubtful, isNew }) =>
      states[replica] !== 'missed' && !mayYield[replica] && !doubtful[replica] && !isNew[replica],
  );
}

/** Of `live`, nobody has what this one lacks. */
function hasAllThereIs(
  cells: readonly Cell[],
  how: {
    readonly replica: number;
    readonly live: readonly number[];
    readonly spans: readonly Span[];
  },
): boolean {
  const { replica, live, spans } = how;
  return cells.every(({ states, scheduledMs, yields, doubtful, isNew }) => {
    if (states[replica] !== 'missed') return !yields[replica];
    if (!isWithin(scheduledMs[replica]!, spans) || isNew[replica]) return true;
    return live.every((other) => states[other] === 'missed' || doubtful[other]);
  });
}

/** Null when segments keep to the invariant for the series of one target. */
function lawOf(
  past: readonly Cell[],
  segments: readonly Segment[],
  { span, numbers }: { readonly span: Span; readonly numbers: readonly number[] },
): string | null {
  for (const [i, { replica, startMs, endMs }] of segments.entries()) {
    const before = segments[i - 1];
    if (endMs <= startMs) return `nothing in the segment at ${startMs}`;
    if (before === undefined) continue;
    if (startMs < before.endMs) return `overlap at ${startMs}`;
    if (before.replica !== replica && startMs < before.endMs + GUARD_MS)
      return `no guard before ${startMs}`;
  }
  const cuts = segments.flatMap(({ startMs, endMs }) => [startMs, endMs]);
  for (const cell of cellsIn(past, [span])) {
    const startMs = Math.max(cell.startMs, span.minMs);
    const endMs = Math.min(cell.endMs, span.maxMs + 1);
    const has = numbers.filter((i) => cell.states[i] !== 'missed');
    for (const at of [startMs, ...cuts.filter((cut) => cut > startMs && cut < endMs)]) {
      const own = segments.find((one) => at >= one.startMs && at < one.endMs);
      if (own === undefined) {
        const before = segments.filter((one) => one.endMs <= at).at(-1);
        const isSeam = before !== undefined && at < before.endMs + GUARD_MS;
        const isSure = has.some((i) => !cell.doubtful[i]);
        if (isSure && !isSeam) return `nobody gives ${at}, though it is covered`;
        continue;
      }
      const replica = numbers[own.replica]!;
      if (has.includes(replica) || has.length === 0) continue;
      // A schedule that was missed before this stretch concerns it no more.
      if (cell.scheduledMs[replica]! < own.startMs) continue;
      // Another one that covers for no longer than a guard what this one does not is left out.
      if (coveredByOthers(past, cell, replica, numbers) > GUARD_MS)
        return `replica ${replica} does not cover ${at}`;
    }
  }
  return null;
}

/** How long, around a cell, others surely cover what `replica` does not. */
function coveredByOthers(
  past: readonly Cell[],
  cell: Cell,
  replica: number,
  numbers: readonly number[],
): number {
  const isSo = (one: Cell | undefined): boolean =>
    one?.states[replica] === 'missed' &&
    numbers.some((i) => one.states[i] !== 'missed' && !one.doubtful[i]);
  let from = past.indexOf(cell);
  let to = from;
  while (isSo(past[from - 1])) from--;
  while (isSo(past[to + 1])) to++;
  return isSo(cell) ? past[to]!.endMs - past[from]!.startMs : 0;
}

function indexesOf<T>(list: readonly T[], isWanted: (index: number) => boolean): readonly number[] {
  return [...list.keys()].filter(isWanted);
}
