import { deadline, type Env, errorText, sleep, TimeoutError, type Timer } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { ClusterPort } from '../cluster-port.ts';
import { DeliveryError } from '../errors.ts';
import { entryKey } from '../nflog/entry.ts';
import type { Batch, Flush } from '../notify/batch.ts';
import type { Integration } from '../notify/integration.ts';
import type { NotificationReason } from '../notify/notification.ts';
import { KeyLocks } from './key-locks.ts';
import { Lanes } from './lanes.ts';
import { OutboxMetrics, type Settled } from './outbox-metrics.ts';
import type { OutboxStore } from './outbox-store.ts';
import {
  type DeadLetter,
  type DeathCause,
  integrationName,
  type OutboxEntry,
  type Owed,
  owedKey,
} from './owed.ts';
import type { DeliveryFailure, OwedNotes } from './owed-notes.ts';
import type { Resender } from './resender.ts';

/** How often ages and turns are looked at while something is owed, ms. */
const TICK_MS = 1_000;
/** One attempt may take so long, ms. */
const ATTEMPT_MS = 30_000;

export type OutboxOptions = {
  readonly env: Pick<Env, 'clock'>;
  readonly log: Log;
  readonly registry: Registry;
  readonly cluster: ClusterPort;
  readonly peerTimeoutMs: number;
  /** What could not be delivered for so long is given up. */
  readonly maxAgeMs: number;
  readonly store: OutboxStore;
};

/**
 * Notifications that did not get through, one for each group and integration, tried again until they are delivered, by
 * whomever, or too old.
 *
 * A flush of the group has the first right: while one is under way for an integration, the outbox keeps still, and what it
 * delivers settles the entry, since it speaks of the group as it is now. Between flushes the outbox sends, by the same
 * stages and the same log, so that neither doubles the other. Members try at common times (multiples of the pause), the
 * first of them at once and each further one a peer timeout later, and ask the log before they send.
 */
export class Outbox implements OwedNotes {
  readonly #options: OutboxOptions;
  readonly #metrics: OutboxMetrics;
  readonly #locks = new KeyLocks();
  readonly #lanes: Lanes;
  readonly #stop = new AbortController();
  #resender: Resender | null = null;
  #isOpen = false;
  #timer: Timer | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#metrics = new OutboxMetrics(options.registry, options.store);
    this.#lanes = new Lanes(
      options.env.clock,
      () => options.cluster.peers().length * options.peerTimeoutMs,
    );
  }

  /** From now on notifications are sent by this configuration. */
  use(resender: Resender): void {
    this.#resender = resender;
  }

  /** Begins to send; call it when the cluster has settled. */
  begin(): void {
    this.#isOpen = true;
    this.#wake();
  }

  /** Ends attempts under way; what is owed stays in the store. */
  close(): void {
    this.#stop.abort();
    this.#timer?.cancel();
  }

  inTurn<T>(flush: Flush, integration: Integration, way: () => Promise<T>): Promise<T> {
    return this.#locks.run(entryKey(flush.groupKey, integration.receiver), way);
  }

  owedReason(batch: Batch, integration: Integration): NotificationReason | null {
    const entry = this.#of(batch.flush, integration);
    if (entry === undefined || this.#resender === null) return null;
    const { owed } = entry;
    if (!this.#resender.isStillNews(owed)) {
      this.#settle(entry, 'delivered by another member');
      return null;
    }
    // Who wants no ends would be sent nothing by this flush; the outbox tells of what fired.
    if (!integration.sendResolved) return null;
    const spokenOf = new Set([...batch.firing, ...batch.resolved]);
    return owed.alerts.some(({ identity }) => spokenOf.has(identity.hash)) ? owed.reason : null;
  }

  failed(batch: Batch, integration: Integration, { error, isRetried }: DeliveryFailure): void {
    const { store } = this.#options;
    const entry = this.#of(batch.flush, integration);
    const isSameFlush = entry !== undefined && entry.owed.flushMs === batch.flush.nowMs;
    if (entry !== undefined && isSameFlush && isRetried) {
      store.noteAttempt(entry, error);
      return;
    }
    const owed = this.#owedOf(batch, integration, entry?.owed.sinceMs);
    if (!isRetried) {
      if (entry !== undefined) store.remove(entry.id);
      this.#bury(owed, {
        cause: 'refused',
        error,
        attempts: (entry?.attempts ?? 0) + 1,
        isEscalated: entry?.isEscalated ?? false,
      });
      return;
    }
    this.#put(owed, error);
  }

  delivered(flush: Flush, integration: Integration): void {
    const entry = this.#of(flush, integration);
    if (entry !== undefined) this.#settle(entry, 'delivered');
    this.#options.store.letters.removeOf(entryKey(flush.groupKey, integration.receiver));
  }

  overtaken(flush: Flush, integration: Integration): void {
    const entry = this.#of(flush, integration);
    if (entry !== undefined) this.#settle(entry, 'delivered by another member');
  }

  /** Sends a dead letter as its alerts were. What became of it is noted; a letter that was delivered is gone. */
  async replay(letter: DeadLetter): Promise<string | null> {
    const { store, env } = this.#options;
    const error = await this.#locks.run(owedKey(letter.owed), () => this.#replayOnce(letter.owed));
    if (error === null) store.letters.remove(letter.id);
    else store.letters.noteReplay(letter.id, { atMs: env.clock.now(), error });
    return error;
  }

  async #replayOnce(owed: Owed): Promise<string | null> {
    const integration = this.#resender?.integrationOf(owed) ?? null;
    if (this.#resender === null || integration === null) return unknownReceiver(owed);
    const limit = this.#deadline();
    try {
      await this.#resender.replay(owed, integration, limit.signal);
      return null;
    } catch (error) {
      return errorText(error);
    } finally {
      limit.release();
    }
  }

  #of(flush: Flush, { receiver }: Integration): OutboxEntry | undefined {
    return this.#options.store.of(entryKey(flush.groupKey, receiver));
  }

  #owedOf({ flush, alerts, reason }: Batch, { receiver }: Integration, sinceMs?: number): Owed {
    return {
      receiverName: receiver.groupName,
      receiver,
      routeKey: flush.route.key,
      groupKey: flush.groupKey,
      groupLabels: flush.groupLabels,
      reason,
      alerts,
      flushMs: flush.nowMs,
      sinceMs: sinceMs ?? this.#options.env.clock.now(),
      isFallback: false,
    };
  }

  #put(owed: Owed, error: string): void {
    const { store, log } = this.#options;
    const put = store.put(owed, error);
    if (put === null) {
      this.#metrics.settled.with('too large').inc();
      log.error(
        'A notification that could not be delivered is too large to be kept',
        placeOf(owed),
      );
      return;
    }
    for (const oldest of store.overflowing()) this.#die(oldest, 'overflow', 'the outbox is full');
    this.#wake();
  }

  #settle(entry: OutboxEntry, how: Settled): void {
    this.#options.store.remove(entry.id);
    this.#metrics.settled.with(how).inc();
  }

  #die(entry: OutboxEntry, cause: DeathCause, error: string): void {
    this.#settle(entry, 'dead');
    const { owed, attempts, isEscalated } = entry;
    this.#bury(owed, { cause, error, attempts, isEscalated });
  }

  #bury(
    owed: Owed,
    death: Pick<DeadLetter, 'cause' | 'error' | 'attempts'> & { readonly isEscalated: boolean },
  ): void {
    const { store, log, env } = this.#options;
    const { isEscalated, ...how } = death;
    const dropped = store.bury(owed, { ...how, diedMs: env.clock.now() });
    for (const letter of dropped) this.#droppedLetter(letter);
    log.error('A notification is given up; it is a dead letter now', {
      ...placeOf(owed),
      cause: how.cause,
      err: how.error,
    });
    if (!isEscalated) this.#escalate(owed);
  }

  /** Gives the notification to the receiver's fallback as well; its log keeps members from doing so twice. */
  #escalate(owed: Owed): void {
    const fallback = this.#resender?.fallbackOf(owed.receiverName) ?? null;
    if (fallback === null || this.#resender === null) return;
    const { env, log } = this.#options;
    const name = `${fallback.receiver} (fallback for ${owed.receiverName})`;
    for (const { receiver } of this.#resender.integrationsOf(fallback.receiver)) {
      const given: Owed = {
        ...owed,
        receiverName: fallback.receiver,
        receiver: { ...receiver, groupName: name },
        reason: `fallback for "${owed.receiverName}": ${plainReason(owed.reason)}`,
        sinceMs: env.clock.now(),
        isFallback: true,
      };
      if (this.#options.store.of(owedKey(given)) !== undefined) continue;
      this.#put(given, '');
      this.#lanes.hasten(given);
    }
    this.#metrics.escalated.inc();
    log.warn('A notification goes to the fallback receiver', {
      ...placeOf(owed),
      fallback: fallback.receiver,
    });
  }

  #wake(): void {
    if (!this.#isOpen || this.#timer !== null || this.#stop.signal.aborted) return;
    this.#timer = this.#options.env.clock.after(TICK_MS, () => {
      this.#timer = null;
      this.#tick();
      if (this.#options.store.size > 0) this.#wake();
    });
  }

  #tick(): void {
    const { store, env, maxAgeMs } = this.#options;
    const nowMs = env.clock.now();
    for (const entry of [...store.entries()]) {
      const { owed } = entry;
      const ageMs = nowMs - owed.sinceMs;
      const fallback = this.#resender?.fallbackOf(owed.receiverName) ?? null;
      if (!entry.isEscalated && fallback !== null && ageMs >= fallback.afterMs) {
        store.noteEscalated(entry);
        this.#escalate(owed);
      }
      if (ageMs >= maxAgeMs && !this.#locks.isHeld(owedKey(owed))) {
        this.#die(entry, 'expired', entry.error);
      }
    }
    for (const lane of this.#lanes.due(store.entries())) {
      lane.isRunning = true;
      void this.#round(lane.key).finally(() => {
        lane.isRunning = false;
      });
    }
  }

  /** Sends what is owed to one integration, oldest first, until an attempt fails or another member is at it. */
  async #round(lane: string): Promise<void> {
    const { store } = this.#options;
    const { signal } = this.#stop;
    try {
      await this.#waitForOthers();
    } catch {
      return;
    }
    for (const entry of [...store.entries()]) {
      if (Lanes.keyOf(entry.owed) !== lane) continue;
      const key = owedKey(entry.owed);
      if (signal.aborted) return;
      if (store.of(key) !== entry || this.#locks.isHeld(key)) continue;
      const result = await this.#locks.run(key, () => this.#attempt(entry));
      if (result === 'failed') {
        this.#lanes.failed(lane);
        return;
      }
      const waitMs = this.#peerWaitMs();
      if (result === 'overtaken' && waitMs > 0) {
        // Another member is working on this list: it is left to it as long as it goes on.
        this.#lanes.pause(lane, waitMs);
        return;
      }
    }
    this.#lanes.done(lane);
  }

  async #attempt(entry: OutboxEntry): Promise<'next' | 'failed' | 'overtaken'> {
    const resender = this.#resender;
    const integration = resender?.integrationOf(entry.owed) ?? null;
    if (resender === null || integration === null) {
      this.#die(entry, 'unknown receiver', unknownReceiver(entry.owed));
      return 'next';
    }
    const limit = this.#deadline();
    try {
      const result = await resender.retry(entry.owed, integration, limit.signal);
      if (result === 'delivered') {
        this.#settle(entry, 'delivered');
        this.#options.store.letters.removeOf(owedKey(entry.owed));
      } else if (result === 'overtaken') this.#settle(entry, 'delivered by another member');
      else if (result === 'not due') this.#settle(entry, 'not due any more');
      return result === 'overtaken' ? 'overtaken' : 'next';
    } catch (error) {
      if (this.#stop.signal.aborted) return 'failed';
      this.#options.store.noteAttempt(entry, errorText(error));
      const mayRetry = limit.signal.aborted || (error instanceof DeliveryError && error.retry);
      if (mayRetry) return 'failed';
      this.#die(entry, 'refused', errorText(error));
      return 'next';
    } finally {
      limit.release();
    }
  }

  #peerWaitMs(): number {
    return this.#options.cluster.position() * this.#options.peerTimeoutMs;
  }

  async #waitForOthers(): Promise<void> {
    const waitMs = this.#peerWaitMs();
    if (waitMs > 0) await sleep(this.#options.env.clock, waitMs, this.#stop.signal);
  }

  #deadline(): ReturnType<typeof deadline> {
    const late = (): Error => new TimeoutError(`no delivery within ${ATTEMPT_MS} ms`);
    return deadline(this.#options.env.clock, ATTEMPT_MS, late, this.#stop.signal);
  }

  #droppedLetter(letter: DeadLetter): void {
    this.#metrics.lettersDropped.inc();
    this.#options.log.warn('A dead letter makes room for newer ones', placeOf(letter.owed));
  }
}

function placeOf({ receiverName, receiver, groupKey }: Owed): Record<string, string> {
  return { receiver: receiverName, integration: integrationName(receiver), group: groupKey };
}

function unknownReceiver({ receiverName, receiver }: Owed): string {
  return `the configuration has no ${integrationName(receiver)} of receiver "${receiverName}" any more`;
}

/** A fallback's fallback names the receiver that failed last. */
function plainReason(reason: NotificationReason): string {
  return reason.replace(/^(?:fallback for ".*?": )+/, '');
}
