import { type StopSignal, StopSource } from '@pollux/base';
import { expect, it } from 'vitest';
import { Coalescer } from './coalescer.ts';

/** Work that ends when it is told to. */
class Pending {
  readonly begun: { readonly key: string; readonly signal: StopSignal }[] = [];
  #end: (() => void)[] = [];
  #fail: ((error: Error) => void)[] = [];
  sharedCount = 0;
  readonly #coalescer = new Coalescer<string>();

  ask(key: string, signal: StopSignal = new StopSource()): Promise<string> {
    const work = (shared: StopSignal): Promise<string> => {
      this.begun.push({ key, signal: shared });
      const number = this.begun.length;
      return new Promise((resolve, reject) => {
        this.#end.push(() => resolve(`${key} ${number}`));
        this.#fail.push(reject);
      });
    };
    return this.#coalescer.run(key, signal, work, () => this.sharedCount++);
  }

  end(index = 0): void {
    this.#end[index]?.();
  }

  fail(index = 0): void {
    this.#fail[index]?.(new Error('broken'));
  }

  get size(): number {
    return this.#coalescer.size;
  }
}

it('does equal work that is under way once, and other work beside it', async () => {
  const pending = new Pending();
  const all = [pending.ask('a'), pending.ask('a'), pending.ask('b')];
  pending.end(0);
  pending.end(1);
  expect(await Promise.all(all)).toEqual(['a 1', 'a 1', 'b 2']);
  expect([pending.begun.length, pending.sharedCount, pending.size]).toEqual([2, 1, 0]);
});

it('does it again once it is done, also when it failed', async () => {
  const pending = new Pending();
  const first = [pending.ask('a'), pending.ask('a')];
  pending.fail(0);
  for (const one of first) await expect(one).rejects.toThrow('broken');
  const second = pending.ask('a');
  pending.end(1);
  expect(await second).toBe('a 2');
});

it('goes on for whoever has not left, and stops when all have', async () => {
  const pending = new Pending();
  const leavers = [new StopSource(), new StopSource()];
  const left = leavers.map((signal) =>
    pending.ask('a', signal).catch((error: Error) => error.message),
  );
  const stayed = pending.ask('a');
  for (const signal of leavers) signal.abort(new Error('gone'));
  expect(await Promise.all(left)).toEqual(['request canceled', 'request canceled']);
  expect(pending.begun[0]?.signal.aborted).toBe(false);
  pending.end(0);
  expect(await stayed).toBe('a 1');

  const alone = new StopSource();
  const lost = pending.ask('b', alone).catch((error: Error) => error.message);
  alone.abort(new Error('gone'));
  expect(await lost).toBe('request canceled');
  expect(pending.begun[1]?.signal.aborted).toBe(true);
  const anew = pending.ask('b');
  expect(pending.begun).toHaveLength(3);
  pending.end(2);
  expect(await anew).toBe('b 3');
});
