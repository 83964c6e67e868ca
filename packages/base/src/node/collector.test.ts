import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { collectWhenSilent } from './collector.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A bit of the engine's word on a function: it has optimised code. */
const OPTIMISED = 1 << 4;
/** Collections go on beside other work; on a busy machine for so long at most. */
const MOST_MS = 10_000;

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

async function isGoneSoon(state: { isGone: boolean }): Promise<boolean> {
  const endMs = performance.now() + MOST_MS;
  while (!state.isGone && performance.now() < endMs) await setImmediate();
  return state.isGone;
}

it('garbage is collected once after the last message, when nothing has come for the time', async () => {
  const onMessage = collectWhenSilent(500, 0);
  const reference = await garbage();
  expect(vi.getTimerCount()).toBe(0);
  for (let i = 0; i < 4; i++) {
    onMessage();
    vi.advanceTimersByTime(400);
  }
  await setImmediate();
  expect(reference.isGone).toBe(false);
  // The messages are looked back at every 500 ms: the last look that saw one was at 1,500 ms.
  vi.advanceTimersByTime(399);
  await setImmediate();
  expect(reference.isGone).toBe(false);
  vi.advanceTimersByTime(1);
  expect(await isGoneSoon(reference)).toBe(true);
  // What is left is looked at.
  vi.advanceTimersByTime(500);
  expect(vi.getTimerCount()).toBe(0);
});

it('little garbage is left to the engine', async () => {
  const onMessage = collectWhenSilent(500, 32 * 1024 * 1024);
  /** Whether there is a collection when `held` is all that is held besides. */
  const isCollected = async (held: readonly unknown[]): Promise<boolean> => {
    onMessage();
    vi.advanceTimersByTime(500);
    // After a collection it looks once more, at what is left.
    const isLooking = vi.getTimerCount() === 1;
    vi.advanceTimersByTime(500);
    await setImmediate();
    expect(held.length).toBeGreaterThan(0);
    return isLooking;
  };
  // What is held at first counts too: all of it was made since the thread began.
  expect(await isCollected([new Uint8Array(64 * 1024 * 1024)])).toBe(true);
  expect(await isCollected([0])).toBe(false);
  // More than with the first buffer, whether or not that has gone.
  expect(await isCollected([new Uint8Array(128 * 1024 * 1024)])).toBe(true);
});

it('code that was optimised stays so, though no object lives of the class that it knows', async () => {
  // It stays set: what is inside of a function is read when that is first called.
  setFlagsFromString('--allow-natives-syntax');
  const { optimised, isOptimised } = runInThisContext(`(() => {
    class Sample { #value; constructor(value) { this.#value = value; } get twice() { return 2 * this.#value; } }
    const held = { sample: null };
    const optimised = (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        held.sample = new Sample(i);
        sum += held.sample.twice;
      }
      held.sample = null;
      return sum;
    };
    %PrepareFunctionForOptimization(optimised);
    return { optimised, isOptimised: () => (%GetOptimizationStatus(optimised) & ${OPTIMISED}) !== 0 };
  })()`) as { optimised: (count: number) => number; isOptimised: () => boolean };
  const optimise = async (): Promise<void> => {
    const endMs = performance.now() + MOST_MS;
    while (!isOptimised() && performance.now() < endMs) {
      optimised(10_000);
      await setImmediate();
    }
    expect(isOptimised()).toBe(true);
  };
  const onMessage = collectWhenSilent(500, 0);
  // The engine may make a collection of its own at that moment, which loses the class; the one that is asked for never may.
  let hasStayed = false;
  for (let tries = 0; tries < 5 && !hasStayed; tries++) {
    await optimise();
    const reference = await garbage();
    onMessage();
    vi.advanceTimersByTime(500);
    expect(await isGoneSoon(reference)).toBe(true);
    vi.advanceTimersByTime(500);
    hasStayed = isOptimised();
  }
  expect(hasStayed).toBe(true);
});
