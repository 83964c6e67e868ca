import { createHash } from 'node:crypto';
import { SeededRandom } from '@pollux/base';
import { Engine } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import type { HeldSeries } from './held-series.ts';
import type { Case } from './one-truth.ts';
import type { Message } from './pair-alerts.ts';
import {
  describePairEvent,
  LOOKBACK_MS,
  type PairEvent,
  type PairPlan,
  type PairSize,
  pairPlanOf,
  SHORT,
} from './pair-plan.ts';
import {
  askRound,
  collectedIn,
  firingOf,
  heldBy,
  notStored,
  storedWrongly,
  UNSYNCED_MS,
} from './pair-round.ts';
import { toldWrongly } from './pair-told.ts';
import { type PairSabotage, PairWorld, type Replica } from './pair-world.ts';

/** Behind the last fault, until all are found and have scraped again. */
const REST_MS = 45_000;
const MAX_LOG = 80;

export type PairReport = {
  readonly plan: PairPlan;
  /** What broke a promise; empty for a good run. */
  readonly problems: readonly string[];
  /** How often each case of I3 occurred, by question. */
  readonly cases: Readonly<Record<Case, number>>;
  readonly questions: number;
  /** Scrapes that were due from one server while another was down. */
  readonly collectedAlone: number;
  /** That alertmanagers sent. */
  readonly messages: number;
  /** Of all that was logged and answered: equal for equal runs. */
  readonly digest: string;
  readonly timeline: readonly string[];
};

/** Plays the world of a seed and holds it to the design's promises. */
export async function runPair(
  seed: number,
  size: PairSize = SHORT,
  sabotage: PairSabotage = {},
): Promise<PairReport> {
  const plan = pairPlanOf(seed, size);
  const world = new PairWorld(plan, sabotage);
  const random = new SeededRandom(seed ^ 0xa5c);
  const engine = new Engine({
    clock: world.world.clock,
    registry: new Registry(),
    log: Log.silent(),
    lookbackMs: LOOKBACK_MS,
  });
  const problems: string[] = [];
  const cases = { alone: 0, spliced: 0, gap: 0 };
  let questions = 0;
  const hash = createHash('sha256');
  const round = async (): Promise<void> => {
    const report = await askRound(world, random, engine);
    for (const one of report.cases) cases[one]++;
    questions += report.asked.length;
    for (const { told } of report.asked)
      hash.update(
        typeof told === 'string'
          ? told
          : JSON.stringify([...told.points].map(([at, step]) => [at, [...step]])),
      );
    problems.push(...report.faults);
  };
  const owed = new Map<Replica, HeldSeries[]>();
  const owe = async (event: PairEvent): Promise<void> => {
    if (!('replica' in event)) return;
    const replica = world.replicas[event.replica]!;
    if (event.kind === 'wipe') owed.delete(replica);
    if (event.kind !== 'kill' && event.kind !== 'stop' && event.kind !== 'power') return;
    const held = await heldBy(world, replica);
    if (held === null) return;
    const settledMs = world.now() + plan.aheadMs[event.replica]! - UNSYNCED_MS;
    const kept = event.kind === 'power' ? held.upTo(settledMs) : held;
    owed.set(replica, [...(owed.get(replica) ?? []), kept]);
  };
  await world.start();
  for (const { atMs, event } of plan.steps) {
    const waitMs = world.startMs + atMs - world.now();
    if (waitMs > 0) await world.world.advance(waitMs);
    await owe(event);
    world.apply(event);
    if (event.kind === 'ask') await round();
  }
  world.makeWell();
  await world.world.advance(REST_MS);
  await round();
  problems.push(...(await storedWrongly(world, owed)), ...(await notStored(world)));
  const collected = await collectedIn(world);
  problems.push(...collected.faults);
  const told = await toldWronglyIn(world);
  problems.push(...told.problems);
  hash.update(JSON.stringify(told.messages));
  await world.end();
  for (const { line } of world.logs) hash.update(line);
  return {
    plan,
    problems,
    cases,
    questions,
    collectedAlone: collected.whileOthersWereAway,
    messages: told.messages.length,
    digest: hash.digest('hex'),
    timeline: problems.length === 0 ? [] : timelineOf(world),
  };
}

async function toldWronglyIn(
  world: PairWorld,
): Promise<{ readonly problems: readonly string[]; readonly messages: readonly Message[] }> {
  const { alerts, replicas } = world;
  if (alerts === null) return { problems: [], messages: [] };
  const messages = await world.until(alerts.messages());
  const problems = toldWrongly({
    alerts,
    messages,
    firing: await firingOf(world),
    absences: (replica, instance) => {
      const { down, broken } = replicas[replica]!;
      return [...down, ...broken.filter(({ target }) => instance.startsWith(`t${target}:`))];
    },
    beganMs: world.startMs,
    endMs: world.now(),
  });
  return { problems, messages };
}

/** A run that failed, for people: what was wrong, the timeline, and how to see it again. */
export function describePairFailure({ plan, problems, timeline }: PairReport): string {
  const { seed, replicas, targets, aheadMs, worldMs } = plan;
  return [
    `seed ${seed}: ${replicas} servers, clocks ahead by ${aheadMs.join(', ')} ms, ${targets.length} targets, ${worldMs / 1_000} s`,
    ...problems.map((problem) => `  ${problem}`),
    'timeline (ms since the beginning):',
    ...timeline.map((line) => `  ${line}`),
    `again: npm run soak -- pair --short --first=${seed} --seeds=1`,
  ].join('\n');
}

function timelineOf({ logs, plan, startMs }: PairWorld): string[] {
  const at = (ms: number): string => String(ms).padStart(8);
  return [
    ...plan.steps.map(({ atMs, event }) => `${at(atMs)} ${describePairEvent(event)}`),
    'log:',
    ...logs.slice(-MAX_LOG).map(({ atMs, line }) => `${at(atMs - startMs)} ${line}`),
  ];
}
