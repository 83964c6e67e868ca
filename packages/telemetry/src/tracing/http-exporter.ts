import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { TlsClientOptions } from '@pollux/base';
import { exporterSettings } from './exporter-settings.ts';
import type { TracingSettings } from './span.ts';

/** The library's over HTTP, with protobuf. */
export function httpExporter(settings: TracingSettings): SpanExporter {
  const { endpoint, isInsecure, headers, tls } = settings;
  return new OTLPTraceExporter({
    ...exporterSettings(settings),
    url: `${isInsecure ? 'http' : 'https'}://${endpoint}/v1/traces`,
    headers: { ...headers },
    httpAgentOptions: { keepAlive: true, ...(isInsecure || tls === null ? {} : agentTls(tls)) },
  });
}

function agentTls(tls: TlsClientOptions) {
  return {
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
  };
}
