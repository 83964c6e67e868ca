import type { StopSignal } from '@pollux/base';
import type { LogReceiver } from '../nflog/entry.ts';
import type { Notification } from './notification.ts';

/** Texts by name that a receiver keeps for a group between notifications; all members of the cluster have them. */
export type ReceiverMemory = Map<string, string>;

/** One configured way of one receiver to reach people. */
export type Integration = {
  readonly receiver: LogReceiver;
  readonly sendResolved: boolean;
  /**
   * Delivers or rejects with a DeliveryError that says whether to try again; other rejections are not retried. Must end
   * soon after `signal` aborts. What it puts into `memory` is kept when it resolves.
   */
  send(notification: Notification, signal: StopSignal, memory: ReceiverMemory): Promise<void>;
};
