import { sameNotificationLog } from '../agreement-checks.ts';
import { ALWAYS_REACHED } from './cluster-plan.ts';
import type { ClusterWorld } from './cluster-world.ts';
import { isLostWithDead } from './excuses.ts';
import { gossipBoundMs, gossipRoundsMs, repairBoundMs, tellBoundMs } from './promises.ts';
import { wholeForMs } from './too-few.ts';
import { shown } from './too-many.ts';

/** Clocks are wrong by less than this at the end; what is about to expire is not asked for. */
const LIFE_MARGIN_MS = 1_000;

type ShownSilence = { readonly id: string; readonly status: { readonly state: string } };
type ShownStatus = { readonly cluster: { readonly peers: readonly { readonly name: string }[] } };

/** What members hold at the end of a run, when all has been well for long enough: the same silences, log and members. */
export async function disagreements(cluster: ClusterWorld): Promise<string[]> {
  const problems: string[] = laggingLogs(cluster);
  const isJustTold = wasToldLately(cluster);
  const [first = ''] = cluster.memberNames;
  const expected = await silencesOf(cluster, first);
  const log = cluster.file(first, 'nflog');
  for (const member of cluster.memberNames) {
    const silences = await silencesOf(cluster, member);
    if (silences !== expected) {
      problems.push(`silences differ: ${first} has [${expected}], ${member} has [${silences}]`);
    }
    const differing = sameNotificationLog(log, cluster.file(member, 'nflog'));
    if (differing.length > 0 && !isJustTold) {
      problems.push(
        `the logs of ${first} (a) and ${member} (b) differ: ${differing.length} entries`,
      );
    }
    const status = (await cluster.ask(member, { method: 'GET' }, '/api/v2/status')) as ShownStatus;
    const peers = status.cluster.peers.map(({ name }) => name).sort();
    if (peers.join() !== cluster.memberNames.join()) {
      problems.push(`${member} sees the members [${peers}] of ${cluster.memberNames.length}`);
    }
  }
  return problems;
}

/** For so long after it was told, a large or lossy cluster need not know of it everywhere. */
function lagMs({ plan }: ClusterWorld): number {
  const repairMs = plan.link.loss > 0 || plan.members > ALWAYS_REACHED ? repairBoundMs(plan) : 0;
  return gossipRoundsMs(plan) + repairMs;
}

/** Large clusters tell again before the bound of repair has passed: they never all hold the same bytes in one moment. */
function wasToldLately(cluster: ClusterWorld): boolean {
  const sinceMs = cluster.now() - lagMs(cluster);
  return cluster.attempts.all.some(
    ({ isTaken, endedMs }) => isTaken && endedMs !== null && endedMs > sinceMs,
  );
}

/** Whose log is behind what was told, noted and could be everywhere by now. */
function laggingLogs(cluster: ClusterWorld): string[] {
  const problems: string[] = [];
  const { plan } = cluster;
  const beforeMs = cluster.now() - lagMs(cluster);
  for (let group = 0; group < plan.groups; group++) {
    for (let receiver = 0; receiver < plan.sendResolved.length; receiver++) {
      const known = cluster.memberNames.map((member) => cluster.heldBy(member, group, receiver));
      const newestMs = Math.max(
        ...cluster.attempts.all
          .filter((one) => one.group === group && one.receiver === receiver && one.isTaken)
          .filter(({ endedMs }) => endedMs !== null && endedMs <= beforeMs)
          .filter((one) => !isLostWithDead(cluster, one))
          .map(({ endedWallMs }) => endedWallMs ?? -Infinity),
      );
      const isLive = newestMs + 2 * plan.repeatIntervalMs > cluster.now() + LIFE_MARGIN_MS;
      if (!isLive) continue;
      for (const [index, member] of cluster.memberNames.entries()) {
        const heldMs = known[index]?.stampMs ?? -Infinity;
        if (heldMs >= newestMs - 1) continue;
        problems.push(
          `the log of ${member} is behind: of g${group} at r${receiver} it knows ${heldMs - cluster.startMs}, told was ${newestMs - cluster.startMs} ms`,
        );
      }
    }
  }
  return problems;
}

async function silencesOf(cluster: ClusterWorld, member: string): Promise<string> {
  const answer = await cluster.ask(member, { method: 'GET' }, '/api/v2/silences');
  return (answer as ShownSilence[])
    .map(({ id, status }) => `${id} ${status.state}`)
    .sort()
    .join();
}

/**
 * Watches that a silence which one member has confirmed holds everywhere once all members have heard each other for the
 * time that it takes to spread, and that no member holds a live one for dead while nothing gives it cause.
 */
export class Watch {
  readonly problems: string[] = [];
  readonly #cluster: ClusterWorld;
  readonly #spreadMs = new Map<string, number>();

  constructor(cluster: ClusterWorld) {
    this.#cluster = cluster;
  }

  /** To be called often, at least once a second. */
  look(): void {
    const { plan, silences } = this.#cluster;
    const boundMs =
      plan.kind === 'calm' ? gossipBoundMs(plan) : gossipBoundMs(plan) + repairBoundMs(plan);
    for (const { id, createdMs } of silences) {
      if (id === null || createdMs === null || this.#spreadMs.has(id)) continue;
      const isSpread = wholeForMs(this.#cluster, createdMs) > boundMs;
      if (isSpread) this.#spreadMs.set(id, this.#cluster.now());
    }
  }

  /** At the end: messages of what was silenced, and deaths that were none. */
  conclude(): string[] {
    return [...this.problems, ...this.#silenced(), ...this.#falseDeaths()];
  }

  #silenced(): string[] {
    const { plan, silences, receivers } = this.#cluster;
    // A flush looks at silences when it begins, and may wait and try until its time is over.
    const flushMs = tellBoundMs(plan, plan.members);
    const problems: string[] = [];
    for (const { group, id, endAskedMs } of silences) {
      const fromMs = (this.#spreadMs.get(id ?? '') ?? Infinity) + flushMs;
      for (let receiver = 0; receiver < plan.sendResolved.length; receiver++) {
        for (const message of receivers.accepted(group, receiver)) {
          if (message.beganMs < fromMs || message.beganMs > (endAskedMs ?? Infinity)) continue;
          problems.push(`silenced everywhere, but told: ${shown(this.#cluster, message)}`);
        }
      }
    }
    return problems;
  }

  /** Where all live, hear each other and lose nothing, nobody is ever declared dead. */
  #falseDeaths(): string[] {
    const { plan, logs, startMs } = this.#cluster;
    const isSteady = plan.kind === 'calm' || plan.kind === 'receiver';
    if (!isSteady) return [];
    return logs
      .filter(({ line }) => line.includes('msg="peer left"'))
      .filter(({ atMs }) => atMs < startMs + plan.calmFromMs)
      .map(({ atMs, line }) => `a live member was declared dead at ${atMs - startMs} ms: ${line}`);
  }
}
