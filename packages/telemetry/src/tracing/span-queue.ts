import { TraceFlags } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { BoundedQueue, type Clock, type Timer } from '@pollux/base';
import type { Log } from '../log.ts';
import type { Counter, Family } from '../registry.ts';

/** As the original's, and as the library's own. */
const MAX_WAITING = 2_048;
const BATCH_SPANS = 512;
const BATCH_MS = 5_000;
/** Exports that fail one after the other are told of so often. */
const TELL_FAILURE_MS = 60_000;

export type SpanQueueOptions = {
  readonly exporter: SpanExporter;
  readonly clock: Clock;
  readonly log: Log;
  readonly spans: Family<Counter>;
};

/**
 * What waits to be sent: one batch is on its way at a time, after five seconds or once it is full. The library's own processor does
 * the same, but does not tell how much it drops. Nobody ever waits for it but its end.
 */
export class SpanQueue implements SpanProcessor {
  readonly #options: SpanQueueOptions;
  readonly #waiting = new BoundedQueue<ReadableSpan>(MAX_WAITING);
  #timer: Timer | null = null;
  #sending: Promise<void> | null = null;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (!this.#waiting.push(span)) {
      this.#options.spans.with('dropped').inc();
      return;
    }
    if (this.#waiting.size >= BATCH_SPANS) this.#send();
    else this.#timer ??= this.#options.clock.after(BATCH_MS, () => this.#send());
  }

  /** Resolves when all that waits was sent, or failed. */
  async forceFlush(): Promise<void> {
    while (this.#waiting.size > 0 || this.#sending !== null) {
      this.#send();
      await this.#sending;
    }
  }

  async shutdown(): Promise<void> {
    this.#timer?.cancel();
    await this.#options.exporter.shutdown();
  }

  /** Counts what is given up. */
  drop(): void {
    while (this.#waiting.shift() !== undefined) this.#options.spans.with('dropped').inc();
  }

  #send(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#sending !== null || this.#waiting.size === 0) return;
    const batch: ReadableSpan[] = [];
    for (let i = 0; i < BATCH_SPANS; i++) {
      const span = this.#waiting.shift();
      if (span === undefined) break;
      batch.push(span);
    }
    this.#sending = this.#export(batch).finally(() => {
      this.#sending = null;
      if (this.#waiting.size >= BATCH_SPANS) this.#send();
      else if (this.#waiting.size > 0) {
        this.#timer ??= this.#options.clock.after(BATCH_MS, () => this.#send());
      }
    });
  }

  /** Never rejects. */
  #export(batch: ReadableSpan[]): Promise<void> {
    const { exporter, spans } = this.#options;
    return new Promise((resolve) => {
      exporter.export(batch, ({ code, error }) => {
        const isSent = code === ExportResultCode.SUCCESS;
        spans.with(isSent ? 'sent' : 'failed').inc(batch.length);
        if (!isSent) this.#tell(error);
        resolve();
      });
    });
  }

  #tell(error: Error | undefined): void {
    const { clock, log } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs < this.#toldMs + TELL_FAILURE_MS) return;
    this.#toldMs = nowMs;
    log.warn('spans could not be sent', { err: error?.message ?? 'no reason given' });
  }
}
