import type { StopSignal } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import type { Route } from '../route/route.ts';
import type { WireTime } from '../wire/timestamp.ts';
import type { ReceiverMemory } from './integration.ts';
import type { NotificationReason } from './notification.ts';

/** One flush of one group: what every stage may know. */
export type Flush = {
  readonly route: Route;
  readonly groupLabels: Labels;
  readonly groupKey: string;
  /** All spellings under which members may have logged the group, ours first. */
  readonly groupKeySpellings: readonly string[];
  readonly nowMs: number;
  /** Flushes of the group so far, this one included; 0 for what the outbox sends. */
  readonly number: number;
  /** The same alerts as they are by now, and the time. */
  readonly latest: (alerts: readonly Alert[]) => {
    readonly nowMs: number;
    readonly alerts: readonly Alert[];
  };
  /** Another member has notified the group while this flush waited for its turn; `atMs` by the monotonic clock. */
  readonly toldByOther: (atMs: number) => void;
  /** Ends when the flush's time is over or the program stops. */
  readonly signal: StopSignal;
};

/** The name under which a group outlives its object: siblings with equal matchers differ in their receiver only. */
export function groupName({ route, groupKey }: Pick<Flush, 'route' | 'groupKey'>): string {
  return `${route.settings.receiver}\u0000${groupKey}`;
}

/** What travels from stage to stage; each stage gives the next a new one. */
export type Batch = {
  readonly flush: Flush;
  readonly alerts: readonly Alert[];
  /** When the log says that the group was last notified, read before the wait; missing while it was not read. */
  readonly notifiedAt?: WireTime | null;
  /** Known from the dedup stage on. */
  readonly reason: NotificationReason;
  readonly firing: readonly bigint[];
  readonly resolved: readonly bigint[];
  /** What the receiver noted about this group with earlier notifications; it may add to it. Known from the dedup stage on. */
  readonly memory: ReceiverMemory;
};

/** One step on the way of a batch. Null ends the way without a failure; a rejection fails the flush. */
export type Stage = (batch: Batch) => Promise<Batch | null>;

/** Runs the stages in order until one ends the way. */
export async function runStages(stages: readonly Stage[], batch: Batch): Promise<void> {
  let current: Batch | null = batch;
  for (const stage of stages) {
    current = await stage(current);
    if (current === null || current.alerts.length === 0) return;
  }
}
