import { MetaError } from './errors.ts';

export type RetentionPolicy = {
  readonly name: string;
  /** How long samples are kept; 0 = for ever. */
  readonly durationNanos: bigint;
  readonly shardDurationNanos: bigint;
  /** Kept for clients, without meaning here. */
  readonly replication: number;
  readonly subscriptions: readonly Subscription[];
};

/** Who is sent what is written to a policy: all of the destinations, or one after the other. */
export type Subscription = {
  readonly name: string;
  readonly mode: 'ALL' | 'ANY';
  readonly destinations: readonly string[];
};

/** Null or missing means the default, or no change when altering. */
export type PolicyOptions = {
  readonly durationNanos?: bigint | null;
  readonly shardDurationNanos?: bigint | null;
  readonly replication?: number | null;
};

const HOUR = 3_600_000_000_000n;
const DAY = 24n * HOUR;

/** influxd's rule: 1 h below two days, 24 h below 180 days, else a week. Given ones are raised to an hour. */
export function normalizedShardDuration(shardNanos: bigint, durationNanos: bigint): bigint {
  if (shardNanos > 0n) return shardNanos < HOUR ? HOUR : shardNanos;
  if (durationNanos === 0n || durationNanos >= 180n * DAY) return 7n * DAY;
  return durationNanos >= 2n * DAY ? DAY : HOUR;
}

/** Scheme udp, http or https, and a port. */
export function checkDestinations(destinations: readonly string[]): void {
  for (const destination of destinations) {
    if (/^(?:udp|https?):\/\/[^/?#]+:\d{1,5}(?:[/?#].*)?$/i.test(destination)) continue;
    throw new MetaError(`invalid subscription URL: ${destination}`);
  }
}

export function checkDurations(durationNanos: bigint, shardNanos: bigint): void {
  if (durationNanos !== 0n && durationNanos < HOUR) {
    throw new MetaError('retention policy duration must be at least 1h0m0s');
  }
  if (durationNanos !== 0n && durationNanos < shardNanos) {
    throw new MetaError('retention policy duration must be greater than the shard duration');
  }
}
