import { describe, expect, it } from 'vitest';
import { stopAfter } from './clock.ts';
import { CanceledError, TimeoutError } from './errors.ts';
import { StopSource } from './stop-signal.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('a stop source', () => {
  it('tells each listener once, with the first reason, and none that was taken away', () => {
    const stop = new StopSource();
    const heard: string[] = [];
    const first = (): void => void heard.push('first');
    const second = (): void => void heard.push('second');
    stop.addEventListener('abort', first);
    stop.addEventListener('abort', first);
    stop.addEventListener('abort', second);
    stop.removeEventListener('abort', second);
    stop.throwIfAborted();
    expect([stop.aborted, stop.reason]).toEqual([false, undefined]);
    stop.abort(new CanceledError('a'));
    stop.abort(new CanceledError('b'));
    stop.addEventListener('abort', second);
    expect(heard).toEqual(['first']);
    expect(stop.aborted).toBe(true);
    expect(() => stop.throwIfAborted()).toThrow('a');
  });

  it('keeps thousands of listeners in order, each once', () => {
    const stop = new StopSource();
    const heard: number[] = [];
    const listeners = Array.from({ length: 5_000 }, (_, i) => () => void heard.push(i));
    for (const listener of [...listeners, ...listeners]) stop.addEventListener('abort', listener);
    for (const listener of listeners.slice(20)) stop.removeEventListener('abort', listener);
    stop.abort(null);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('tells the others when one of its listeners leaves while it is told', () => {
    const stop = new StopSource();
    const heard: string[] = [];
    const leaving = (): void => stop.removeEventListener('abort', leaving);
    stop.addEventListener('abort', leaving);
    stop.addEventListener('abort', () => void heard.push('other'));
    stop.abort(null);
    expect(heard).toEqual(['other']);
  });
});

describe('a stop after some time', () => {
  const late = (): Error => new TimeoutError('late');

  it('comes with the time, with its parent, or at once when the parent has stopped', async () => {
    const clock = new VirtualClock(0);
    const parent = new StopSource();
    const byTime = stopAfter(clock, 100, late, parent);
    const byParent = stopAfter(clock, 1_000, late, parent);
    await clock.advance(100);
    expect([byTime.signal.aborted, byParent.signal.aborted]).toEqual([true, false]);
    expect(byTime.signal.reason).toBeInstanceOf(TimeoutError);
    parent.abort('gone');
    expect(byParent.signal.reason).toBe('gone');
    expect(byTime.signal.reason).toBeInstanceOf(TimeoutError);
    expect(stopAfter(clock, 100, late, parent).signal.reason).toBe('gone');
  });

  it('does not come once it is released', async () => {
    const clock = new VirtualClock(0);
    const parent = new StopSource();
    const limit = stopAfter(clock, 100, late, parent);
    limit.release();
    await clock.advance(200);
    parent.abort('gone');
    expect(limit.signal.aborted).toBe(false);
  });
});
