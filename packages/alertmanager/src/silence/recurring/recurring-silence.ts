import { createHash } from 'node:crypto';
import { errorText } from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import { timeIntervalEntries } from '../../config/time-interval-config.ts';
import { RecurringSilenceError } from '../../errors.ts';
import type { TimeInterval } from '../../time-interval/time-interval.ts';
import type { SilenceMatcher } from '../silence.ts';

/** A silence that comes back by the calendar. Not edited: a change is a new one in place of the old. */
export type RecurringSilence = {
  readonly id: string;
  readonly matchers: readonly SilenceMatcher[];
  /** JSON of what `time_intervals` of a configuration has. */
  readonly schedule: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly createdMs: number;
  /** When it was taken back; 0 while it holds. */
  readonly deletedMs: number;
  readonly updatedMs: number;
};

/** The annotation by which silences made of a recurring one are known. */
export const RECURRING_ANNOTATION = 'pollux_recurring';

/** Throws RecurringSilenceError. */
export function parseSchedule(schedule: string): readonly TimeInterval[] {
  let intervals: readonly TimeInterval[];
  try {
    // JSON is YAML, and the schedule is what the configuration calls an interval.
    intervals = timeIntervalEntries(parseYaml(schedule, 'schedule'), 'schedule', strictContext());
  } catch (error) {
    throw new RecurringSilenceError(errorText(error));
  }
  if (intervals.length === 0) throw new RecurringSilenceError('the schedule holds at no time');
  return intervals;
}

/**
 * The id of the silence for the occurrence that ends at `endMs`: the same whichever member makes it, so that members which
 * make it at the same time make one. The start would not do, since it lies in the past when the program began later.
 */
export function occurrenceId(recurringId: string, endMs: number): string {
  const hex = createHash('sha256').update(`${recurringId} ${endMs}`).digest('hex');
  // Of the form of a UUID version 4, which peers generate.
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) % 4);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
