import { InputError } from '@pollux/base';
import {
  byteSize,
  checked,
  integer,
  nonEmptyString,
  nullable,
  object,
  optional,
} from '@pollux/config';
import { duration, positiveDuration } from '../balance/group-config.ts';

const count = checked(integer, (value) => {
  if (value > 0) return value;
  throw new InputError('GATEWAY.BAD_COUNT', '', 'must be at least 1');
});

const cacheConfig = object({
  /** 0: nothing is kept. */
  max_bytes: optional(byteSize, 64 * 1024 * 1024),
  /** Samples older than this do not change any more: as late as any of them may come, rules and remote writes included. */
  settled_after: optional(positiveDuration, 600_000),
  /** So long at most a kept answer hides that samples were deleted. */
  max_age: optional(positiveDuration, 3_600_000),
});

const slowLogConfig = object({
  file: optional(nonEmptyString, ''),
  threshold: optional(positiveDuration, 5_000),
});

export const DEFAULT_CACHE = {
  max_bytes: 64 * 1024 * 1024,
  settled_after: 600_000,
  max_age: 3_600_000,
};

/** What stands between those who ask and the planning of their queries. */
export const frontConfig = object({
  /** Queries that are worked on at once. */
  max_concurrent: optional(count, 256),
  max_concurrent_per_user: optional(count, 64),
  /** That wait for their turn; over it 429. */
  max_queued_per_user: optional(count, 256),
  queue_timeout: optional(positiveDuration, 30_000),
  /** Longer ranges are asked for in pieces of this length, where that gives the same answer; 0: never. */
  split_interval: optional(duration, 86_400_000),
  split_concurrency: optional(count, 4),
  cache: optional(cacheConfig, DEFAULT_CACHE),
  slow_log: optional(nullable(slowLogConfig), null),
});

export type FrontConfig = ReturnType<typeof frontConfig>;

export const DEFAULT_FRONT: FrontConfig = {
  max_concurrent: 256,
  max_concurrent_per_user: 64,
  max_queued_per_user: 256,
  queue_timeout: 30_000,
  split_interval: 86_400_000,
  split_concurrency: 4,
  cache: DEFAULT_CACHE,
  slow_log: null,
};
