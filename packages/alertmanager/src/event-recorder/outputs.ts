import type { Clock, Files } from '@pollux/base';
import type { Counter, Family, Log, Registry } from '@pollux/telemetry';
import type { EventFormat, EventLine } from './event-line.ts';

/** One place that every event goes to. */
export interface EventOutput {
  /** In metrics and the log: without what could be secret. */
  readonly name: string;
  /** In which it takes events, for the metric of bytes. */
  readonly format: EventFormat;
  /** Takes events over, or throws when all of them are lost. Must not hold the thread for long. */
  write(events: readonly EventLine[]): void;
  /** Resolves when all that it took is delivered or given up; by then at the latest `graceMs` have passed. */
  close(graceMs: number): Promise<void>;
}

export class RecorderMetrics {
  readonly recorded: Family<Counter>;
  readonly writtenBytes: Family<Counter>;
  readonly dropped: Family<Counter>;
  readonly outputDrops: Family<Counter>;
  readonly kafkaErrors: Family<Counter>;

  constructor(registry: Registry, queueLength: () => number) {
    const counters = (name: string, help: string, labels: readonly string[]): Family<Counter> =>
      registry.counters(`alertmanager_${name}`, help, labels);
    this.recorded = counters(
      'events_recorded_total',
      'The total number of events recorded by the event recorder.',
      ['event_type', 'output', 'result'],
    );
    this.writtenBytes = counters(
      'event_recorder_bytes_written_total',
      'The total number of bytes written to the event recorder.',
      ['event_type', 'output'],
    );
    this.dropped = counters(
      'events_dropped_total',
      'The total number of events dropped due to a full queue.',
      ['event_type'],
    );
    this.outputDrops = counters(
      'event_output_drops_total',
      'The total number of events dropped by an output due to a full local buffer, or given up.',
      ['output'],
    );
    this.kafkaErrors = counters(
      'event_kafka_produce_errors_total',
      'The total number of Kafka produce attempts that failed.',
      ['output', 'error_type'],
    );
    registry.gaugeFrom(
      'alertmanager_event_recorder_queue_length',
      'Current number of events waiting in the event recorder write queue.',
      queueLength,
    );
  }
}

/** What outputs need of the world. */
export type OutputContext = {
  readonly clock: Clock;
  readonly files: Files;
  readonly log: Log;
  readonly metrics: RecorderMetrics;
  /** To standard output. */
  readonly print: (text: string) => void;
};

/** Appends lines to a file, which is opened for each batch: one that was moved away by a rotation begins anew. */
export class FileOutput implements EventOutput {
  readonly name: string;
  readonly format = 'json';
  readonly #files: Files;
  readonly #path: string;

  /** Throws when the file cannot be appended to. */
  constructor(path: string, { files }: Pick<OutputContext, 'files'>) {
    this.name = `file:${path}`;
    this.#files = files;
    this.#path = path;
    files.open(path, 'a').close();
  }

  write(events: readonly EventLine[]): void {
    const data = Buffer.from(linesOf(events));
    const file = this.#files.open(this.#path, 'a');
    try {
      file.write(data, 0, data.length, null);
    } finally {
      file.close();
    }
  }

  async close(): Promise<void> {}
}

export class StdoutOutput implements EventOutput {
  readonly name = 'stdout';
  readonly format = 'json';
  readonly #print: (text: string) => void;

  constructor({ print }: Pick<OutputContext, 'print'>) {
    this.#print = print;
  }

  write(events: readonly EventLine[]): void {
    this.#print(linesOf(events));
  }

  async close(): Promise<void> {}
}

function linesOf(events: readonly EventLine[]): string {
  return events.map(({ json }) => `${json}\n`).join('');
}
