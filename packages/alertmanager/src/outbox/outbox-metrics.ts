import type { Counter, Family, Registry } from '@pollux/telemetry';
import type { OutboxStore } from './outbox-store.ts';

/** How a notification left the outbox. */
export type Settled =
  | 'delivered'
  | 'delivered by another member'
  | 'not due any more'
  | 'dead'
  | 'too large';
const SETTLED: readonly Settled[] = [
  'delivered',
  'delivered by another member',
  'not due any more',
  'dead',
  'too large',
];

export class OutboxMetrics {
  readonly settled: Family<Counter>;
  readonly escalated: Counter;
  readonly lettersDropped: Counter;

  constructor(registry: Registry, store: OutboxStore) {
    this.settled = registry.counters(
      'pollux_alertmanager_outbox_settled_total',
      'Notifications that left the outbox, by how.',
      ['how'],
    );
    for (const how of SETTLED) this.settled.with(how);
    this.escalated = registry.counter(
      'pollux_alertmanager_escalations_total',
      'Notifications that were given to a fallback receiver as well.',
    );
    this.lettersDropped = registry.counter(
      'pollux_alertmanager_dead_letters_dropped_total',
      'Dead letters that made room for newer ones.',
    );
    registry.gaugeFrom(
      'pollux_alertmanager_outbox_entries',
      'Notifications that could not be delivered yet and are tried again.',
      () => store.size,
    );
    registry.gaugeFrom(
      'pollux_alertmanager_outbox_bytes',
      'Size of the notifications in the outbox.',
      () => store.sizeBytes,
    );
    registry.gaugeFrom(
      'pollux_alertmanager_dead_letters',
      'Notifications that were given up and can be looked at and replayed.',
      () => store.letters.size,
    );
  }
}
