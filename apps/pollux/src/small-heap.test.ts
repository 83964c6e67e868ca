import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepHeapSmall } from './small-heap.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Garbage that only a collection can make vanish. */
async function garbage(): Promise<WeakRef<object>> {
  const reference = new WeakRef({ text: 'nobody holds this' });
  // A reference keeps its object to the end of the turn in which it was made.
  await setImmediate();
  return reference;
}

describe('the heap', () => {
  it('is collected three times a minute', async () => {
    keepHeapSmall(Number.POSITIVE_INFINITY);
    const reference = await garbage();
    vi.advanceTimersByTime(19_000);
    vi.advanceTimersByTime(1_000);
    await setImmediate();
    expect(reference.deref()).toBeUndefined();
  });

  it('is left to the engine when it is large', async () => {
    keepHeapSmall(0);
    const reference = await garbage();
    vi.advanceTimersByTime(600_000);
    await setImmediate();
    expect(reference.deref()).toBeDefined();
  });
});
