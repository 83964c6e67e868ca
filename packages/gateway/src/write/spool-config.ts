import { byteSize, object, optional } from '@pollux/config';
import { positiveDuration } from '../balance/group-config.ts';

/** What writes wait for and how much of them is kept for members that are away. */
export const spoolConfig = object({
  /** For each member. */
  max_bytes: optional(byteSize, 1024 ** 3),
  /** What is older is not delivered any more. */
  max_age: optional(positiveDuration, 24 * 3_600_000),
  /** A member that takes longer over a write gets it from the spool. */
  patience: optional(positiveDuration, 5_000),
  /** How long an alert without an end is worth delivering, and the news that one ended: as the alertmanagers' `resolve_timeout`. */
  resolve_timeout: optional(positiveDuration, 300_000),
});

export type SpoolConfig = ReturnType<typeof spoolConfig>;

export const DEFAULT_SPOOL: SpoolConfig = {
  max_bytes: 1024 ** 3,
  max_age: 24 * 3_600_000,
  patience: 5_000,
  resolve_timeout: 300_000,
};
