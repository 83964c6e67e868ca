import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { collectWhenSilent } from './collector.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('garbage is collected once after the last message, when nothing has come for the time', async () => {
  const onMessage = collectWhenSilent(500);
  const reference = new WeakRef({ text: 'nobody holds this' });
  // A reference keeps its object to the end of the turn in which it was made.
  await setImmediate();
  expect(vi.getTimerCount()).toBe(0);
  for (let i = 0; i < 4; i++) {
    onMessage();
    vi.advanceTimersByTime(400);
  }
  await setImmediate();
  expect(reference.deref()).toBeDefined();
  // The messages are looked back at every 500 ms: the last look that saw one was at 1,500 ms.
  await setImmediate();
  vi.advanceTimersByTime(399);
  await setImmediate();
  expect(reference.deref()).toBeDefined();
  await setImmediate();
  vi.advanceTimersByTime(1);
  await setImmediate();
  expect(reference.deref()).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});
