import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { TracingSettings } from './span.ts';

const DEFAULT_TIMEOUT_MS = 10_000;

/** What both kinds of exporters take. Each gives an export up after its time-out, attempts included. */
export function exporterSettings({ timeoutMs, isCompressed }: TracingSettings) {
  return {
    timeoutMillis: timeoutMs === 0 ? DEFAULT_TIMEOUT_MS : timeoutMs,
    compression: isCompressed ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
  };
}
