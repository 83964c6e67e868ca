import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { tlsClientSettings } from '@pollux/base';
import { exporterSettings } from './exporter-settings.ts';
import type { TracingSettings } from './span.ts';

/** The library's over HTTP, with protobuf. */
export function httpExporter(settings: TracingSettings): SpanExporter {
  const { endpoint, isInsecure, headers, tls } = settings;
  return new OTLPTraceExporter({
    ...exporterSettings(settings),
    url: `${isInsecure ? 'http' : 'https'}://${endpoint}/v1/traces`,
    headers: { ...headers },
    httpAgentOptions: {
      keepAlive: true,
      ...(isInsecure || tls === null ? {} : tlsClientSettings(tls)),
    },
  });
}
