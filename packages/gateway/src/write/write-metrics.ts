import type { Counter, Family, Registry } from '@pollux/telemetry';

/** Why a member did not get a write that its sender was told is taken. */
export type DropReason = 'age' | 'expired' | 'refused' | 'full' | 'disk' | 'damaged' | 'no_spool';

export type WriteMetrics = {
  /** By what the sender was told. */
  readonly answers: Family<Counter>;
  readonly refusals: Family<Counter>;
  readonly spooled: Family<Counter>;
  readonly replayed: Family<Counter>;
  readonly replayFailures: Family<Counter>;
  readonly dropped: Family<Counter>;
};

export function writeMetrics(registry: Registry): WriteMetrics {
  return {
    answers: registry.counters(
      'pollux_gateway_writes_total',
      'Writes and posts of alerts, by what the sender was answered.',
      ['kind', 'outcome'],
    ),
    refusals: registry.counters(
      'pollux_gateway_writes_refused_by_member_total',
      'Writes that a member refused while another took them.',
      ['member'],
    ),
    spooled: registry.counters(
      'pollux_gateway_spooled_total',
      'Writes put into the spool of a member.',
      ['member'],
    ),
    replayed: registry.counters(
      'pollux_gateway_spool_replayed_total',
      'Writes delivered from the spool.',
      ['member'],
    ),
    replayFailures: registry.counters(
      'pollux_gateway_spool_replay_failures_total',
      'Deliveries from the spool that failed and are tried again.',
      ['member'],
    ),
    dropped: registry.counters(
      'pollux_gateway_spool_dropped_total',
      'Writes (for reason "expired": alerts) that a member will not get.',
      ['member', 'reason'],
    ),
  };
}
