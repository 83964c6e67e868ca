import type { Clock } from '@pollux/base';
import type {
  ClusterChannel,
  ClusterPort,
  ClusterStatePart,
  LinkState,
  MemberLink,
} from '../cluster-port.ts';

/** Members that reach each other after `delayMs`; a dead one is noticed after `detectionMs`. For tests. */
export class FakeCluster {
  readonly clock: Clock;
  readonly delayMs: number;
  readonly detectionMs: number;
  readonly members: FakeMember[] = [];

  constructor(clock: Clock, options: { delayMs: number; detectionMs?: number }) {
    this.clock = clock;
    this.delayMs = options.delayMs;
    this.detectionMs = options.detectionMs ?? 5_000;
  }

  /** `settleMs` after now the member has exchanged states with all others and is settled. */
  join(name: string, settleMs = 0): FakeMember {
    const member = new FakeMember(this, name);
    this.members.push(member);
    this.changed();
    this.clock.after(settleMs, () => {
      for (const other of this.members) {
        if (other === member || !other.isAlive || member.isCutOff || other.isCutOff) continue;
        member.exchange(other);
      }
      member.settle();
    });
    return member;
  }

  changed(): void {
    for (const { listeners } of this.members) for (const listener of listeners) listener();
  }
}

export class FakeMember implements ClusterPort {
  readonly name: string;
  isAlive = true;
  /** Set once the others have noticed its death. */
  isGone = false;
  /** Sends and receives nothing while set. */
  isCutOff = false;
  /** Pings over UDP do not reach it while set. */
  isUdpBlocked = false;
  readonly parts = new Map<string, ClusterStatePart>();
  readonly listeners = new Set<() => void>();
  readonly #cluster: FakeCluster;
  #isSettled = false;
  readonly #waiters: (() => void)[] = [];

  constructor(cluster: FakeCluster, name: string) {
    this.#cluster = cluster;
    this.name = name;
  }

  kill(): void {
    this.isAlive = false;
    this.#cluster.clock.after(this.#cluster.detectionMs, () => {
      this.isGone = true;
      this.#cluster.changed();
    });
  }

  peers(): readonly { readonly name: string; readonly address: string }[] {
    return this.#cluster.members
      .filter(({ isGone }) => !isGone)
      .map(({ name }) => ({ name, address: `${name}:9094` }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  position(): number {
    return this.peers().findIndex(({ name }) => name === this.name);
  }

  onMembership(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async caughtUp(): Promise<void> {}

  status(): 'ready' | 'settling' {
    return this.#isSettled ? 'ready' : 'settling';
  }

  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  settle(): void {
    this.#isSettled = true;
    for (const resolve of this.#waiters) resolve();
  }

  exchange(other: FakeMember): void {
    for (const [key, part] of this.parts) {
      const theirs = other.parts.get(key);
      if (theirs === undefined) continue;
      const mine = part.marshal();
      part.merge(theirs.marshal(), other.name);
      theirs.merge(mine, this.name);
    }
  }

  /** UDP to a member that has it blocked is lost; a dead or cut-off one does not answer at all. */
  diagnose(): Promise<readonly MemberLink[]> {
    return Promise.resolve(
      this.#cluster.members
        .filter((other) => other !== this && !other.isGone)
        .map((other): MemberLink => {
          const isThere = other.isAlive && !other.isCutOff && !this.isCutOff;
          return {
            name: other.name,
            address: `${other.name}:9094`,
            isSuspected: !other.isAlive,
            udp: link(isThere && !other.isUdpBlocked),
            tcp: link(isThere),
            lastContactMs: null,
          };
        }),
    );
  }

  conflicts(): readonly [] {
    return [];
  }

  addState(key: string, part: ClusterStatePart): ClusterChannel {
    this.parts.set(key, part);
    return { broadcast: (data) => this.#broadcast(key, data.slice()) };
  }

  #broadcast(key: string, data: Uint8Array): void {
    if (!this.isAlive || this.isCutOff) return;
    for (const other of this.#cluster.members) {
      if (other === this) continue;
      this.#cluster.clock.after(this.#cluster.delayMs, () => {
        if (other.isAlive && !other.isCutOff) other.parts.get(key)?.merge(data, null);
      });
    }
  }
}

function link(isReachable: boolean): LinkState {
  return isReachable
    ? { isReachable, roundTripMs: 1, error: '' }
    : { isReachable, roundTripMs: null, error: 'no answer within 2000 ms' };
}
