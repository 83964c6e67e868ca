import { type Env, errorText, Slices, sleep } from '@pollux/base';
import { Backoff } from '@pollux/remote';
import type { Log } from '@pollux/telemetry';
import type { Upstream } from '../upstream.ts';
import { liveAlerts } from './live-alerts.ts';
import type { Delivery } from './member-writer.ts';
import { canFollow, mergedWrite } from './merge-writes.ts';
import type { Spool } from './spool.ts';
import type { SpoolConfig } from './spool-config.ts';
import type { SpooledWrite } from './spool-record.ts';
import type { WriteMetrics } from './write-metrics.ts';

/** Between two looks at a member that is down, or at a spool that has nothing. */
const LOOK_MS = 500;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;
/** Writes, and bytes of them as they came, that go in one request: a member that was away has to catch up with many senders. */
const MAX_BATCH = 256;
const MAX_BATCH_BYTES = 1024 * 1024;

export type SpoolReplayerOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: WriteMetrics;
  readonly memberName: string;
  readonly spool: Spool;
  /** Read at each write, since a reload may change them; null while gateway.yml does not name the member. */
  readonly destination: () => {
    readonly member: Upstream;
    readonly config: SpoolConfig;
    readonly deliver: (write: SpooledWrite, signal: AbortSignal) => Promise<Delivery>;
  } | null;
};

/** Delivers what is in the spool of one member, in order, as soon as the member takes it. */
export class SpoolReplayer {
  readonly #options: SpoolReplayerOptions;
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff(MIN_BACKOFF_MS, MAX_BACKOFF_MS);
  #running: Promise<void> | null = null;
  #wake = (): void => {};
  #isWoken = false;
  /** So many go one by one, since together they were refused. */
  #aloneCount = 0;

  constructor(options: SpoolReplayerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There is something in the spool. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the gateway closes'));
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { env, log, memberName } = this.#options;
    const { signal } = this.#stop;
    const slices = new Slices(env.clock);
    while (!signal.aborted) {
      try {
        const delayMs = await this.#step();
        if (delayMs === Number.POSITIVE_INFINITY) await this.#idle();
        else if (delayMs > 0) await sleep(env.clock, delayMs, signal);
        else if (slices.isOver) await slices.pause();
      } catch (error) {
        if (signal.aborted) return;
        // The disk does not give what it holds, as it seems for now.
        log.error('a spool cannot be replayed', { member: memberName, err: errorText(error) });
        // It rejects at the stop only, which the loop looks at.
        await sleep(env.clock, this.#backoff.next(0), signal).catch(() => {});
      }
    }
  }

  /** How long to wait before the next step, ms: 0 for not at all, infinite until somebody wakes. */
  async #step(): Promise<number> {
    const { log, metrics, memberName, spool } = this.#options;
    const head = spool.head();
    if (head === null) return Number.POSITIVE_INFINITY;
    const destination = this.#options.destination();
    if (destination === null) return LOOK_MS;
    const { write, expiredCount } = this.#wanted(head, destination.config);
    if (write === null) {
      spool.advance();
      if (expiredCount === 0) metrics.dropped.with(memberName, 'age').inc();
      else metrics.dropped.with(memberName, 'expired').inc(expiredCount);
      return 0;
    }
    if (!destination.member.isUp) return LOOK_MS;
    const batch = await this.#batch(write, destination.config);
    const delivery = await destination.deliver(batch.write, this.#stop.signal);
    if (delivery.kind === 'absent') {
      metrics.replayFailures.with(memberName).inc();
      const pauseMs = this.#backoff.next(delivery.retryAfterMs);
      log.debug('a member does not take what is in its spool', {
        member: memberName,
        err: delivery.why,
        pauseMs,
      });
      return pauseMs;
    }
    this.#backoff.reset();
    if (delivery.kind === 'refused' && batch.count > 1) {
      // One of them may be the cause: each goes alone.
      this.#aloneCount = batch.count;
      return 0;
    }
    spool.advance(batch.count);
    this.#aloneCount = Math.max(0, this.#aloneCount - 1);
    if (expiredCount > 0) metrics.dropped.with(memberName, 'expired').inc(expiredCount);
    if (delivery.kind === 'taken') metrics.replayed.with(memberName).inc(batch.count);
    else {
      metrics.dropped.with(memberName, 'refused').inc();
      log.warn('a member refuses what was in its spool', {
        member: memberName,
        target: write.target.split('?')[0],
        status: delivery.response.status,
        arrived: new Date(write.arrivedMs).toISOString(),
        body: new TextDecoder().decode(delivery.response.body.subarray(0, 256)),
      });
    }
    return 0;
  }

  /** The write with those behind it that can go in the same request. */
  async #batch(
    first: SpooledWrite,
    config: SpoolConfig,
  ): Promise<{ readonly write: SpooledWrite; readonly count: number }> {
    const alone = { write: first, count: 1 };
    if (first.kind === 'alerts' || this.#aloneCount > 0) return alone;
    const oldestMs = this.#options.env.clock.now() - config.max_age;
    let leftBytes = MAX_BATCH_BYTES;
    const writes = this.#options.spool.heads((write, index) => {
      leftBytes -= write.body.length;
      if (index === 0) return true;
      const isInTime = write.arrivedMs >= oldestMs;
      return index < MAX_BATCH && leftBytes >= 0 && isInTime && canFollow(first, write);
    });
    const merged = writes.length < 2 ? null : await mergedWrite(writes);
    return merged === null ? alone : { write: merged, count: writes.length };
  }

  /** What is to be delivered, null for nothing, and how many alerts have ended since it came. */
  #wanted(
    write: SpooledWrite,
    config: SpoolConfig,
  ): { readonly write: SpooledWrite | null; readonly expiredCount: number } {
    const nowMs = this.#options.env.clock.now();
    if (nowMs - write.arrivedMs > config.max_age) return { write: null, expiredCount: 0 };
    if (write.kind !== 'alerts') return { write, expiredCount: 0 };
    const resolveTimeoutMs = config.resolve_timeout;
    const live = liveAlerts(write.body, write.arrivedMs, { nowMs, resolveTimeoutMs });
    const { body, expiredCount } = live;
    return { write: live.liveCount === 0 ? null : { ...write, body }, expiredCount };
  }

  async #idle(): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#isWoken = false;
  }
}
