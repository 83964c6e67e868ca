import type { LogReceiver } from '../nflog/entry.ts';
import type { Notification } from './notification.ts';

/** One configured way of one receiver to reach people. */
export type Integration = {
  readonly receiver: LogReceiver;
  readonly sendResolved: boolean;
  /**
   * Delivers or rejects with a DeliveryError that says whether to try again; other rejections are not retried. Must end
   * soon after `signal` aborts.
   */
  send(notification: Notification, signal: AbortSignal): Promise<void>;
};
