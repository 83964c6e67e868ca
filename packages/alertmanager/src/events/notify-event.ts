import type { Acknowledgement } from '../acknowledge/acknowledgement.ts';
import type { Alert } from '../alert/alert.ts';
import type { LogReceiver } from '../nflog/entry.ts';
import type { NotificationAttempt } from '../notify/attempt.ts';
import type { Flush } from '../notify/batch.ts';
import type { SuppressReason } from '../notify/metrics.ts';
import type { UpdateVerdict } from '../notify/update-verdict.ts';
import type { Silence } from '../silence/silence.ts';

/**
 * What an alert did: it began to fire, its annotations or source changed while it fired, its sender ended it, or its end
 * came without a word of the sender.
 */
export type AlertChange = 'fired' | 'changed' | 'resolved' | 'timed out';

export type AlertEvent = {
  readonly kind: 'alert';
  readonly change: AlertChange;
  readonly alert: Alert;
  /** The version that it replaces; null when there was none. */
  readonly previous: Alert | null;
};

/** A group begins to flush, before anything is withheld. */
export type FlushEvent = {
  readonly kind: 'flush';
  readonly flush: Flush;
  readonly alerts: readonly Alert[];
};

export type Withheld = {
  readonly alert: Alert;
  /** Ids of silences, fingerprints of inhibiting alerts or names of time intervals. */
  readonly by: readonly string[];
};

/** A stage took alerts out of a flush; told only when there are some. */
export type WithheldEvent = {
  readonly kind: 'withheld';
  readonly flush: Flush;
  readonly reason: SuppressReason;
  readonly withheld: readonly Withheld[];
};

/** The notification log was asked whether one integration is to be told of this flush. */
export type VerdictEvent = {
  readonly kind: 'verdict';
  readonly flush: Flush;
  readonly receiver: LogReceiver;
  readonly alerts: readonly Alert[];
  readonly verdict: UpdateVerdict;
};

/** One request to a receiver failed. */
export type FailedAttemptEvent = {
  readonly kind: 'failed attempt';
  readonly flush: Flush;
  readonly receiver: LogReceiver;
  /** Counted from 1. */
  readonly attempt: number;
  readonly error: string;
  /** Whether another attempt follows, if the flush's time allows. */
  readonly isRetried: boolean;
};

/** A notification ended: accepted, given up, or done by another member. */
export type DeliveryEvent = {
  readonly kind: 'delivery';
  readonly flush: Flush;
  readonly receiver: LogReceiver;
  /** Those that the message was made of. */
  readonly alerts: readonly Alert[];
  readonly outcome: NotificationAttempt;
};

export type SilenceEvent = {
  readonly kind: 'silence';
  readonly change: 'created' | 'edited' | 'expired';
  readonly silence: Silence;
  /** The user who is logged in where it was made; empty when nobody is or when it was made elsewhere. */
  readonly by: string;
  /** Whether this member made the change or heard of it from another. */
  readonly origin: 'here' | 'cluster';
};

/** A repetition was left out because all that fires in it is acknowledged. */
export type AcknowledgedEvent = {
  readonly kind: 'acknowledged';
  readonly flush: Flush;
  readonly receiver: LogReceiver;
  /** Ids. */
  readonly by: readonly string[];
};

export type AcknowledgementEvent = {
  readonly kind: 'acknowledgement';
  readonly change: 'created' | 'ended';
  readonly acknowledgement: Acknowledgement;
  readonly origin: 'here' | 'cluster';
};

/** A configuration was taken into force or refused. */
export type ReloadEvent = {
  readonly kind: 'reload';
  /** Empty when it succeeded. */
  readonly error: string;
};

export type NotifyEvent =
  | AlertEvent
  | FlushEvent
  | WithheldEvent
  | VerdictEvent
  | FailedAttemptEvent
  | DeliveryEvent
  | SilenceEvent
  | AcknowledgedEvent
  | AcknowledgementEvent
  | ReloadEvent;
