import { errorText, sleep } from '@pollux/base';
import type { EventRecorderConfig } from '../config/event-recorder-config.ts';
import { checkStatus, type ReceiverHttp } from '../notify/receivers/receiver-http.ts';
import type { EventLine } from './event-line.ts';
import type { EventOutput, OutputContext } from './outputs.ts';

export type WebhookConfig = EventRecorderConfig['webhook_outputs'][number];

/** Upstream's, for what is not set. */
const DEFAULTS = {
  timeout: 10_000,
  workers: 4,
  max_retries: 3,
  retry_backoff: 500,
  batch_max_events: 100,
  batch_max_bytes: 1_048_576,
  batch_flush_interval: 100,
} as const;

const MAX_WAITING = 1_024;
const MAX_BACKOFF_MS = 30_000;

/**
 * POSTs events, one by one or in arrays, several at once. What cannot be delivered after some attempts, and what does not fit the
 * queue, is lost and counted: nothing else waits for it.
 */
export class WebhookOutput implements EventOutput {
  readonly name: string;
  readonly format = 'json';
  readonly #config: WebhookConfig;
  readonly #context: OutputContext;
  readonly #http: ReceiverHttp;
  readonly #stop = new AbortController();
  readonly #waiting: string[] = [];
  /** Since when the oldest waits, by the monotonic clock, ms. */
  #sinceMs = 0;
  #timer: { cancel(): void } | null = null;
  #isClosing = false;
  readonly #running = new Set<Promise<void>>();

  constructor(config: WebhookConfig, context: OutputContext, http: ReceiverHttp) {
    // Paths carry tokens.
    this.name = `webhook:${new URL(config.url.reveal()).origin}`;
    this.#config = withDefaults(config);
    this.#context = context;
    this.#http = http;
  }

  write(events: readonly EventLine[]): void {
    for (const { json } of events) {
      if (this.#waiting.length >= MAX_WAITING)
        this.#context.metrics.outputDrops.with(this.name).inc();
      else {
        if (this.#waiting.length === 0) this.#sinceMs = this.#context.clock.monotonic();
        this.#waiting.push(json);
      }
    }
    this.#send();
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const cut = this.#context.clock.after(graceMs, () => {
      this.#stop.abort(new Error('the event recorder is closing'));
    });
    this.#send();
    while (this.#running.size > 0) await Promise.race(this.#running);
    cut.cancel();
    this.#timer?.cancel();
  }

  /** Starts as many requests as there is something for and workers are free. */
  #send(): void {
    while (this.#waiting.length > 0 && this.#running.size < this.#config.workers) {
      const next = this.#next();
      if (next === null) return;
      const request: Promise<void> = this.#post(next).finally(() => {
        this.#running.delete(request);
        this.#send();
      });
      this.#running.add(request);
    }
  }

  /** Null as long as a batch may still grow. */
  #next(): { readonly body: string; readonly count: number } | null {
    const { batch, batch_max_events, batch_max_bytes, batch_flush_interval } = this.#config;
    if (!batch) return { body: this.#waiting.shift() ?? '', count: 1 };
    let count = 0;
    let size = 2;
    for (const json of this.#waiting) {
      const grown = size + Buffer.byteLength(json) + (count === 0 ? 0 : 1);
      if (count > 0 && (count >= batch_max_events || grown > batch_max_bytes)) break;
      count++;
      size = grown;
    }
    const { clock } = this.#context;
    const isFull =
      count < this.#waiting.length || count >= batch_max_events || size >= batch_max_bytes;
    const leftMs = this.#sinceMs + batch_flush_interval - clock.monotonic();
    if (!isFull && !this.#isClosing && leftMs > 0) {
      this.#timer ??= clock.after(leftMs, () => {
        this.#timer = null;
        this.#send();
      });
      return null;
    }
    this.#sinceMs = clock.monotonic();
    return { body: `[${this.#waiting.splice(0, count).join(',')}]`, count };
  }

  async #post({ body, count }: { readonly body: string; readonly count: number }): Promise<void> {
    const { url, timeout, max_retries, retry_backoff } = this.#config;
    const { clock, log, metrics } = this.#context;
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt++) {
      try {
        const request = { url: url.reveal(), body, timeoutMs: timeout, signal };
        checkStatus(await this.#http.json(request));
        return;
      } catch (error) {
        const isLast = attempt >= max_retries || signal.aborted;
        log[isLast ? 'error' : 'warn']('events could not be posted', {
          output: this.name,
          attempt,
          err: errorText(error),
        });
        if (isLast) break;
      }
      const pauseMs = Math.min(retry_backoff * 2 ** (attempt - 1), MAX_BACKOFF_MS);
      // Broken off, the next attempt ends at once and is the last.
      await sleep(clock, pauseMs, signal).catch(() => {});
    }
    metrics.outputDrops.with(this.name).inc(count);
  }
}

function withDefaults(config: WebhookConfig): WebhookConfig {
  const unset = Object.entries(DEFAULTS).filter(
    ([name]) => config[name as keyof typeof DEFAULTS] <= 0,
  );
  return { ...config, ...Object.fromEntries(unset) };
}
