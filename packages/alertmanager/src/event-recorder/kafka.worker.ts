import type { WorkerEntry } from '@pollux/base';
import type { KafkaAnswer, KafkaBatch, KafkaStart } from './kafka.protocol.ts';

/**
 * Sends events to Kafka, each batch when the one before is answered. A thread of its own, since bytes of a broker that are not
 * Kafka's make the library throw where nobody can catch it, which ends the thread and not the program.
 */
export const KAFKA_PRODUCER: WorkerEntry<KafkaStart, KafkaBatch, KafkaAnswer> = {
  name: 'KAFKA_PRODUCER',
  module: import.meta.url,
  run: async (port, start) => {
    // Who starts the thread loads this module too, and does not need the library.
    const { produce } = await import('./kafka-producer.ts');
    await produce(port, start);
  },
};
