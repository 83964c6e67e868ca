import { X509Certificate } from 'node:crypto';
import { credentials, Metadata } from '@grpc/grpc-js';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { parseIp } from '@pollux/base';
import { exporterSettings } from './exporter-settings.ts';
import type { TracingSettings } from './span.ts';

/** The library's over gRPC. */
export function grpcExporter(settings: TracingSettings): SpanExporter {
  const { endpoint, isInsecure, headers, tls } = settings;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const { ca, key, certificate, serverName, insecureSkipVerify } = tls ?? {};
  const secured = (): ReturnType<typeof credentials.createSsl> =>
    credentials.createSsl(pem(ca), pem(key), pem(certificate), {
      rejectUnauthorized: insecureSkipVerify !== true,
      ...(serverName === undefined
        ? {}
        : { checkServerIdentity: (_, { raw }) => misnamed(raw, serverName) }),
    });
  return new OTLPTraceExporter({
    ...exporterSettings(settings),
    url: `${isInsecure ? 'http' : 'https'}://${endpoint}`,
    metadata,
    credentials: isInsecure ? credentials.createInsecure() : secured(),
  });
}

/** The library expects the name of the endpoint, where another may be meant. */
function misnamed(raw: Buffer, name: string): Error | undefined {
  const certificate = new X509Certificate(raw);
  const isAddress = parseIp(name) !== null;
  const found = isAddress ? certificate.checkIP(name) : certificate.checkHost(name);
  return found === undefined ? new Error(`the certificate is not for ${name}`) : undefined;
}

function pem(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
