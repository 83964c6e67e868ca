import { describe, expect, it } from 'vitest';
import { atOnce, inSlices, Slices, Turns, VirtualClock } from './index.ts';

describe('turns', () => {
  it('run one after the other in the order of asking, whatever fails, and tell when none is left', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const work =
      (name: string, fails = false) =>
      async (): Promise<string> => {
        seen.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    expect(turns.isBusy).toBe(false);
    const first = turns.take(work('first'));
    const failing = turns.take(work('second', true));
    const third = turns.take(work('third'));
    await expect(first).resolves.toBe('first');
    expect(turns.isBusy).toBe(true);
    await expect(failing).rejects.toThrow('second');
    await expect(third).resolves.toBe('third');
    expect(turns.isBusy).toBe(false);
    expect(seen).toEqual(
      ['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });
});

describe('work in pieces', () => {
  function* count(to: number, seen: number[]): Generator<void, string, void> {
    for (let i = 0; i < to; i++) {
      seen.push(i);
      yield;
    }
    return 'done';
  }

  it('runs whole at once', () => {
    const seen: number[] = [];
    expect(atOnce(count(3, seen))).toBe('done');
    expect(seen).toEqual([0, 1, 2]);
  });

  it('lets others run when a slice of time is over', async () => {
    class HurriedClock extends VirtualClock {
      #looks = 0;
      override monotonic(): number {
        return this.#looks++ * 10;
      }
    }
    const seen: number[] = [];
    const done = inSlices(count(3, seen), new Slices(new HurriedClock()));
    expect(seen).toEqual([0]);
    await expect(done).resolves.toBe('done');
    expect(seen).toEqual([0, 1, 2]);
  });
});
