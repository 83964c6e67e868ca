import type { TlsClientOptions } from '@pollux/base';

export type SpanAttributes = Readonly<
  Record<string, string | number | boolean | readonly string[]>
>;

export type SpanStart = {
  readonly name: string;
  /** Default internal. */
  readonly kind?: 'internal' | 'server' | 'client' | 'producer';
  readonly attributes?: SpanAttributes;
  /** Of an incoming request: a `traceparent` among them makes the span part of the sender's trace. */
  readonly from?: Readonly<Record<string, string>>;
  /** Begins a trace, also where the timer that starts it was set within another one. */
  readonly isRoot?: boolean;
};

/** A span that has begun. */
export interface Span {
  set(attributes: SpanAttributes): void;
  event(name: string, attributes?: SpanAttributes): void;
  fail(message: string): void;
}

/** Where spans go. Nothing in it is secret once it is spelled, but the values of headers. */
export type TracingSettings = {
  readonly clientType: 'http' | 'grpc';
  /** Host and port. */
  readonly endpoint: string;
  /** Of traces that begin here; those that come with a request are followed as their sender decided. */
  readonly samplingFraction: number;
  readonly isInsecure: boolean;
  readonly tls: TlsClientOptions | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly isCompressed: boolean;
  /** Of one export; 0 for the default of ten seconds. */
  readonly timeoutMs: number;
};

/** Makes spans, and sends them on its own. */
export interface TraceBackend {
  within<T>(start: SpanStart, work: (span: Span) => Promise<T>): Promise<T>;
  /** As `within`, of work that is done at once. */
  along<T>(start: SpanStart, work: (span: Span) => T): T;
  /** Whether something is traced now. */
  readonly isWithin: boolean;
  /** The headers that make another program's spans part of the current trace; none outside of one. */
  headers(): Readonly<Record<string, string>>;
  /** Sends what waits, as long as that takes, but not longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
}
