import type { Counter, Family, Registry } from '@pollux/telemetry';

/** Alertmanager's metrics of gossip over TLS, under their names. */
export class TlsMetrics {
  readonly packetBytesSent: Counter;
  readonly packetBytesReceived: Counter;
  readonly streamsSent: Counter;
  readonly streamsReceived: Counter;
  readonly readErrors: Counter;
  readonly writeErrors: Family<Counter>;

  constructor(registry: Registry) {
    const counter = (name: string, help: string): Counter =>
      registry.counter(`alertmanager_tls_transport_${name}`, help);
    this.packetBytesSent = counter(
      'packet_bytes_sent_total',
      'The number of packet bytes sent to outgoing connections (excluding internal metadata).',
    );
    this.packetBytesReceived = counter(
      'packet_bytes_received_total',
      'The number of packet bytes received from incoming connections (excluding internal metadata).',
    );
    this.streamsSent = counter(
      'stream_connections_sent_total',
      'The number of stream connections sent.',
    );
    this.streamsReceived = counter(
      'stream_connections_received_total',
      'The number of stream connections received.',
    );
    this.readErrors = counter(
      'read_errors_total',
      'The number of errors encountered while reading from incoming connections.',
    );
    this.writeErrors = registry.counters(
      'alertmanager_tls_transport_write_errors_total',
      'The number of errors encountered while writing to outgoing connections.',
      ['connection_type'],
    );
    for (const type of ['packet', 'stream']) this.writeErrors.with(type);
  }
}
