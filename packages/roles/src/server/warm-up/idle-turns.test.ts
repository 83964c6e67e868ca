import { CanceledError, StopSource, VirtualClock } from '@pollux/base';
import { expect, test } from 'vitest';
import { IdleTurns } from './idle-turns.ts';

/** A process whose thread works for a part of all time, and at nothing but turns with `workMs`. */
class OneProcess {
  readonly clock = new VirtualClock();
  readonly stop = new StopSource();
  othersPart = 0;
  turnsMs = 0;

  turns(limits: { mostMs: number; mostWaitMs: number }): IdleTurns {
    return new IdleTurns(
      this.clock,
      {
        busyMs: () => this.turnsMs + this.clock.monotonic() * this.othersPart,
        processorMs: () => this.turnsMs,
      },
      limits,
      this.stop,
    );
  }

  async work(ms: number): Promise<void> {
    this.turnsMs += ms;
    await this.clock.advance(ms);
  }

  /** What the next turn is, and after how long it comes. */
  async next(turns: IdleTurns): Promise<{ end: string | null; afterMs: number }> {
    const startMs = this.clock.monotonic();
    let end: string | null | undefined;
    const given = turns.next().then((what) => {
      end = what;
    });
    await Promise.resolve();
    while (end === undefined) await this.clock.advance(1);
    await given;
    return { end, afterMs: this.clock.monotonic() - startMs };
  }
}

const LIMITS = { mostMs: 100, mostWaitMs: 5_000 };

test('a slice of the thread is followed by a pause four times as long', async () => {
  const process = new OneProcess();
  const turns = process.turns(LIMITS);
  expect(await process.next(turns)).toEqual({ end: null, afterMs: 20 });
  await process.work(3);
  expect(await process.next(turns)).toEqual({ end: null, afterMs: 0 });
  await process.work(3);
  expect(await process.next(turns)).toEqual({ end: null, afterMs: 20 });
  expect(turns.spentMs).toBe(6);
});

test('a thread that has work of its own is left alone until it has none', async () => {
  const process = new OneProcess();
  process.othersPart = 0.5;
  const turns = process.turns(LIMITS);
  let end: string | null | undefined;
  void turns.next().then((what) => {
    end = what;
  });
  await process.clock.advance(3_000);
  expect(end).toBeUndefined();
  process.othersPart = 0;
  await process.clock.advance(2_100);
  expect(end).toBeNull();
});

test('turns end when they have taken what they may of the processor', async () => {
  const process = new OneProcess();
  const turns = process.turns(LIMITS);
  await process.next(turns);
  await process.work(99);
  expect(await process.next(turns)).toMatchObject({ end: null });
  await process.work(5);
  expect(await process.next(turns)).toEqual({ end: 'spent', afterMs: 0 });
});

test('turns end when the thread has had work of its own for long', async () => {
  const process = new OneProcess();
  process.othersPart = 1;
  expect(await process.next(process.turns(LIMITS))).toMatchObject({ end: 'busy' });
});

test('who waits for a turn is told when the work is given up', async () => {
  const process = new OneProcess();
  const given = process.turns(LIMITS).next();
  process.stop.abort(new CanceledError('the server ends'));
  await expect(given).rejects.toThrow(CanceledError);
});
