import { type Clock, deadline, errorText, TimeoutError } from '@pollux/base';
import type { Integration } from '../notify/integration.ts';
import type { Notification } from '../notify/notification.ts';

/** A test has this long, ms. */
const TEST_TIMEOUT_MS = 15_000;

export type TestResult = {
  readonly integration: string;
  readonly result: 'sent' | 'failed';
  /** Empty when sent. Names origins only, no secrets. */
  readonly error: string;
  readonly durationMs: number;
};

/** Sends through every integration at once, once each; nothing is noted in the log that members share. */
export function sendTest(
  clock: Clock,
  integrations: readonly Integration[],
  notification: Notification,
): Promise<TestResult[]> {
  return Promise.all(integrations.map((integration) => sendOne(clock, integration, notification)));
}

async function sendOne(
  clock: Clock,
  integration: Integration,
  notification: Notification,
): Promise<TestResult> {
  const { receiver } = integration;
  const name = `${receiver.integration}[${receiver.index}]`;
  const startMs = clock.monotonic();
  const limit = deadline(
    clock,
    TEST_TIMEOUT_MS,
    () => new TimeoutError(`no answer within ${TEST_TIMEOUT_MS} ms`),
  );
  let error = '';
  try {
    await integration.send(notification, limit.signal, new Map());
  } catch (failure) {
    error = errorText(failure);
  } finally {
    limit.release();
  }
  const durationMs = Math.round(clock.monotonic() - startMs);
  return { integration: name, result: error === '' ? 'sent' : 'failed', error, durationMs };
}
