import {
  type CompressionAlgorithmSpecification,
  compressionsAlgorithms,
  GenericError,
  murmur2,
  ProduceAcks,
  Producer,
  TimeoutError,
} from '@platformatic/kafka';
import {
  errorText,
  parseIp,
  type TlsClientOptions,
  tlsClientSettings,
  type WorkerPort,
} from '@pollux/base';
import type { KafkaAnswer, KafkaBatch, KafkaFailure, KafkaStart } from './kafka.protocol.ts';

const ACKS = {
  none: ProduceAcks.NO_RESPONSE,
  leader: ProduceAcks.LEADER,
  all: ProduceAcks.ALL,
} as const;
const CONNECT_TIMEOUT_MS = 5_000;
/** Of each request, of which the first batch needs three. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Zstandard's default, which upstream's library has too. */
const ZSTD_LEVEL = 3;
/** MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD. */
const CODES_OF_EVENTS = [10, 18, 87];

/** Until the port is to stop. One attempt for each batch: who started this decides on the next. */
export async function produce(
  port: WorkerPort<KafkaBatch, KafkaAnswer>,
  start: KafkaStart,
): Promise<void> {
  const { brokers, topic, clientId, acks, compression, tls } = start;
  const key = Buffer.from(start.key);
  if (compression === 'zstd') await provideZstd();
  const producer = new Producer({
    clientId,
    bootstrapBrokers: [...brokers],
    compression,
    // As Kafka's own clients have it, of which the library's differs.
    partitioner: () => murmur2(start.key) & 0x7fff_ffff,
    retries: 0,
    repeatOnStaleMetadata: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    timeout: REQUEST_TIMEOUT_MS,
    ...(tls === null ? {} : tlsOptions(tls, brokers)),
  });
  try {
    for (;;) {
      const values = await port.receive();
      const messages = values.map((value) => ({ topic, key, value: Buffer.from(value) }));
      port.post(await answerOf(producer.send({ messages, acks: ACKS[acks] })));
    }
  } finally {
    await producer.close();
  }
}

/** The library looks into its table for each batch. Before 22.15 Node has no zstd, and the table says so. */
async function provideZstd(): Promise<void> {
  const zstd: CompressionAlgorithmSpecification = compressionsAlgorithms.zstd;
  if (zstd.available) return;
  const { compress, init } = await import('@bokuweb/zstd-wasm');
  await init();
  zstd.compressSync = (data) =>
    Buffer.from(compress(Buffer.isBuffer(data) ? data : data.buffer, ZSTD_LEVEL));
  zstd.available = true;
}

async function answerOf(sending: Promise<unknown>): Promise<KafkaAnswer> {
  try {
    await sending;
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): KafkaFailure {
  const found = (property: string, value: unknown): boolean =>
    error instanceof Error &&
    GenericError.isGenericError(error) &&
    (error as GenericError).findBy(property, value) !== null;
  const isOfEvents = CODES_OF_EVENTS.some((code) => found('apiCode', code));
  return { type: typeOf(found), text: wholeText(error), isOfEvents };
}

function typeOf(found: (property: string, value: unknown) => boolean): KafkaFailure['type'] {
  if (found('code', TimeoutError.code)) return 'timeout';
  if (found('code', 'PLT_KFK_RESPONSE') || found('code', 'PLT_KFK_PROTOCOL')) return 'broker';
  return found('code', 'PLT_KFK_NETWORK') ? 'network' : 'unknown';
}

/** The library puts its reasons below errors that only say that something failed. */
function wholeText(error: unknown): string {
  if (!(error instanceof AggregateError) || error.message === '') return errorText(error);
  return `${error.message} ${error.errors.map(wholeText).join('; ')}`;
}

function tlsOptions(tls: TlsClientOptions, brokers: KafkaStart['brokers']) {
  const isNamed = brokers.every(({ host }) => parseIp(host) === null);
  const { servername, ...options } = tlsClientSettings(tls);
  // Addresses are no names of servers.
  return { tls: options, tlsServerName: servername ?? isNamed };
}
