import { type Clock, VirtualClock } from '@pollux/base';
import { expect, it } from 'vitest';
import { NO_CLUSTER } from '../../cluster-port.ts';
import type { Batch } from '../batch.ts';
import { waitStage } from './wait-stage.ts';

const PEER_TIMEOUT_MS = 1_000;

/** A clock whose timers are late by as much as the machine lets the process stand still. */
function lateClock(clock: VirtualClock, lateMs: number): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (delayMs, callback) =>
      clock.after(delayMs < PEER_TIMEOUT_MS ? delayMs : delayMs + lateMs, callback),
  };
}

/** When the second of two goes on, ms, and whether it had turned to what its event loop has behind its timers. */
async function waited(
  lateMs: number,
): Promise<{ readonly atMs: number; readonly hasRead: boolean }> {
  const clock = new VirtualClock(0);
  const cluster = { ...NO_CLUSTER, position: () => 1, caughtUp: async () => {} };
  const stage = waitStage(cluster, lateClock(clock, lateMs), PEER_TIMEOUT_MS);
  const batch = { flush: { signal: new AbortController().signal } } as unknown as Batch;
  let isRead = false;
  const wait = stage(batch).then(() => ({ atMs: clock.now(), hasRead: isRead }));
  clock.after(PEER_TIMEOUT_MS + lateMs + 0.001, () => {
    isRead = true;
  });
  await clock.advance(10_000);
  return wait;
}

it('a member that stood still past its turn takes in what has come before it goes on', async () => {
  const { atMs, hasRead } = await waited(1_200);
  expect(hasRead).toBe(true);
  expect(atMs).toBeLessThanOrEqual(PEER_TIMEOUT_MS + 1_200 + 500);
});

it('a member whose timer is in time goes on at its turn, behind one turn of its event loop', async () => {
  const clock = new VirtualClock(0);
  let isRead = false;
  clock.after(PEER_TIMEOUT_MS, () => {
    setImmediate(() => {
      isRead = true;
    });
  });
  const cluster = { ...NO_CLUSTER, position: () => 1, caughtUp: async () => {} };
  const batch = { flush: { signal: new AbortController().signal } } as unknown as Batch;
  const wait = waitStage(
    cluster,
    clock,
    PEER_TIMEOUT_MS,
  )(batch).then(() => ({
    atMs: clock.now(),
    isRead,
  }));
  await clock.advance(10_000);
  expect(await wait).toEqual({ atMs: PEER_TIMEOUT_MS, isRead: true });
});
