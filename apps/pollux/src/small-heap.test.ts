import { setImmediate } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
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

  it('is moved together by the third collection, which gives the holes between what lives back', () => {
    keepHeapSmall(Number.POSITIVE_INFINITY);
    const all = Array.from({ length: 300_000 }, (_, i) => ({ text: `object ${i}`, at: i / 3 }));
    vi.advanceTimersByTime(40_000);
    const sparse = all.filter((_, i) => i % 100 === 0);
    all.length = 0;
    vi.advanceTimersByTime(20_000);
    expect(sparse).toHaveLength(3_000);
    const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
    expect(old && old.space_size - old.space_used_size).toBeLessThan(8e6);
  });

  it('is left to the engine when it is large', async () => {
    keepHeapSmall(0);
    const reference = await garbage();
    vi.advanceTimersByTime(600_000);
    await setImmediate();
    expect(reference.deref()).toBeDefined();
  });
});
