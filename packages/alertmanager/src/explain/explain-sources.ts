import type { Clock } from '@pollux/base';
import type { Acknowledgements } from '../acknowledge/acknowledgements.ts';
import type { ClusterPort } from '../cluster-port.ts';
import type { LiveConfig } from '../live-config.ts';
import type { LogReceiver } from '../nflog/entry.ts';
import type { NotificationLog } from '../nflog/notification-log.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import type { DeliveriesUnderWay } from './deliveries-under-way.ts';

/** One notification that ended, as explanations show it. */
export type PastAttempt = {
  readonly time: string;
  readonly reason: string;
  readonly result: string;
  readonly attempts: number;
  readonly durationMs: number;
  readonly error: string;
};

export type ExplainSources = {
  readonly clock: Clock;
  readonly cluster: ClusterPort;
  readonly peerTimeoutMs: number;
  readonly silences: SilenceStore;
  readonly notificationLog: NotificationLog;
  readonly acknowledgements: Acknowledgements;
  readonly underWay: DeliveriesUnderWay;
  /** The last notifications of this member to one integration of one group, newest first. */
  readonly attemptsOf: (groupKey: string, receiver: LogReceiver) => Promise<readonly PastAttempt[]>;
  readonly live: () => LiveConfig;
};
