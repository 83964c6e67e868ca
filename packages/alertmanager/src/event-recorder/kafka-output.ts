import {
  type Address,
  CanceledError,
  errorText,
  sleep,
  type TlsClientOptions,
  type Workers,
} from '@pollux/base';
import { parseAddress } from '@pollux/http';
import type { EventRecorderConfig } from '../config/event-recorder-config.ts';
import type { EventFormat, EventLine } from './event-line.ts';
import type { KafkaAnswer, KafkaBatch, KafkaFailure } from './kafka.protocol.ts';
import { KafkaThread } from './kafka-thread.ts';
import type { EventOutput, OutputContext } from './outputs.ts';

export type KafkaConfig = EventRecorderConfig['kafka_outputs'][number];

export type KafkaOutputOptions = {
  readonly workers: Workers;
  /** Key of all events. */
  readonly instance: string;
  /** Asked for each new connection, so that renewed files are used. Throws where one cannot be read. */
  readonly tls: () => TlsClientOptions | null;
};

/** Upstream's. */
const DEFAULT_CLIENT_ID = 'alertmanager';
const DEFAULT_BUFFER_SIZE = 1_024;
const DEFAULT_PORT = 9_092;

const UTF8 = new TextEncoder();

const MAX_BATCH_EVENTS = 256;
/** Half of what a broker takes in one request unless it is told otherwise. */
const MAX_BATCH_BYTES = 524_288;
/** For one batch, the start of the thread, connections and metadata included. */
const ATTEMPT_MS = 30_000;
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;

/**
 * Produces events to a topic, in their order, a batch at a time. A batch is tried until the brokers have it, as upstream does;
 * meanwhile events wait, and what does not fit is lost and counted: nothing else waits for it. Events may come twice when an
 * answer is lost. Events that a broker refuses for themselves are given up.
 */
export class KafkaOutput implements EventOutput {
  readonly name: string;
  readonly format: EventFormat;
  readonly #config: KafkaConfig;
  readonly #brokers: readonly Address[];
  readonly #context: OutputContext;
  readonly #options: KafkaOutputOptions;
  readonly #stop = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  /** Fewer after a refusal of several, to find the one. */
  #atMost = MAX_BATCH_EVENTS;
  #isFull = false;
  /** Since the last success. */
  #failures = 0;
  #thread: KafkaThread | null = null;
  #running: Promise<void> | null = null;

  /** Throws when a broker's address is none. */
  constructor(config: KafkaConfig, context: OutputContext, options: KafkaOutputOptions) {
    this.name = `kafka:${[...config.brokers].sort().join(',')}/${config.topic}`;
    this.format = config.format === '' ? 'json' : config.format;
    this.#config = config;
    this.#brokers = config.brokers.map(brokerAddress);
    this.#context = context;
    this.#options = options;
  }

  write(events: readonly EventLine[]): void {
    const { buffer_size } = this.#config;
    const size = buffer_size <= 0 ? DEFAULT_BUFFER_SIZE : buffer_size;
    const free = Math.max(0, size - this.#waiting.length);
    for (const event of events.slice(0, free)) {
      this.#waiting.push(this.format === 'json' ? UTF8.encode(event.json) : event.protobuf);
    }
    this.#dropBeyond(events.length - free);
    if (this.#waiting.length > 0) this.#running ??= this.#deliver();
  }

  async close(graceMs: number): Promise<void> {
    const cut = this.#context.clock.after(graceMs, () => {
      const why = new CanceledError('the event recorder is closing');
      this.#stop.abort(why);
      this.#thread?.end({ type: 'timeout', text: why.message, isOfEvents: false });
    });
    await this.#running;
    cut.cancel();
    this.#stop.abort(new CanceledError('the event recorder is closing'));
    const left = this.#waiting.splice(0).length;
    if (left > 0) this.#drop(left, 'they could not be delivered before the end');
  }

  /** Until nothing waits, or this is closed. Between the last look and the end of it nothing can be written. */
  async #deliver(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#stop.signal.aborted) await this.#deliverBatch();
    } finally {
      this.#running = null;
    }
  }

  /** One attempt, and the pause behind it if it has failed. */
  async #deliverBatch(): Promise<void> {
    const { clock, log, metrics } = this.#context;
    const batch = this.#batch();
    const failure = await this.#attempt(batch);
    if (failure === null) {
      this.#waiting.splice(0, batch.length);
      this.#atMost = Math.min(MAX_BATCH_EVENTS, this.#atMost * 2);
      this.#failures = 0;
      return;
    }
    this.#failures++;
    metrics.kafkaErrors.with(this.name, failure.type).inc();
    log.warn('events could not be produced', {
      output: this.name,
      attempt: this.#failures,
      events: batch.length,
      err: failure.text,
    });
    if (failure.isOfEvents) {
      this.#failures = 0;
      this.#atMost = Math.ceil(batch.length / 2);
      if (batch.length > 1) return;
      this.#waiting.shift();
      this.#drop(1, 'a broker refuses it');
      return;
    }
    const pauseMs = Math.min(MIN_BACKOFF_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
    // Broken off, there is no further attempt.
    await sleep(clock, pauseMs, this.#stop.signal).catch(() => {});
  }

  /** At least one event. They go on waiting, and being counted, until they are delivered. */
  #batch(): KafkaBatch {
    const batch: Uint8Array[] = [];
    let size = 0;
    for (const value of this.#waiting) {
      size += value.length;
      if (batch.length > 0 && (batch.length >= this.#atMost || size > MAX_BATCH_BYTES)) break;
      batch.push(value);
    }
    return batch;
  }

  async #attempt(batch: KafkaBatch): Promise<KafkaAnswer> {
    const { clock } = this.#context;
    const thread = this.#usable();
    if (!(thread instanceof KafkaThread)) return thread;
    const cut = clock.after(ATTEMPT_MS, () => {
      thread.end({ type: 'timeout', text: `no answer in ${ATTEMPT_MS} ms`, isOfEvents: false });
    });
    const answer = await thread.send(batch);
    cut.cancel();
    // What came late or half would be taken for the answer to the next request; a refusal is whole.
    if (answer !== null && !answer.isOfEvents) thread.end(answer);
    return answer;
  }

  #usable(): KafkaThread | KafkaFailure {
    if (this.#thread?.isOver === false) return this.#thread;
    const { workers, instance, tls } = this.#options;
    const { topic, client_id, acks, compression } = this.#config;
    try {
      const start = {
        brokers: this.#brokers,
        topic,
        key: instance,
        clientId: client_id === '' ? DEFAULT_CLIENT_ID : client_id,
        acks: acks === '' ? 'leader' : acks,
        compression: compression === '' ? 'none' : compression,
        tls: tls(),
      } as const;
      this.#thread = new KafkaThread(workers, start, this.#stop.signal);
      return this.#thread;
    } catch (error) {
      return { type: 'unknown', text: errorText(error), isOfEvents: false };
    }
  }

  /** Logged when it begins: it may be so for as long as a broker is away. */
  #dropBeyond(excess: number): void {
    const wasFull = this.#isFull;
    this.#isFull = excess > 0;
    if (!this.#isFull) return;
    if (wasFull) this.#context.metrics.outputDrops.with(this.name).inc(excess);
    else this.#drop(excess, 'the buffer is full');
  }

  #drop(events: number, why: string): void {
    const { log, metrics } = this.#context;
    metrics.outputDrops.with(this.name).inc(events);
    log.warn('events are lost', { output: this.name, events, why });
  }
}

function brokerAddress(broker: string): Address {
  const hasPort = /:\d+$/.test(broker) && !/^[^[].*:.*:/.test(broker);
  return parseAddress(hasPort ? broker : `${broker}:${DEFAULT_PORT}`);
}
