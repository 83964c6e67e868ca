import { SeededRandom } from '@pollux/base';

/**
 * What may go wrong in a run:
 * `calm`     nothing that the promise of exactly one excludes: all live, all hear the same, delays below the peer timeout, also of
 *            members that stand still for a moment
 * `lossy`    datagrams are lost, doubled and late
 * `cut`      members, servers and receivers are cut off from each other, also one way
 * `crash`    members lose power, or end in order, and come back
 * `receiver` receivers fail, refuse, hang, are slow
 * `storm`    all of it, and clocks that are wrong and jump
 */
export const CLUSTER_KINDS = ['calm', 'lossy', 'cut', 'crash', 'receiver', 'storm'] as const;
export type ClusterKind = (typeof CLUSTER_KINDS)[number];

export type ReceiverMode = 'well' | 'slow' | 'fails' | 'refuses' | 'hangs';

/** One thing that happens in a run; members, servers and receivers by number. */
export type ClusterEvent =
  | { readonly kind: 'fire'; readonly alert: AlertName }
  | { readonly kind: 'resolve'; readonly alert: AlertName }
  | { readonly kind: 'silence'; readonly group: number; readonly member: number }
  | { readonly kind: 'unsilence'; readonly group: number; readonly member: number }
  | { readonly kind: 'cut'; readonly from: readonly string[]; readonly to: readonly string[] }
  | { readonly kind: 'heal' }
  | { readonly kind: 'crash' | 'stop' | 'start'; readonly member: number }
  | { readonly kind: 'receiver'; readonly receiver: number; readonly mode: ReceiverMode }
  | { readonly kind: 'stall'; readonly member: number; readonly forMs: number }
  | { readonly kind: 'clock'; readonly member: number; readonly aheadMs: number };

export type AlertName = { readonly group: number; readonly index: number };
export type ClusterStep = { readonly atMs: number; readonly event: ClusterEvent };

/** A whole run, drawn from its seed. Times in ms; those of steps count from the moment when the cluster has settled. */
export type ClusterPlan = {
  readonly seed: number;
  readonly kind: ClusterKind;
  readonly members: number;
  readonly servers: number;
  readonly groups: number;
  readonly alertsPerGroup: number;
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly peerTimeoutMs: number;
  readonly link: {
    readonly minDelayMs: number;
    readonly maxDelayMs: number;
    readonly loss: number;
    readonly duplication: number;
  };
  /** How long a receiver takes to answer when it is well, and when it is slow. */
  readonly answerMs: number;
  readonly slowAnswerMs: number;
  /** Which receivers wish to hear of ends, by number. */
  readonly sendResolved: readonly boolean[];
  /** How far each member's wall clock is ahead from the start. */
  readonly aheadMs: readonly number[];
  readonly steps: readonly ClusterStep[];
  /** From here on nothing is changed any more, and everything is well. */
  readonly calmFromMs: number;
};

/** The unit run plays so many; many more by `npm run soak -- alertmanager`. */
export const UNIT_SEEDS = 200;
/** News go to so many members at once; in larger clusters chance may leave one out until whole states are exchanged. */
export const ALWAYS_REACHED = 9;
const SIZES = [1, 1, 2, 2, 3, 3, 3, 4, 5];
/** Every so many seeds a cluster is large. */
const LARGE_EVERY = 50;
const LARGE_SIZES = [20, 30, 20, 50, 30, 20, 40, 100];
const LARGE_KINDS: readonly ClusterKind[] = ['lossy', 'crash', 'cut', 'cut', 'storm'];
/** Things happen within this time of a small cluster, and of a large one. */
const SMALL_LENGTH_MS = 70_000;
const LARGE_LENGTH_MS = 30_000;

/** A delivery and its news in a calm run. */
const FIRST_NEEDS_MS = 1_000;
/** Drawn apart, so that the rest of a plan is what it would be without. */
const STALLS = 0x57a11;

/** By how many seeds each kind is met. */
const KIND_OF_SEED: readonly ClusterKind[] = [
  'calm',
  'storm',
  'cut',
  'crash',
  'calm',
  'lossy',
  'cut',
  'receiver',
  'calm',
  'storm',
  'crash',
];

/** The run that a seed stands for. */
export function planOf(seed: number): ClusterPlan {
  const random = new SeededRandom(seed);
  const isLarge = seed % LARGE_EVERY === LARGE_EVERY - 1;
  const kinds = isLarge ? LARGE_KINDS : KIND_OF_SEED;
  const kind = kinds[(isLarge ? Math.floor(seed / LARGE_EVERY) : seed) % kinds.length] ?? 'calm';
  const large = LARGE_SIZES[Math.floor(seed / LARGE_EVERY) % LARGE_SIZES.length] ?? 20;
  const small = pick(random, SIZES);
  const members = isLarge ? large : kind === 'calm' ? Math.min(small, ALWAYS_REACHED) : small;
  const calmFromMs = isLarge ? LARGE_LENGTH_MS : SMALL_LENGTH_MS;
  const isWild = kind === 'storm';
  const peerTimeoutMs = kind === 'calm' ? 1_500 + random.below(1_000) : 2_500 + random.below(2_500);
  const shape = {
    seed,
    kind,
    members,
    servers: kind === 'calm' ? 1 : 2,
    groups: isLarge ? 1 : 1 + random.below(3),
    alertsPerGroup: 1 + random.below(3),
    groupWaitMs: 1_000 + random.below(2_000),
    // As with the defaults, all members have had their turn before the next flush; else their flushes drift apart.
    groupIntervalMs: 5_000 + random.below(6_000) + (kind === 'calm' ? members * peerTimeoutMs : 0),
    repeatIntervalMs: 30_000 + random.below(30_000),
    peerTimeoutMs,
    link: linkOf(kind, random),
    answerMs: 1 + random.below(kind === 'calm' ? 200 : 1_000),
    slowAnswerMs: 1_000 + random.below(6_000),
    sendResolved: Array.from(
      { length: isLarge ? 1 : 1 + random.below(2) },
      () => random.below(3) > 0,
    ),
    aheadMs: Array.from({ length: members }, () =>
      isWild && random.below(2) === 0 ? random.below(8_000) - 4_000 : random.below(300),
    ),
    calmFromMs,
  };
  return { ...shape, steps: stepsOf(shape, random) };
}

type Shape = Omit<ClusterPlan, 'steps'>;

function linkOf(kind: ClusterKind, random: SeededRandom): ClusterPlan['link'] {
  const isLossy = kind === 'lossy' || kind === 'storm';
  const maxDelayMs = isLossy ? 10 + random.below(300) : 1 + random.below(120);
  return {
    minDelayMs: 0.2,
    maxDelayMs,
    loss: isLossy ? random.next() * 0.15 : 0,
    duplication: isLossy ? random.next() * 0.1 : 0,
  };
}

function stepsOf(shape: Shape, random: SeededRandom): ClusterStep[] {
  const steps: ClusterStep[] = [...alertSteps(shape, random), ...silenceSteps(shape, random)];
  const { kind } = shape;
  const isStorm = kind === 'storm';
  if (kind === 'cut' || isStorm) steps.push(...cutSteps(shape, random));
  if (kind === 'crash' || isStorm) steps.push(...crashSteps(shape, random));
  if (kind === 'receiver' || isStorm) steps.push(...receiverSteps(shape, random));
  if (isStorm) steps.push(...clockSteps(shape, random));
  if (kind === 'calm') steps.push(...stallSteps(shape));
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** Every alert begins, most end, some begin anew. */
function alertSteps({ groups, alertsPerGroup, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  for (let group = 0; group < groups; group++) {
    for (let index = 0; index < alertsPerGroup; index++) {
      let atMs = random.below(calmFromMs / 2);
      let isFiring = false;
      while (atMs < calmFromMs) {
        const alert = { group, index };
        steps.push({ atMs, event: { kind: isFiring ? 'resolve' : 'fire', alert } });
        isFiring = !isFiring;
        atMs += 500 + random.below(50_000);
      }
    }
  }
  return steps;
}

function silenceSteps({ groups, members, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  for (let count = random.below(3); count > 0; count--) {
    const group = random.below(groups);
    const atMs = random.below(calmFromMs);
    const endMs = atMs + 1_000 + random.below(40_000);
    steps.push({ atMs, event: { kind: 'silence', group, member: random.below(members) } });
    if (endMs >= calmFromMs) continue;
    const member = random.below(members);
    steps.push({ atMs: endMs, event: { kind: 'unsilence', group, member } });
  }
  return steps;
}

/** Members, the servers and the receivers in two parts that hear each other not, or one not the other. */
function cutSteps({ members, servers, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  let atMs = random.below(20_000);
  while (atMs < calmFromMs) {
    const inMembers = random.below(4) > 0;
    const hosts = [
      ...(inMembers || random.below(2) === 0 ? names('m', members) : []),
      ...(random.below(2) === 0 ? names('server', servers) : []),
      ...(random.below(3) === 0 ? ['sink'] : []),
    ];
    const [from, to] = split(hosts, random);
    steps.push({ atMs, event: { kind: 'cut', from, to } });
    if (random.below(3) > 0) steps.push({ atMs, event: { kind: 'cut', from: to, to: from } });
    atMs += 500 + random.below(random.below(2) === 0 ? 6_000 : 40_000);
    steps.push({ atMs: Math.min(atMs, calmFromMs), event: { kind: 'heal' } });
    atMs += 500 + random.below(30_000);
  }
  return steps;
}

function crashSteps({ members, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  for (let member = 0; member < members; member++) {
    if (random.below(Math.max(2, members / 3)) > 0) continue;
    let atMs = random.below(calmFromMs);
    while (atMs < calmFromMs) {
      const kind = random.below(4) === 0 ? ('stop' as const) : ('crash' as const);
      steps.push({ atMs, event: { kind, member } });
      atMs = Math.min(calmFromMs, atMs + 5_000 + random.below(25_000));
      steps.push({ atMs, event: { kind: 'start', member } });
      atMs += 15_000 + random.below(60_000);
    }
  }
  return steps;
}

function receiverSteps({ sendResolved, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  for (const receiver of sendResolved.keys()) {
    let atMs = random.below(30_000);
    while (atMs < calmFromMs) {
      const mode = pick(random, ['slow', 'fails', 'refuses', 'hangs'] as const);
      steps.push({ atMs, event: { kind: 'receiver', receiver, mode } });
      atMs = Math.min(calmFromMs, atMs + 1_000 + random.below(25_000));
      steps.push({ atMs, event: { kind: 'receiver', receiver, mode: 'well' } });
      atMs += 1_000 + random.below(30_000);
    }
  }
  return steps;
}

/**
 * In every second of the runs that promise exactly one, members get no processor time now and then: the first for less than
 * what the second waits for it beside its delivery, the others past their turn.
 */
function stallSteps({ seed, members, calmFromMs, peerTimeoutMs }: Shape): ClusterStep[] {
  const random = new SeededRandom(seed ^ STALLS);
  const steps: ClusterStep[] = [];
  if (random.below(2) === 0) return steps;
  let atMs = random.below(5_000);
  while (atMs < calmFromMs) {
    const member = random.below(members);
    const forMs =
      member === 0
        ? 100 + random.below(peerTimeoutMs - FIRST_NEEDS_MS)
        : Math.round(peerTimeoutMs * (0.75 + 0.5 * random.next()));
    steps.push({ atMs, event: { kind: 'stall', member, forMs } });
    atMs += forMs + 3_000 + random.below(2_000);
  }
  return steps;
}

/** A clock leaps ahead or back, by seconds or by more than an hour, and is set right later. */
function clockSteps({ members, calmFromMs }: Shape, random: SeededRandom) {
  const steps: ClusterStep[] = [];
  if (random.below(2) === 0) return steps;
  const member = random.below(members);
  const atMs = random.below(calmFromMs / 2);
  const leapMs = random.below(2) === 0 ? 4_000_000 : 15_000;
  const aheadMs = random.below(2) === 0 ? leapMs : -leapMs;
  steps.push({ atMs, event: { kind: 'clock', member, aheadMs } });
  const backMs = atMs + 1_000 + random.below(30_000);
  steps.push({
    atMs: Math.min(backMs, calmFromMs),
    event: { kind: 'clock', member, aheadMs: 0 },
  });
  return steps;
}

export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => hostName(prefix, index));
}

/** Of three digits, so that members sort by number: the first of them speaks first. */
export function hostName(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(3, '0')}`;
}

function split(hosts: readonly string[], random: SeededRandom): [string[], string[]] {
  const parts: [string[], string[]] = [[], []];
  for (const host of hosts) parts[random.below(2) === 0 ? 0 : 1].push(host);
  return parts;
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** A step as a line of a timeline. */
export function describeEvent(event: ClusterEvent): string {
  switch (event.kind) {
    case 'fire':
    case 'resolve':
      return `${event.kind} ${alertText(event.alert)}`;
    case 'silence':
    case 'unsilence':
      return `${event.kind} g${event.group} at ${hostName('m', event.member)}`;
    case 'cut':
      return `cut ${event.from.join(' ')} -> ${event.to.join(' ')}`;
    case 'heal':
      return 'heal';
    case 'crash':
    case 'stop':
    case 'start':
      return `${event.kind} ${hostName('m', event.member)}`;
    case 'receiver':
      return `receiver r${event.receiver} ${event.mode}`;
    case 'stall':
      return `${hostName('m', event.member)} gets no processor time for ${event.forMs} ms`;
    case 'clock':
      return `clock of ${hostName('m', event.member)} ahead by ${event.aheadMs} ms`;
  }
}

export function alertText({ group, index }: AlertName): string {
  return `g${group}/${index}`;
}
