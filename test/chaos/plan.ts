import type { Random } from '@pollux/base';
import { HOSTS, type HostName } from '@pollux/roles/up';
import { type Alarm, FAULT_KINDS, type FaultKind, ISOLATED_KINDS } from './record.ts';

export const ROLES = ['server', 'alertmanager', 'store', 'gateway'] as const;
export type RoleName = (typeof ROLES)[number];

/** Times are from the start of the run. */
export type PlannedFault = {
  readonly atMs: number;
  readonly durationMs: number;
  readonly kind: FaultKind;
  readonly host: HostName;
  /** What is hit when it is one process. */
  readonly role: RoleName;
};

export type Plan = {
  /** Before anything is judged both servers have scraped for so long. */
  readonly warmUpMs: number;
  readonly durationMs: number;
  readonly faults: readonly PlannedFault[];
  readonly alarms: readonly Alarm[];
};

const WARM_UP_MS = 15_000;
/** Between a fault that took long to recover from and the next, or the end. */
export const LEAST_PAUSE_MS = 10_000;

const FIRST_FAULT_MS = 25_000;
const FIRST_ALARM_MS = 8_000;
/** Time to recover: a server covers a whole window again, an alertmanager has settled. */
const PAUSE_MS = 22_000;
/** Nothing begins so shortly before the end, so that every consequence is seen. */
const LAST_FAULT_BEFORE_END_MS = 45_000;
const LAST_ALARM_BEFORE_END_MS = 65_000;
const SILENCED_EVERY = 5;
/** Servers are what queries feel most. */
const DRAWN_ROLES: readonly RoleName[] = ['server', 'server', 'alertmanager', 'store', 'gateway'];

/**
 * Faults and alarms of a run, the same for the same seed, length and isolation. Every kind comes before any comes again, and then to
 * the other host.
 */
export function planOf(random: Random, durationMs: number, isIsolated: boolean): Plan {
  const kinds = isIsolated ? [...FAULT_KINDS, ...ISOLATED_KINDS] : FAULT_KINDS;
  const faults = faultsOf(random, durationMs, kinds);
  return { warmUpMs: WARM_UP_MS, durationMs, faults, alarms: alarmsOf(random, durationMs) };
}

/** Half a minute with one fault, for a run among other tests: a host that nobody reaches, or one that is killed. */
export function shortPlanOf(random: Random, isIsolated: boolean): Plan {
  const fault = {
    atMs: 6_000,
    durationMs: 4_000,
    host: drawn(random, HOSTS),
    role: 'server',
  } as const;
  const alarm = { id: '0', riseMs: 1_000, fallMs: 60_000, isSilenced: false };
  return {
    warmUpMs: 4_000,
    // The fault, and what is left free behind one.
    durationMs: 21_000,
    faults: [{ ...fault, kind: isIsolated ? 'cut-host' : 'kill-host' }],
    alarms: [alarm],
  };
}

function faultsOf(random: Random, durationMs: number, kinds: readonly FaultKind[]): PlannedFault[] {
  const faults: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  const hitBefore = new Map<FaultKind, HostName>();
  for (
    let atMs = FIRST_FAULT_MS + random.below(3_000);
    atMs < durationMs - LAST_FAULT_BEFORE_END_MS;
  ) {
    if (deck.length === 0) deck = shuffled(random, kinds);
    const kind = deck.pop() ?? 'kill-process';
    const other = HOSTS.find((name) => name !== hitBefore.get(kind)) ?? 'A';
    const host = hitBefore.has(kind) ? other : drawn(random, HOSTS);
    hitBefore.set(kind, host);
    const lastsMs = 4_000 + random.below(8_000);
    faults.push({
      atMs,
      durationMs: lastsMs,
      kind,
      host,
      role: drawn(random, DRAWN_ROLES),
    });
    atMs += lastsMs + PAUSE_MS + random.below(6_000);
  }
  return faults;
}

function alarmsOf(random: Random, durationMs: number): Alarm[] {
  const alarms: Alarm[] = [];
  for (
    let riseMs = FIRST_ALARM_MS + random.below(3_000);
    riseMs < durationMs - LAST_ALARM_BEFORE_END_MS;
    riseMs += 5_000 + random.below(5_000)
  ) {
    alarms.push({
      id: String(alarms.length),
      riseMs,
      fallMs: riseMs + 20_000 + random.below(15_000),
      isSilenced: alarms.length % SILENCED_EVERY === SILENCED_EVERY - 1,
    });
  }
  return alarms;
}

function drawn<T>(random: Random, list: readonly T[]): T {
  const found = list[random.below(list.length)];
  if (found === undefined) throw new RangeError('nothing to draw from');
  return found;
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const rest = [...list];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(random.below(rest.length), 1));
  return result;
}
