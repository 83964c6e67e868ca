import { sameNotificationLog } from '../agreement-checks.ts';
import type { ClusterWorld } from './cluster-world.ts';
import { gossipBoundMs, repairBoundMs, tellBoundMs } from './promises.ts';
import { wholeForMs } from './too-few.ts';
import { shown } from './too-many.ts';

type ShownSilence = { readonly id: string; readonly status: { readonly state: string } };
type ShownStatus = { readonly cluster: { readonly peers: readonly { readonly name: string }[] } };

/** What members hold at the end of a run, when all has been well for long enough: the same silences, log and members. */
export async function disagreements(cluster: ClusterWorld): Promise<string[]> {
  const problems: string[] = [];
  const [first = ''] = cluster.memberNames;
  const expected = await silencesOf(cluster, first);
  const log = cluster.file(first, 'nflog');
  for (const member of cluster.memberNames) {
    const silences = await silencesOf(cluster, member);
    if (silences !== expected) {
      problems.push(`silences differ: ${first} has [${expected}], ${member} has [${silences}]`);
    }
    const differing = sameNotificationLog(log, cluster.file(member, 'nflog'));
    if (differing.length > 0) {
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
