import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { type Clock, errorText, OperatingError, withTimeout } from '@pollux/base';
import type { Log } from '../log.ts';
import type { Counter, Family } from '../registry.ts';
import type { Span, SpanAttributes, SpanStart, TraceBackend, TracingSettings } from './span.ts';
import { SpanQueue } from './span-queue.ts';

const PROPAGATOR = new W3CTraceContextPropagator();

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
} as const;

export type OtlpOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly service: string;
  readonly version: string;
  readonly spans: Family<Counter>;
};

/**
 * OpenTelemetry's SDK and exporters. Loaded by whoever turns tracing on. Spans take their times and ids from the SDK, which
 * keeps both finer than a clock of milliseconds.
 */
export class OtlpBackend implements TraceBackend {
  readonly #options: OtlpOptions;
  readonly #provider: TracerProvider;
  readonly #queue: SpanQueue;
  readonly #tracer: Tracer;
  readonly #current = new AsyncLocalStorage<Context>();

  static async open(settings: TracingSettings, options: OtlpOptions): Promise<OtlpBackend> {
    // Of two kinds, one is loaded.
    const exporter =
      settings.clientType === 'http'
        ? (await import('./http-exporter.ts')).httpExporter(settings)
        : (await import('./grpc-exporter.ts')).grpcExporter(settings);
    return new OtlpBackend(exporter, settings, options);
  }

  private constructor(exporter: SpanExporter, settings: TracingSettings, options: OtlpOptions) {
    this.#options = options;
    this.#queue = new SpanQueue({ ...options, exporter });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': options.service,
        'service.version': options.version,
        'process.runtime.name': 'nodejs',
        'process.runtime.version': process.versions.node,
      }),
      sampler: new ParentBasedSampler({
        root: new TraceIdRatioBasedSampler(settings.samplingFraction),
      }),
      spanProcessors: [this.#queue],
    });
    this.#tracer = this.#provider.getTracer('pollux', options.version);
  }

  get isWithin(): boolean {
    return this.#current.getStore() !== undefined;
  }

  async within<T>(start: SpanStart, work: (span: Span) => Promise<T>): Promise<T> {
    const { span, context } = this.#begin(start);
    const shown = new StartedSpan(span);
    try {
      return await this.#current.run(context, () => work(shown));
    } catch (error) {
      shown.fail(errorText(error));
      throw error;
    } finally {
      span.end();
    }
  }

  along<T>(start: SpanStart, work: (span: Span) => T): T {
    const { span, context } = this.#begin(start);
    const shown = new StartedSpan(span);
    try {
      return this.#current.run(context, () => work(shown));
    } catch (error) {
      shown.fail(errorText(error));
      throw error;
    } finally {
      span.end();
    }
  }

  #begin(start: SpanStart): { readonly span: OtelSpan; readonly context: Context } {
    const { name, kind = 'internal', attributes = {}, from, isRoot = false } = start;
    const here = isRoot ? undefined : this.#current.getStore();
    const around = here ?? incoming(from);
    const own = { kind: KINDS[kind], attributes: otelAttributes(attributes) };
    const span = this.#tracer.startSpan(name, own, around);
    return { span, context: trace.setSpan(around, span) };
  }

  headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const context = this.#current.getStore();
    if (context !== undefined) PROPAGATOR.inject(context, headers, defaultTextMapSetter);
    return headers;
  }

  async close(graceMs: number): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await withTimeout(clock, graceMs, 'sending the last spans', async () => {
        await this.#queue.forceFlush();
        await this.#provider.shutdown();
      });
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      log.warn('the last spans were not sent', { err: errorText(error) });
    }
    this.#queue.drop();
    this.#current.disable();
  }
}

class StartedSpan implements Span {
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    this.#span = span;
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(otelAttributes(attributes));
  }

  event(name: string, attributes: SpanAttributes = {}): void {
    this.#span.addEvent(name, otelAttributes(attributes));
  }

  fail(message: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
}

function otelAttributes(
  attributes: SpanAttributes,
): Record<string, string | number | boolean | string[]> {
  return attributes as Record<string, string | number | boolean | string[]>;
}

function incoming(headers: SpanStart['from'] = {}): Context {
  return PROPAGATOR.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
}
