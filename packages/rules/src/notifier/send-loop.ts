import { BoundedQueue, CanceledError, type Env, errorText, sleep } from '@pollux/base';
import { HttpConfigClient, type Variables } from '@pollux/http';
import { relabel } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { RuleError } from '../errors.ts';
import type { OutgoingAlert } from '../outgoing-alert.ts';
import type { AlertmanagersConfig } from './config.ts';
import { encodeAlerts } from './encode-alerts.ts';
import type { NotifierMetrics } from './metrics.ts';

export type SendLoopOptions = {
  readonly url: string;
  readonly env: Pick<Env, 'clock' | 'files' | 'net' | 'random'>;
  readonly log: Log;
  readonly metrics: NotifierMetrics;
  readonly queueCapacity: number;
  readonly batchSize: number;
  readonly userAgent: string;
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
};

/** Error statuses' bodies are only read to free the connection. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Delivers to one alertmanager from its own queue, so that a dead one never holds up the others. When the queue is full
 * the oldest alerts go: newer ones say more, and what still fires is sent again.
 */
export class SendLoop {
  readonly url: string;
  readonly #options: SendLoopOptions;
  readonly #queue: BoundedQueue<OutgoingAlert>;
  readonly #abort = new AbortController();
  #config: AlertmanagersConfig;
  #http: HttpConfigClient;
  #running: Promise<void> | null = null;
  #isClosing = false;
  #wakeOnClose: () => void = () => {};
  readonly #closed: Promise<void>;

  constructor(options: SendLoopOptions, config: AlertmanagersConfig) {
    this.url = options.url;
    this.#options = options;
    this.#config = config;
    this.#http = this.#client(config);
    this.#queue = new BoundedQueue(options.queueCapacity);
    this.#closed = new Promise((resolve) => {
      this.#wakeOnClose = resolve;
    });
    options.metrics.addAlertmanager(this.url);
  }

  /** A reload changed how to reach the alertmanager; the queue stays. */
  reconfigure(config: AlertmanagersConfig): void {
    this.#config = config;
    this.#http = this.#client(config);
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      this.#options.log.error('Sending alerts ended by a fault', {
        alertmanager: this.url,
        err: errorText(error),
      });
    });
  }

  get queueLength(): number {
    return this.#queue.size;
  }

  /** Never waits. */
  add(alerts: readonly OutgoingAlert[]): void {
    if (this.#isClosing) return;
    const { metrics } = this.#options;
    let dropped = 0;
    for (const alert of alerts) {
      const labels = relabel(alert.labels, this.#config.alertRelabel);
      if (labels === null || labels.isEmpty) continue;
      if (this.#queue.size === this.#queue.capacity) {
        this.#queue.shift();
        dropped++;
      }
      this.#queue.push(labels === alert.labels ? alert : { ...alert, labels });
    }
    if (dropped > 0) {
      metrics.dropped.with(this.url).inc(dropped);
      this.#options.log.warn('Alert notification queue full, dropping alerts', {
        alertmanager: this.url,
        num_dropped: dropped,
      });
    }
    metrics.queueLength.with(this.url).set(this.#queue.size);
  }

  /** Sends what is queued for at most `drainMs` (0: nothing more), then stops. Idempotent. */
  async close(drainMs: number): Promise<void> {
    this.#isClosing = true;
    this.#wakeOnClose();
    if (drainMs <= 0) this.#abort.abort(new CanceledError('notifier is closing'));
    const drained = this.#running ?? Promise.resolve();
    const timer = new AbortController();
    const timeUp = sleep(this.#options.env.clock, drainMs, timer.signal).catch(() => {});
    await Promise.race([drained, timeUp]);
    timer.abort();
    this.#abort.abort(new CanceledError('notifier is closing'));
    await drained;
    if (this.#queue.size > 0) {
      this.#options.metrics.dropped.with(this.url).inc(this.#queue.size);
      this.#options.log.warn('Alerts left undelivered', {
        alertmanager: this.url,
        count: this.#queue.size,
      });
      this.#queue.clear();
    }
  }

  async #run(): Promise<void> {
    const { metrics, batchSize } = this.#options;
    while (!this.#abort.signal.aborted) {
      if (this.#queue.size === 0) {
        if (this.#isClosing) return;
        await Promise.race([this.#queue.ready(), this.#closed]);
        continue;
      }
      const batch: OutgoingAlert[] = [];
      while (batch.length < batchSize) {
        const alert = this.#queue.shift();
        if (alert === undefined) break;
        batch.push(alert);
      }
      metrics.queueLength.with(this.url).set(this.#queue.size);
      await this.#deliver(batch);
    }
  }

  async #deliver(batch: readonly OutgoingAlert[]): Promise<void> {
    const { env, log, metrics } = this.#options;
    const startMs = env.clock.monotonic();
    try {
      await this.#post(batch);
      metrics.sent.with(this.url).inc(batch.length);
    } catch (error) {
      metrics.errors.with(this.url).inc(batch.length);
      metrics.dropped.with(this.url).inc(batch.length);
      log.error('Error sending alerts', {
        alertmanager: this.url,
        count: batch.length,
        err: errorText(error),
      });
    }
    metrics.latency.with(this.url).observe((env.clock.monotonic() - startMs) / 1000);
  }

  #client({ client: config }: AlertmanagersConfig): HttpConfigClient {
    const { env, resolvePath, variables } = this.#options;
    return new HttpConfigClient({ ...env, config, resolvePath, variables });
  }

  async #post(batch: readonly OutgoingAlert[]): Promise<void> {
    const response = await this.#http.request({
      method: 'POST',
      url: this.url,
      headers: { 'user-agent': this.#options.userAgent, 'content-type': 'application/json' },
      body: encodeAlerts(batch),
      timeoutMs: this.#config.timeoutMs,
      signal: this.#abort.signal,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
    if (response.status < 200 || response.status > 299) {
      throw new RuleError('RULES.NOTIFY', `bad response status ${response.status}`);
    }
  }
}
