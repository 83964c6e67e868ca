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

/** Collections go on beside other work; on a busy machine for so long at most. */
const MOST_MS = 10_000;

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + MOST_MS;
  while (!isTrue() && performance.now() < endMs) await setImmediate();
  expect(isTrue()).toBe(true);
}

/** Garbage of which is told when it is collected: to look at it would keep it. */
async function garbage(): Promise<{ isGone: boolean }> {
  const state = { isGone: false };
  const registry = new FinalizationRegistry(() => {
    state.isGone = true;
    registries.delete(registry);
  });
  registries.add(registry);
  registry.register({ text: 'nobody holds this' }, null);
  await setImmediate();
  return state;
}
const registries = new Set<FinalizationRegistry<null>>();

describe('the heap', () => {
  it('is collected three times a minute', async () => {
    keepHeapSmall(Number.POSITIVE_INFINITY);
    const reference = await garbage();
    vi.advanceTimersByTime(19_000);
    vi.advanceTimersByTime(1_000);
    await until(() => reference.isGone);
  });

  it('is moved together by the third collection, which gives the holes between what lives back', async () => {
    keepHeapSmall(Number.POSITIVE_INFINITY);
    const all = Array.from({ length: 300_000 }, (_, i) => ({ text: `object ${i}`, at: i / 3 }));
    vi.advanceTimersByTime(40_000);
    const sparse = all.filter((_, i) => i % 100 === 0);
    all.length = 0;
    vi.advanceTimersByTime(20_000);
    expect(sparse).toHaveLength(3_000);
    await until(() => {
      const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
      return old !== undefined && old.space_size - old.space_used_size < 8e6;
    });
  });

  it('is left to the engine when it is large', async () => {
    keepHeapSmall(0);
    const reference = await garbage();
    vi.advanceTimersByTime(600_000);
    await setImmediate();
    expect(reference.isGone).toBe(false);
  });
});
