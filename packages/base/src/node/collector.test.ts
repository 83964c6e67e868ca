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
  const onMessage = collectWhenSilent(500, 0);
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

it('little garbage is left to the engine', async () => {
  const onMessage = collectWhenSilent(500, 32 * 1024 * 1024);
  const isCollected = async (held: readonly unknown[]): Promise<boolean> => {
    const reference = new WeakRef({ text: 'nobody holds this' });
    await setImmediate();
    onMessage();
    vi.advanceTimersByTime(1_000);
    await setImmediate();
    expect(held.length).toBeGreaterThan(0);
    return reference.deref() === undefined;
  };
  // What is held at first counts too: all of it was made since the thread began.
  expect(await isCollected([new Uint8Array(64 * 1024 * 1024)])).toBe(true);
  expect(await isCollected([0])).toBe(false);
  // More than with the first buffer, whether or not that has gone.
  expect(await isCollected([new Uint8Array(128 * 1024 * 1024)])).toBe(true);
});
