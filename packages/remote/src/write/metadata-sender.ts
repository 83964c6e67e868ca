import { CanceledError, type Clock, sleep, type Timer } from '@pollux/base';
import type { Metadata } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { snappyEncode } from '../codec/snappy.ts';
import { TimeSeriesEncoder } from '../codec/v1/encode-write.ts';
import { Backoff } from './backoff.ts';
import type { RemoteWriteConfig } from './config.ts';
import type { DestinationMetrics } from './metrics.ts';
import type { WriteClient } from './write-client.ts';

/** Gives the metric families that are known now, one entry each; bound to the scrape room by `roles`. */
export type MetadataSource = () => Iterable<readonly [family: string, metadata: Metadata]>;

/** Attempts for one request; the next round sends everything again anyway. */
const MAX_ATTEMPTS = 3;

/** Sends all known metadata to one destination every so often (remote write 1.0 only). */
export class MetadataSender {
  readonly #clock: Clock;
  readonly #client: WriteClient;
  readonly #config: RemoteWriteConfig;
  readonly #parts: {
    readonly source: MetadataSource;
    readonly metrics: DestinationMetrics;
    readonly log: Log;
  };
  readonly #encoder = new TimeSeriesEncoder();
  readonly #stop = new AbortController();
  #timer: Timer | null = null;
  #round: Promise<void> = Promise.resolve();

  constructor(
    clock: Clock,
    client: WriteClient,
    config: RemoteWriteConfig,
    parts: {
      readonly source: MetadataSource;
      readonly metrics: DestinationMetrics;
      readonly log: Log;
    },
  ) {
    this.#clock = clock;
    this.#client = client;
    this.#config = config;
    this.#parts = parts;
  }

  start(): void {
    this.#timer = this.#clock.after(this.#config.metadata.sendIntervalMs, () => {
      this.#round = this.#sendAll().finally(() => {
        if (!this.#stop.signal.aborted) this.start();
      });
    });
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort();
    await this.#round;
  }

  async #sendAll(): Promise<void> {
    const families = [...this.#parts.source()];
    const step = this.#config.metadata.maxSamplesPerSend;
    try {
      for (let start = 0; start < families.length; start += step) {
        await this.#send(families.slice(start, start + step));
      }
    } catch (error) {
      if (!(error instanceof CanceledError)) throw error;
    }
  }

  async #send(families: readonly (readonly [string, Metadata])[]): Promise<void> {
    const { metrics, log } = this.#parts;
    const { minBackoffMs, maxBackoffMs } = this.#config.queue;
    this.#encoder.reset();
    for (const [family, metadata] of families) this.#encoder.metadata(family, metadata);
    const body = snappyEncode(this.#encoder.bytes());
    const backoff = new Backoff(minBackoffMs, maxBackoffMs);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const outcome = await this.#client.send(body, attempt, this.#stop.signal);
      if (outcome.kind === 'sent') {
        metrics.metadataSent.inc(families.length);
        metrics.metadataBytes.inc(body.length);
        return;
      }
      if (outcome.kind === 'refused' || attempt === MAX_ATTEMPTS - 1) {
        metrics.metadataFailed.inc(families.length);
        log.warn('metadata was not taken', { count: families.length, err: outcome.reason });
        return;
      }
      metrics.metadataRetried.inc(families.length);
      await sleep(this.#clock, backoff.next(outcome.retryAfterMs), this.#stop.signal);
    }
  }
}
