import type { Address, TlsClientOptions } from '@pollux/base';

/** What the thread that talks to the brokers is started with. */
export type KafkaStart = {
  readonly brokers: readonly Address[];
  readonly topic: string;
  /** Of every event: events of one instance are in one partition, in their order. */
  readonly key: string;
  readonly clientId: string;
  readonly acks: 'none' | 'leader' | 'all';
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Null without TLS. */
  readonly tls: TlsClientOptions | null;
};

/** Values of events, which are one request. */
export type KafkaBatch = readonly Uint8Array[];

export type KafkaFailure = {
  /** As upstream's metric has it. */
  readonly type: 'timeout' | 'network' | 'broker' | 'unknown';
  readonly text: string;
  /** The broker will not take these events, whenever they come. */
  readonly isOfEvents: boolean;
};

/** Of the batch sent last; null when the brokers have it. */
export type KafkaAnswer = KafkaFailure | null;
