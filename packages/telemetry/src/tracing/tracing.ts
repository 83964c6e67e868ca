import { type Clock, errorText } from '@pollux/base';
import type { Log } from '../log.ts';
import type { Counter, Family, Registry } from '../registry.ts';
import type { Span, SpanStart, TraceBackend, TracingSettings } from './span.ts';

const CLOSE_GRACE_MS = 2_000;
const NO_SPAN: Span = { set: () => {}, event: () => {}, fail: () => {} };

export type TracingOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** `alertmanager`, as the original names itself. */
  readonly service: string;
  readonly version: string;
};

/**
 * The spans of a role. Off until a configuration says where to send them; then a call costs one comparison, and the library,
 * which takes 15 MB, is not loaded.
 */
export class Tracing {
  readonly #options: TracingOptions;
  readonly #spans: Family<Counter>;
  #settings = 'null';
  #backend: TraceBackend | null = null;
  /** Changes one after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: TracingOptions) {
    this.#options = options;
    this.#spans = options.registry.counters(
      'pollux_tracing_spans_total',
      'Spans that ended, by what became of them; dropped ones found the queue full.',
      ['result'],
    );
    for (const result of ['sent', 'failed', 'dropped']) this.#spans.with(result);
  }

  get isOn(): boolean {
    return this.#backend !== null;
  }

  /** Whether something is traced now. */
  get isWithin(): boolean {
    return this.#backend?.isWithin === true;
  }

  /** Does work as one span, within that in which it is called. What it throws fails the span. */
  within<T>(start: () => SpanStart, work: (span: Span) => Promise<T>): Promise<T> {
    return this.#backend === null ? work(NO_SPAN) : this.#backend.within(start(), work);
  }

  /** As {@link within}, of work that is done at once. */
  along<T>(start: () => SpanStart, work: (span: Span) => T): T {
    return this.#backend === null ? work(NO_SPAN) : this.#backend.along(start(), work);
  }

  /** What makes another program's spans part of the current trace. */
  headers(): Readonly<Record<string, string>> {
    return this.#backend?.headers() ?? {};
  }

  /**
   * From now on, or from when the library is loaded, spans go there; null for nowhere. Settings that have not changed change
   * nothing. What waits to be sent is sent by the settings that it was made under.
   */
  use(settings: TracingSettings | null): Promise<void> {
    const text = JSON.stringify(settings);
    if (text === this.#settings) return this.#changing;
    this.#settings = text;
    this.#changing = this.#changing.then(() => this.#change(settings));
    return this.#changing;
  }

  async close(): Promise<void> {
    await this.use(null);
  }

  async #change(settings: TracingSettings | null): Promise<void> {
    const { log } = this.#options;
    const before = this.#backend;
    try {
      this.#backend = settings === null ? null : await this.#backendOf(settings);
      log.info(settings === null ? 'tracing is off' : 'tracing is on', {
        ...(settings === null ? {} : { endpoint: settings.endpoint }),
      });
    } catch (error) {
      this.#backend = null;
      log.error('tracing cannot begin; nothing is traced', { err: errorText(error) });
    }
    await before?.close(CLOSE_GRACE_MS);
  }

  async #backendOf(settings: TracingSettings): Promise<TraceBackend> {
    const { OtlpBackend } = await import('./otlp-backend.ts');
    return OtlpBackend.open(settings, { ...this.#options, spans: this.#spans });
  }
}
