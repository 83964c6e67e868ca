/** How one member takes part in the balancing; names and meanings as of `server` in nginx's `upstream`. */
export type PeerSettings = {
  /** Its share among the members, at least 1. */
  readonly weight: number;
  /** So many failures within {@link failTimeoutMs} take it out for as long; 0: never. */
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  /** Asked only when no other member can be. */
  readonly isBackup: boolean;
  /** Never asked. */
  readonly isDown: boolean;
  /** Requests at once, 0 for any number. */
  readonly maxConns: number;
};

/** A member as the balancing sees it: its settings, and what became of the requests to it. */
export class Peer<M> {
  readonly member: M;
  readonly settings: PeerSettings;
  /** Requests that it has not answered to the end. */
  connCount = 0;
  /** Falls with each failure and comes back by one a turn, so that a member that fails now and then gets less. */
  effectiveWeight: number;
  /** Of the smooth weighted round robin: grows by the weight each turn, shrinks by all weights when chosen. */
  currentWeight = 0;
  failCount = 0;
  /** Monotonic time of the last failure. */
  #failedMs = Number.NEGATIVE_INFINITY;
  /** Monotonic time of the last failure, or of the last trial behind it. */
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(member: M, settings: PeerSettings) {
    this.member = member;
    this.settings = settings;
    this.effectiveWeight = settings.weight;
  }

  /** Whether failures and limits leave it to be asked. */
  isAble(nowMs: number): boolean {
    const { isDown, maxFails, failTimeoutMs, maxConns } = this.settings;
    if (isDown || (maxConns > 0 && this.connCount >= maxConns)) return false;
    return maxFails === 0 || this.failCount < maxFails || nowMs - this.#checkedMs > failTimeoutMs;
  }

  /** Chosen for a request. Behind a pause it is one request that tries whether the member is back. */
  take(nowMs: number): void {
    if (nowMs - this.#checkedMs > this.settings.failTimeoutMs) this.#checkedMs = nowMs;
    this.connCount++;
  }

  /** The request has ended; `null` says nothing of the member (the client left, another try was faster). */
  release(isGood: boolean | null, nowMs: number): void {
    this.connCount--;
    if (isGood === null) return;
    if (isGood) {
      // A failure counts until a trial that began after it went well.
      if (this.#failedMs < this.#checkedMs) this.failCount = 0;
      return;
    }
    const { maxFails, weight } = this.settings;
    this.failCount++;
    this.#failedMs = nowMs;
    this.#checkedMs = nowMs;
    if (maxFails === 0) return;
    this.effectiveWeight = Math.max(0, this.effectiveWeight - Math.floor(weight / maxFails));
  }

  /** Forgets failures: something else, a check of its health, has proved that it answers. */
  forgive(): void {
    this.failCount = 0;
    this.effectiveWeight = this.settings.weight;
  }

  /** True from the failure that takes it out until a trial goes well. */
  get isTakenOut(): boolean {
    const { maxFails } = this.settings;
    return maxFails > 0 && this.failCount >= maxFails;
  }
}
