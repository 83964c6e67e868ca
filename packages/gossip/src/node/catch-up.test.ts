import { type Address, SeededRandom, VirtualClock } from '@pollux/base';
import { describe, expect, test } from 'vitest';
import { CatchUp } from './catch-up.ts';

const members = (count: number): Address[] =>
  Array.from({ length: count }, (_, at) => ({ host: `10.0.0.${at}`, port: 9094 }));
const { signal } = new AbortController();

describe('catching up after a loss', () => {
  test('asks three survivors and waits for all of them, but not for ever', async () => {
    const clock = new VirtualClock(0);
    const asked: string[] = [];
    const answers: (() => void)[] = [];
    const catchUp = new CatchUp({ clock, random: new SeededRandom(1) }, ({ host }) => {
      asked.push(host);
      return new Promise((resolve) => answers.push(() => resolve(true)));
    });
    await catchUp.done(signal);
    catchUp.begin(members(9));
    expect(new Set(asked).size).toBe(3);
    let isDone = false;
    void catchUp.done(signal).then(() => {
      isDone = true;
    });
    await clock.advance(500);
    for (const answer of answers.slice(0, 2)) answer();
    await clock.advance(100);
    expect(isDone).toBe(false);
    answers[2]?.();
    await clock.advance(1);
    expect(isDone).toBe(true);

    catchUp.begin(members(1));
    const waiting = catchUp.done(signal);
    await clock.advance(1_000);
    await waiting;
  });

  test('is bounded when many are lost at once, and ends with its signal', async () => {
    const clock = new VirtualClock(0);
    let asked = 0;
    const catchUp = new CatchUp({ clock, random: new SeededRandom(1) }, () => {
      asked++;
      return new Promise(() => {});
    });
    for (let i = 0; i < 50; i++) catchUp.begin(members(50 - i));
    expect(asked).toBe(12);
    const abort = new AbortController();
    const waiting = catchUp.done(abort.signal);
    abort.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
  });

  test('asks those that act before this member again, for a minute behind a loss and no more often than once a second', async () => {
    const clock = new VirtualClock(0);
    const asked: string[] = [];
    const catchUp = new CatchUp({ clock, random: new SeededRandom(1) }, async ({ host }) => {
      asked.push(host);
      return true;
    });
    const renewed = async (isOneSilent: boolean, before = members(2)): Promise<number> => {
      const { length } = asked;
      catchUp.renew(before, isOneSilent);
      await catchUp.done(signal);
      return asked.length - length;
    };
    expect(await renewed(false)).toBe(0);
    catchUp.begin(members(2));
    await clock.advance(999);
    expect(await renewed(false)).toBe(0);
    await clock.advance(1);
    expect(await renewed(false)).toBe(2);
    expect(await renewed(false)).toBe(0);
    await clock.advance(58_000);
    expect(await renewed(false, [])).toBe(0);
    expect(await renewed(false, members(1))).toBe(1);
    await clock.advance(2_000);
    expect(await renewed(false)).toBe(0);
    // One that does not answer takes news of the others like a lost one.
    expect(await renewed(true)).toBe(2);
  });
});
