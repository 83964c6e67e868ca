import { VirtualClock } from '@pollux/base';
import { expect, it } from 'vitest';
import { TurnShare } from './turn-share.ts';

it('is spent when the queries of one turn of the loop took its time, and not after the turn', async () => {
  let nowMs = 0;
  const clock = Object.assign(new VirtualClock(), { monotonic: () => nowMs });
  const share = new TurnShare(clock, 6);
  await share.spend(async () => {
    nowMs += 4;
  });
  expect(share.isSpent).toBe(false);
  const failing = share.spend(async () => {
    nowMs += 2;
    throw new Error('failed');
  });
  await expect(failing).rejects.toThrow('failed');
  expect(share.isSpent).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(share.isSpent).toBe(false);
  await share.spend(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    nowMs += 9;
  });
  expect(share.isSpent).toBe(false);
});
