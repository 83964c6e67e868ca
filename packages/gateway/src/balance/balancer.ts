import type { Clock } from '@pollux/base';
import type { Peer } from './peer.ts';
import { chooseInTurn, chooseLeastConnected } from './round-robin.ts';

export type BalanceMethod = 'round_robin' | 'least_conn';

/** Chooses members of a group as nginx chooses the servers of an upstream. */
export class Balancer<M> {
  readonly peers: readonly Peer<M>[];
  readonly #clock: Clock;
  readonly #choose: (peers: readonly Peer<M>[]) => Peer<M> | null;
  readonly #primary: readonly Peer<M>[];
  readonly #backup: readonly Peer<M>[];

  constructor(peers: readonly Peer<M>[], method: BalanceMethod, clock: Clock) {
    this.peers = peers;
    this.#clock = clock;
    this.#choose = method === 'least_conn' ? chooseLeastConnected : chooseInTurn;
    this.#primary = peers.filter(({ settings }) => !settings.isBackup);
    this.#backup = peers.filter(({ settings }) => settings.isBackup);
  }

  /**
   * A member for one try, or null when none is left: those in `tried` are not asked again, those that `isFit` refuses not at all. Each
   * that is taken must be given back by {@link release}. In a group of one neither failures nor earlier tries keep from it: there is
   * nobody else.
   */
  take(tried: readonly Peer<M>[], isFit?: (member: M) => boolean): Peer<M> | null {
    const nowMs = this.#clock.monotonic();
    const isOnly = this.peers.length === 1;
    const able = (peer: Peer<M>): boolean =>
      (isFit === undefined || isFit(peer.member)) &&
      (isOnly
        ? !peer.settings.isDown && !isFull(peer)
        : !tried.includes(peer) && peer.isAble(nowMs));
    const chosen =
      this.#choose(this.#primary.filter(able)) ?? this.#choose(this.#backup.filter(able));
    chosen?.take(nowMs);
    return chosen;
  }

  /** True when this failure has just taken the member out. */
  release(peer: Peer<M>, isGood: boolean | null): boolean {
    const wasOut = peer.isTakenOut;
    peer.release(isGood, this.#clock.monotonic());
    return !wasOut && peer.isTakenOut;
  }
}

function isFull<M>({ settings, connCount }: Peer<M>): boolean {
  return settings.maxConns > 0 && connCount >= settings.maxConns;
}
