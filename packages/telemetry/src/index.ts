export { Log, type LogFields, type LogFormat, type LogLevel, type LogOptions } from './log.ts';
export type { FamilySample, FamilyType, MetricFamily } from './metric-family.ts';
export {
  type Collector,
  Counter,
  Family,
  Gauge,
  Histogram,
  Registry,
  Summary,
} from './registry.ts';
export { renderText, TEXT_CONTENT_TYPE } from './render.ts';
export { tracedHandler, tracedNet } from './tracing/http.ts';
export type { Span, SpanAttributes, SpanStart, TracingSettings } from './tracing/span.ts';
export { Tracing } from './tracing/tracing.ts';
