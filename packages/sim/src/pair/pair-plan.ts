import { type Random, SeededRandom } from '@pollux/base';
import { type Interval, intervalSet } from '@pollux/storage';
import type { TargetPlan } from './target-double.ts';

export const INTERVAL_MS = 10_000;
export const LOOKBACK_MS = 60_000;
/** Both replicas' clocks differ by less. */
export const GUARD_MS = 5_000;
const MAX_SKEW_MS = 2_000;
/** Nothing happens before, so that all have found their targets. */
const QUIET_MS = 40_000;

/** What is done to the world; replicas by their number, targets by theirs. */
export type PairEvent =
  | { readonly kind: 'kill' | 'power' | 'stop' | 'start' | 'wipe'; readonly replica: number }
  /** The gateway and a replica do not hear each other. */
  | { readonly kind: 'cut' | 'heal'; readonly replica: number }
  /** The link between a replica and one target is broken. */
  | { readonly kind: 'break' | 'mend'; readonly replica: number; readonly target: number }
  /** Each sync of a replica's disk takes so long. */
  | { readonly kind: 'slow'; readonly replica: number; readonly syncMs: number }
  | { readonly kind: 'reload'; readonly replica: number }
  /** An alertmanager's process. */
  | { readonly kind: 'kill-member' | 'start-member'; readonly member: number }
  /** A store loses its power. */
  | { readonly kind: 'crash-store' | 'start-store'; readonly store: number }
  /** Somebody silences what one target has to say. */
  | { readonly kind: 'silence'; readonly target: number }
  | { readonly kind: 'ask' };

export type PairStep = { readonly atMs: number; readonly event: PairEvent };

export type PairPlan = {
  readonly seed: number;
  readonly replicas: number;
  readonly worldMs: number;
  readonly targets: readonly TargetPlan[];
  /** How far each replica's clock is ahead. */
  readonly aheadMs: readonly number[];
  readonly steps: readonly PairStep[];
  /** Whether there are alertmanagers. */
  readonly hasAlerts: boolean;
  /** Whether there are stores that servers write to. */
  readonly hasStores: boolean;
  /** Whether servers ask them for what they lack themselves. */
  readonly readsStores: boolean;
  /** Whether servers fill what they lack from each other. */
  readonly heals: boolean;
  /** In each round of questions. */
  readonly questions: number;
};

/** How large a world is. */
export type PairSize = {
  readonly worldMs: number;
  readonly maxTargets: number;
  /** One world in so many has alertmanagers. */
  readonly alertsEvery: number;
  /** One world in so many has stores. */
  readonly storesEvery: number;
  /** Rounds of questions before the last one, and questions in each. */
  readonly rounds: number;
  readonly questions: number;
};

export const SHORT: PairSize = {
  worldMs: 480_000,
  maxTargets: 4,
  rounds: 3,
  questions: 10,
  alertsEvery: 8,
  storesEvery: 8,
};
export const LONG: PairSize = {
  worldMs: 1_200_000,
  maxTargets: 20,
  rounds: 19,
  questions: 100,
  alertsEvery: 1,
  storesEvery: 1,
};

export const REPLICA_NAMES = ['a', 'b', 'c'] as const;

/** A world of a seed; the same for every run. */
export function pairPlanOf(seed: number, size: PairSize = SHORT): PairPlan {
  const random = new SeededRandom(seed);
  const replicas = random.below(5) === 0 ? 3 : 2;
  const targetCount = 2 + random.below(size.maxTargets - 1);
  const targets = Array.from({ length: targetCount }, (_, index) =>
    targetOf(random, index, size.worldMs),
  );
  const steps: PairStep[] = [];
  // What was wiped at both at once nobody could answer.
  const wiped = random.below(replicas);
  for (let replica = 0; replica < replicas; replica++) {
    outages(random, steps, { replica, worldMs: size.worldMs, mayWipe: replica === wiped });
    others(random, steps, { replica, worldMs: size.worldMs, targetCount });
  }
  for (let round = 0; round < size.rounds; round++)
    steps.push({ atMs: anyTime(random, size.worldMs), event: { kind: 'ask' } });
  const hasAlerts = seed % size.alertsEvery === 0;
  if (hasAlerts) alertSteps(random, steps, { worldMs: size.worldMs, targetCount });
  // Not the worlds with alertmanagers, unless all have both.
  const hasStores = (seed + 1) % size.storesEvery === 0;
  if (hasStores) storeSteps(random, steps, size.worldMs);
  return {
    seed,
    hasAlerts,
    hasStores,
    // The gateway's answers are held to what servers have themselves.
    readsStores: false,
    heals: false,
    replicas,
    worldMs: size.worldMs,
    targets,
    aheadMs: Array.from(
      { length: replicas },
      () => random.below(2 * MAX_SKEW_MS + 1) - MAX_SKEW_MS,
    ),
    steps: steps.sort((a, b) => a.atMs - b.atMs),
    questions: size.questions,
  };
}

export function describePairEvent(event: PairEvent): string {
  const { kind } = event;
  if ('store' in event) return `${kind} ${event.store}`;
  if ('member' in event) return `${kind} ${event.member}`;
  if (kind === 'silence') return `silence t${event.target}`;
  const name = 'replica' in event ? ` ${REPLICA_NAMES[event.replica]}` : '';
  if (kind === 'break' || kind === 'mend') return `${kind}${name} to t${event.target}`;
  return kind === 'slow' ? `${kind}${name}: a sync takes ${event.syncMs} ms` : `${kind}${name}`;
}

function targetOf(random: Random, index: number, worldMs: number): TargetPlan {
  const intervals = (most: number, longestMs: number): readonly Interval[] =>
    intervalSet(
      Array.from({ length: random.below(most + 1) }, () => {
        const startMs = anyTime(random, worldMs);
        return { startMs, endMs: startMs + 1 + random.below(longestMs) };
      }),
    );
  return {
    name: `t${index}`,
    rate: 3 + random.below(40),
    restartsMs: intervals(2, 1).map(({ startMs }) => startMs),
    dead: intervals(1, 60_000),
    hidden: intervals(2, 90_000),
  };
}

/** Times in which a replica is not there, one behind the other. */
function outages(
  random: Random,
  steps: PairStep[],
  world: { readonly replica: number; readonly worldMs: number; readonly mayWipe: boolean },
): void {
  const { replica, worldMs, mayWipe } = world;
  const often = worldMs / 200_000;
  let atMs = QUIET_MS + random.below(240_000);
  for (let outage = 0; outage < often; outage++) {
    const forMs = 1_000 + random.below(pick(random, [8_000, 60_000, 180_000]));
    if (atMs + forMs > worldMs - QUIET_MS) return;
    const last = mayWipe ? 'wipe' : 'kill';
    const kind = pick(random, ['kill', 'power', 'stop', 'stop', 'cut', last] as const);
    steps.push({ atMs, event: { kind, replica } });
    steps.push({ atMs: atMs + forMs, event: { kind: kind === 'cut' ? 'heal' : 'start', replica } });
    atMs += forMs + 15_000 + random.below(300_000);
  }
}

function others(
  random: Random,
  steps: PairStep[],
  world: { readonly replica: number; readonly worldMs: number; readonly targetCount: number },
): void {
  const { replica, worldMs, targetCount } = world;
  const often = 1 + worldMs / 300_000;
  for (let i = random.below(often + 1); i > 0; i--) {
    const target = random.below(targetCount);
    const atMs = anyTime(random, worldMs);
    steps.push({ atMs, event: { kind: 'break', replica, target } });
    const endMs = atMs + 5_000 + random.below(120_000);
    steps.push({ atMs: endMs, event: { kind: 'mend', replica, target } });
  }
  for (let i = random.below(2); i > 0; i--) {
    const syncMs = 200 + random.below(4_000);
    const atMs = anyTime(random, worldMs);
    steps.push({ atMs, event: { kind: 'slow', replica, syncMs } });
    const endMs = atMs + random.below(90_000);
    steps.push({ atMs: endMs, event: { kind: 'slow', replica, syncMs: 0 } });
  }
  for (let i = random.below(2); i > 0; i--)
    steps.push({ atMs: anyTime(random, worldMs), event: { kind: 'reload', replica } });
}

function alertSteps(
  random: Random,
  steps: PairStep[],
  { worldMs, targetCount }: { readonly worldMs: number; readonly targetCount: number },
): void {
  if (random.below(2) === 0) {
    const target = random.below(targetCount);
    steps.push({ atMs: anyTime(random, worldMs), event: { kind: 'silence', target } });
  }
  if (random.below(2) === 0) {
    const member = random.below(2);
    const atMs = anyTime(random, worldMs);
    steps.push({ atMs, event: { kind: 'kill-member', member } });
    const endMs = atMs + 1_000 + random.below(60_000);
    steps.push({ atMs: endMs, event: { kind: 'start-member', member } });
  }
}

function storeSteps(random: Random, steps: PairStep[], worldMs: number): void {
  for (const store of [0, 1]) {
    if (random.below(2) === 0) continue;
    const atMs = anyTime(random, worldMs);
    steps.push({ atMs, event: { kind: 'crash-store', store } });
    const endMs = atMs + 1_000 + random.below(90_000);
    steps.push({ atMs: endMs, event: { kind: 'start-store', store } });
  }
}

function anyTime(random: Random, worldMs: number): number {
  return QUIET_MS + random.below(worldMs - 2 * QUIET_MS);
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}
