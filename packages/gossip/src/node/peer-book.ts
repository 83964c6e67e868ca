/** Addresses of peers that are not members now: those configured and not yet met, and those lost. */
export class PeerBook {
  /** `ip:port` → monotonic ms since when it is missing. */
  readonly #failed = new Map<string, number>();

  get failedCount(): number {
    return this.#failed.size;
  }

  failed(): string[] {
    return [...this.#failed.keys()];
  }

  markFailed(address: string, nowMs: number): void {
    if (!this.#failed.has(address)) this.#failed.set(address, nowMs);
  }

  markAlive(address: string): void {
    this.#failed.delete(address);
  }

  /** Gives up on an address that is nobody's any more. */
  forget(address: string): void {
    this.#failed.delete(address);
  }

  /** Gives up on those missing for `timeoutMs`. */
  forgetOld(timeoutMs: number, nowMs: number): void {
    for (const [address, sinceMs] of this.#failed) {
      if (nowMs - sinceMs >= timeoutMs) this.#failed.delete(address);
    }
  }
}
