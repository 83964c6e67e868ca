import { CanceledError, type Clock, OperatingError, sleep, type Timer } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { Backoff } from './backoff.ts';
import { type Batch, BatchBuilder } from './batch.ts';
import type { QueueConfig } from './config.ts';
import { type DestinationMetrics, KINDS } from './metrics.ts';
import { type RingExtra, SampleRing } from './sample-ring.ts';
import type { SendOutcome } from './write-client.ts';

export type ShardParts = {
  readonly clock: Clock;
  readonly queue: QueueConfig;
  readonly metrics: DestinationMetrics;
  readonly log: Log;
  readonly send: (body: Uint8Array, attempt: number, signal: AbortSignal) => Promise<SendOutcome>;
  /** After a batch left the ring: acknowledged, or given up. */
  readonly onSettled: (batch: Batch, sent: boolean, durationMs: number) => void;
};

/**
 * One lane to the destination: a bounded ring and a loop that sends its oldest samples, one request at a time, so that
 * the samples of a series (which always hashes to the same lane) arrive in order. A batch stays in the ring until the
 * destination has acknowledged or refused it.
 */
export class Shard {
  readonly #parts: ShardParts;
  readonly #ring: SampleRing;
  readonly #builder: BatchBuilder;
  readonly #stop = new AbortController();
  #isDraining = false;
  /** Clock time when the oldest sample not in flight came in. */
  #waitingSinceMs = 0;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;

  constructor(parts: ShardParts) {
    this.#parts = parts;
    this.#ring = new SampleRing(parts.queue.capacity);
    this.#builder = new BatchBuilder(parts.queue.capacity);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  get size(): number {
    return this.#ring.size;
  }

  get oldestSequence(): number {
    return this.#ring.oldestSequence;
  }

  /** False when full. `low` and `high` are the words of the value; both 0 for a histogram or exemplar. */
  push(
    item: { readonly ref: number; readonly labelFields: Uint8Array; readonly sequence: number },
    timestampMs: number,
    words: { readonly low: number; readonly high: number },
    extra: RingExtra | null,
  ): boolean {
    const ring = this.#ring;
    const index = ring.push(item.ref, item.labelFields, item.sequence, extra);
    if (index < 0) return false;
    ring.timestampsMs[index] = timestampMs;
    ring.words[index * 2] = words.low;
    ring.words[index * 2 + 1] = words.high;
    if (ring.size === 1) this.#waitingSinceMs = this.#parts.clock.monotonic();
    if (ring.size === 1 || ring.size === this.#parts.queue.maxSamplesPerSend) this.#wakeUp();
    return true;
  }

  /** Sends what is left without waiting for full batches, gives up after `timeoutMs`, then stops. */
  async close(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    this.#wakeUp();
    const limit = this.#parts.clock.after(timeoutMs, () => this.#stop.abort());
    if (timeoutMs <= 0) this.#stop.abort();
    this.#wakeUp();
    await this.#running;
    limit.cancel();
  }

  async #run(): Promise<void> {
    const { clock, queue } = this.#parts;
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      const size = this.#ring.size;
      if (size === 0) {
        if (this.#isDraining) return;
        await this.#waiting(Number.POSITIVE_INFINITY);
        continue;
      }
      const dueMs = this.#waitingSinceMs + queue.batchSendDeadlineMs - clock.monotonic();
      if (size < queue.maxSamplesPerSend && dueMs > 0 && !this.#isDraining) {
        await this.#waiting(dueMs);
        continue;
      }
      await this.#sendOldest();
    }
  }

  async #sendOldest(): Promise<void> {
    const { clock, queue, metrics } = this.#parts;
    const backoff = new Backoff(queue.minBackoffMs, queue.maxBackoffMs);
    let batch = this.#build();
    try {
      for (let attempt = 0; ; attempt++) {
        if (batch.body.length === 0) return this.#settle(batch, false, 0);
        const startMs = clock.monotonic();
        const outcome = await this.#parts.send(batch.body, attempt, this.#stop.signal);
        const durationMs = clock.monotonic() - startMs;
        metrics.batchDuration.observe(durationMs / 1_000);
        if (outcome.kind === 'sent') {
          metrics.bytes.inc(batch.body.length);
          for (const kind of KINDS) metrics.sent[kind].inc(batch.counts[kind]);
          return this.#settle(batch, true, durationMs);
        }
        if (outcome.kind === 'refused') {
          for (const kind of KINDS) metrics.failed[kind].inc(batch.counts[kind]);
          this.#parts.log.error('non-recoverable error', {
            failedSampleCount: batch.counts.samples,
            failedHistogramCount: batch.counts.histograms,
            failedExemplarCount: batch.counts.exemplars,
            err: outcome.reason,
          });
          return this.#settle(batch, false, durationMs);
        }
        for (const kind of KINDS) metrics.retried[kind].inc(batch.counts[kind]);
        // One line for each outage is enough; the metric counts the rest.
        if (attempt === 0) {
          this.#parts.log.warn('Failed to send batch, retrying', { err: outcome.reason });
        }
        await sleep(clock, backoff.next(outcome.retryAfterMs), this.#stop.signal);
        if (queue.sampleAgeLimitMs > 0) batch = this.#build();
      }
    } catch (error) {
      // Closing: what was not acknowledged is sent again from the cursor.
      if (error instanceof CanceledError || (OperatingError.is(error) && this.#stop.signal.aborted))
        return;
      throw error;
    }
  }

  #build(): Batch {
    const { clock, queue } = this.#parts;
    const oldestMs =
      queue.sampleAgeLimitMs > 0 ? clock.now() - queue.sampleAgeLimitMs : Number.NEGATIVE_INFINITY;
    return this.#builder.build(this.#ring, queue.maxSamplesPerSend, oldestMs);
  }

  #settle(batch: Batch, sent: boolean, durationMs: number): void {
    for (const kind of KINDS) {
      if (batch.tooOld[kind] > 0) {
        this.#parts.metrics.dropped(kind, 'too_old').inc(batch.tooOld[kind]);
      }
    }
    this.#ring.drop(batch.taken);
    this.#waitingSinceMs = this.#parts.clock.monotonic();
    this.#parts.onSettled(batch, sent, durationMs);
  }

  #waiting(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer | null = Number.isFinite(delayMs)
        ? this.#parts.clock.after(delayMs, () => this.#wakeUp())
        : null;
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
      if (this.#stop.signal.aborted) this.#wakeUp();
    });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
