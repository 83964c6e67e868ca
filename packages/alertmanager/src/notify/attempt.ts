import type { NotificationReason } from './notification.ts';

/** One notification as it ended, for the console. */
export type NotificationAttempt = {
  /** When it ended, ms. */
  readonly timeMs: number;
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly reason: NotificationReason;
  readonly firing: number;
  readonly resolved: number;
  readonly result: 'sent' | 'failed' | 'sent by another member';
  /** Requests made. */
  readonly attempts: number;
  readonly durationMs: number;
  /** Empty when sent. Holds no secrets: errors of receivers name origins only. */
  readonly error: string;
};
