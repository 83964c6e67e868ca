import { errorText, type StopSignal, type WorkerHandle, type Workers } from '@pollux/base';
import type { KafkaAnswer, KafkaBatch, KafkaFailure, KafkaStart } from './kafka.protocol.ts';
import { KAFKA_PRODUCER } from './kafka.worker.ts';

/** A thread that has had nothing to send for so long ends; the next event starts another. */
const IDLE_MS = 600_000;
const MAX_HEAP_MEGABYTES = 64;

/** The thread that talks to the brokers, as long as nothing fails. */
export class KafkaThread {
  readonly #handle: WorkerHandle<KafkaBatch>;
  #answer: ((answer: KafkaAnswer) => void) | null = null;
  #isOver = false;

  constructor(workers: Workers, start: KafkaStart, signal: StopSignal) {
    this.#handle = workers.start(KAFKA_PRODUCER, {
      data: start,
      onMessage: (answer) => this.#tell(answer),
      signal,
      maxSilenceMs: IDLE_MS,
      maxHeapMegabytes: MAX_HEAP_MEGABYTES,
    });
    const over = (why: unknown): void =>
      this.end({ type: 'unknown', text: errorText(why), isOfEvents: false });
    this.#handle.ended.then(() => over('the thread ended'), over);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** One batch at a time. */
  send(batch: KafkaBatch): Promise<KafkaAnswer> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#handle.post(batch);
    });
  }

  /** What is under way has failed with that; the thread is gone within seconds. */
  end(failure: KafkaFailure): void {
    this.#isOver = true;
    this.#tell(failure);
    void this.#handle.stop();
  }

  #tell(answer: KafkaAnswer): void {
    this.#answer?.(answer);
    this.#answer = null;
  }
}
