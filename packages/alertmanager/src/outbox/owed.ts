import type { Labels } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import { entryKey, type LogReceiver } from '../nflog/entry.ts';
import type { NotificationReason } from '../notify/notification.ts';

/** A notification that the log called for and that did not get through. Immutable. */
export type Owed = {
  /** Name in the configuration of the receiver that sends it. */
  readonly receiverName: string;
  /** As the log names the integration; for a fallback not the receiver's own name. */
  readonly receiver: LogReceiver;
  readonly routeKey: string;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly reason: NotificationReason;
  /** As they were at the flush; `endsAtMs` is 0 for what fired. */
  readonly alerts: readonly Alert[];
  /** Time of the flush that last called for it, ms. */
  readonly flushMs: number;
  /** Of the first failed attempt, ms. */
  readonly sinceMs: number;
  /** True for what goes to a fallback: it is told once, and only while something fires. */
  readonly isFallback: boolean;
};

/** One notification that is owed to one integration for one group; a newer flush of the group replaces the content. */
export type OutboxEntry = {
  readonly id: number;
  owed: Owed;
  attempts: number;
  error: string;
  /** Given to the fallback receiver, or there is none to give it to. */
  isEscalated: boolean;
  /** Encoded. */
  sizeBytes: number;
};

/** Why a notification is given up. */
export type DeathCause = 'refused' | 'expired' | 'overflow' | 'unknown receiver';

export type DeadLetter = {
  readonly id: number;
  readonly owed: Owed;
  readonly cause: DeathCause;
  /** Holds no secrets. */
  readonly error: string;
  readonly attempts: number;
  readonly diedMs: number;
  /** How often notifications of this group and integration died in a row. */
  readonly deaths: number;
  /** The last replay that failed. */
  readonly replay: { readonly atMs: number; readonly error: string } | null;
};

/** The identity of what is owed: at most one for a group and an integration. */
export function owedKey({ groupKey, receiver }: Pick<Owed, 'groupKey' | 'receiver'>): string {
  return entryKey(groupKey, receiver);
}

/** `webhook[0]` */
export function integrationName({ integration, index }: LogReceiver): string {
  return `${integration}[${index}]`;
}
