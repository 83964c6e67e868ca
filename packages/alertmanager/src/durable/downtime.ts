import type { Alert, AlertIdentity } from '../alert/alert.ts';
import type { LogEntry } from '../nflog/entry.ts';

export type Downtime = {
  /** The last moment at which the process is known to have run, ms. */
  readonly downMs: number;
  readonly startedMs: number;
  /** `global.resolve_timeout`, ms. */
  readonly resolveTimeoutMs: number;
};

/**
 * An alert's end is mostly a term that its sender prolongs as long as it fires, and nobody could while the process was
 * down. An alert that fired when the process ended, and that now has less than half of its last term left, gets back of the
 * time that was lost what makes it half a term, at most the resolve timeout; its end is a guess from then on, which any
 * word of the sender overrides. All others keep their end to the millisecond.
 */
export function afterDowntime(alert: Alert, downtime: Downtime): Alert {
  const { downMs, startedMs, resolveTimeoutMs } = downtime;
  const termMs = alert.endsAtMs - alert.updatedAtMs;
  const firedWhenDown = alert.endsAtMs > downMs && termMs > 0;
  const halfMs = Math.min(termMs / 2, resolveTimeoutMs);
  if (!firedWhenDown || startedMs <= downMs || alert.endsAtMs >= startedMs + halfMs) return alert;
  const lostMs = startedMs - downMs;
  const endsAtMs = Math.floor(Math.min(alert.endsAtMs + lostMs, startedMs + halfMs));
  return { ...alert, endsAtMs, isTimeout: true };
}

/** By then every group has dealt with what was restored, ms. */
const KEPT_MS = 3_600_000;

/**
 * What a restored alert may not do before its sender has repeated it: contradict what other members notified meanwhile, or
 * begin a conversation when its term was over before the process was back.
 */
export class RestoredAlerts {
  readonly #untilMs: number;
  /** Not confirmed: still the version of before. */
  readonly #updatedAtMs: Map<AlertIdentity, number>;
  readonly #lapsed: ReadonlySet<AlertIdentity>;
  /** Groups that go on as soon as the sender repeats the alert. */
  readonly #awaited = new Map<AlertIdentity, Set<string>>();

  constructor(before: readonly Alert[], { startedMs, resolveTimeoutMs }: Downtime) {
    this.#untilMs = startedMs + resolveTimeoutMs;
    this.#updatedAtMs = new Map(before.map(({ identity, updatedAtMs }) => [identity, updatedAtMs]));
    this.#lapsed = new Set(
      before.filter(({ endsAtMs }) => endsAtMs <= startedMs).map(({ identity }) => identity),
    );
  }

  /**
   * Whether the alert is left out of a notification of `group` for now. `entry` is what the log has for the group and the
   * integration, `isFromMember` whether another member wrote it since the start.
   */
  isDoubted(
    alert: Alert,
    entry: LogEntry | null,
    at: {
      readonly group: string;
      readonly isFiring: boolean;
      readonly isFromMember: boolean;
      readonly nowMs: number;
    },
  ): boolean {
    if (at.nowMs >= this.#untilMs + KEPT_MS) {
      this.#updatedAtMs.clear();
      this.#awaited.clear();
    }
    if (!this.#isUnconfirmed(alert)) return false;
    if (entry?.firing.includes(alert.identity.hash) === true) return false;
    // Nothing of it is open, says a member who heard the senders: there is no end to tell either.
    if (!at.isFiring) return at.isFromMember;
    if (at.nowMs >= this.#untilMs) return false;
    if (!at.isFromMember && !this.#lapsed.has(alert.identity)) return false;
    const groups = this.#awaited.get(alert.identity) ?? new Set();
    this.#awaited.set(alert.identity, groups.add(at.group));
    return true;
  }

  /** True once for each group that left the alert out, when its sender has repeated it. */
  takeConfirmed(group: string, alert: Alert): boolean {
    if (this.#awaited.size === 0) return false;
    const groups = this.#awaited.get(alert.identity);
    return groups !== undefined && !this.#isUnconfirmed(alert) && groups.delete(group);
  }

  #isUnconfirmed({ identity, updatedAtMs }: Alert): boolean {
    return this.#updatedAtMs.get(identity) === updatedAtMs;
  }
}
