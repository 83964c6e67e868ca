import type { Alert } from '../alert/alert.ts';

/** When a group's timer was last wound. */
export type GroupTimes = {
  /** Of the last flush that came to its end, or of the group's beginning; ms. */
  readonly sinceMs: number;
  readonly hasFlushed: boolean;
};

/** What of a group outlives its object: a reload, a restart. Groups are named by `groupName`. */
export type GroupMemory = {
  /** Null for a group that is new. */
  recall(group: string): GroupTimes | null;
  /** A new group, whose first flush is waited for from now on. */
  began(group: string, nowMs: number): void;
  /** A flush that fell due at `dueMs` came to its end, whatever became of it. */
  flushed(group: string, dueMs: number): void;
  /** The group is empty and gone. */
  ended(group: string): void;
  /** The alert left the group, since its end was dealt with. */
  toldEnd(group: string, alert: Alert): void;
  /** Whether {@link toldEnd} was said of this very version. */
  hasToldEnd(group: string, alert: Alert): boolean;
  /** True once when the group left out an earlier version as doubtful after a restart, and this one is a sender's word. */
  takeConfirmed(group: string, alert: Alert): boolean;
};
