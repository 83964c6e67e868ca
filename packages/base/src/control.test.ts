import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BoundedQueue,
  CanceledError,
  Closer,
  deadline,
  errorText,
  Heap,
  OperatingError,
  SeededRandom,
  sleep,
  TimeoutError,
  ulid,
  uuid,
  VirtualClock,
  withTimeout,
} from './index.ts';

describe('a bounded queue', () => {
  it('behaves as a list that refuses what is over its capacity', () => {
    const step = fc.oneof(fc.nat(), fc.constantFrom('shift' as const, 'clear' as const));
    fc.assert(
      fc.property(fc.nat({ max: 70 }), fc.array(step, { maxLength: 300 }), (capacity, steps) => {
        const queue = new BoundedQueue<number>(capacity);
        let model: number[] = [];
        for (const s of steps) {
          if (s === 'shift') expect(queue.shift()).toBe(model.shift());
          else if (s === 'clear') {
            queue.clear();
            model = [];
          } else {
            expect(queue.push(s)).toBe(model.length < capacity);
            if (model.length < capacity) model.push(s);
          }
          expect(queue.size).toBe(model.length);
          expect(queue.peek()).toBe(model[0]);
        }
      }),
    );
  });

  it('wakes everyone who waits', async () => {
    const queue = new BoundedQueue<number>(4);
    const waiting = Promise.all([queue.ready(), queue.ready()]);
    queue.push(1);
    await waiting;
    await queue.ready();
  });
});

describe('a heap', () => {
  it('gives its items in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const heap = new Heap<number>((a, b) => a - b);
        for (const item of items) heap.push(item);
        expect(items.map(() => heap.pop())).toEqual([...items].sort((a, b) => a - b));
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });
});

describe('waiting', () => {
  it('ends at its time, or with its signal without leaving a timer', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const canceled = sleep(clock, 1_000, abort.signal);
    abort.abort();
    await expect(canceled).rejects.toThrow(CanceledError);
    await expect(sleep(clock, 1, abort.signal)).rejects.toThrow(CanceledError);
    expect(clock.nextTimerMs()).toBeNull();
  });

  it('a deadline lets go of timer and parent when released or when the parent aborts', () => {
    const clock = new VirtualClock();
    const parent = new AbortController();
    const limit = deadline(clock, 1_000, () => new Error('late'), parent.signal);
    limit.release();
    parent.abort(new Error('stop'));
    expect(limit.signal.aborted).toBe(false);
    expect(clock.nextTimerMs()).toBeNull();
    expect(deadline(clock, 1_000, () => new Error('late'), parent.signal).signal.reason).toEqual(
      new Error('stop'),
    );
    expect(clock.nextTimerMs()).toBeNull();
  });

  it('a time-out aborts the work and leaves no unhandled rejection when it fails afterwards', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    const clock = new VirtualClock();
    const aborted: unknown[] = [];
    const run = withTimeout(clock, 100, 'the work', async (signal) => {
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      await sleep(clock, 200);
      throw new Error('too late to matter');
    });
    const outcome = expect(run).rejects.toThrow('the work: no end after 100 ms');
    await clock.advance(500);
    await outcome;
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);
    expect(aborted[0]).toBeInstanceOf(TimeoutError);
    expect(unhandled).toEqual([]);
    expect(clock.nextTimerMs()).toBeNull();
  });
});

describe('a closer', () => {
  it('unwinds last to first, once, and reports what failed or hung', async () => {
    const clock = new VirtualClock();
    const closer = new Closer(clock);
    const seen: string[] = [];
    closer.defer('first', () => void seen.push('first'));
    closer.defer('stuck', () => new Promise(() => {}));
    closer.defer('broken', () => {
      throw new Error('no');
    });
    const both = Promise.all([closer.close(50), closer.close(50)]);
    await clock.advance(100);
    const [failures, again] = await both;
    expect(seen).toEqual(['first']);
    expect(again).toBe(failures);
    expect(failures).toEqual(['broken: no', 'stuck: closing stuck: no end after 50 ms']);
  });

  it('closes at once what is added after the end', async () => {
    const closer = new Closer(new VirtualClock());
    await closer.close();
    let isClosed = false;
    closer.defer('late', () => {
      isClosed = true;
    });
    expect(await closer.close()).toEqual([]);
    expect(isClosed).toBe(true);
  });
});

describe('errors', () => {
  it('show their chain of causes once', () => {
    const inner = new OperatingError('X.Y', 'disk full');
    expect(errorText(new Error('write failed', { cause: inner }))).toBe('write failed: disk full');
    expect(errorText(new Error('write: disk full', { cause: inner }))).toBe('write: disk full');
    expect(errorText(new AggregateError([new Error('a'), 'b']))).toBe('a; b');
    expect(OperatingError.is(inner)).toBe(true);
    expect(OperatingError.is(new Error('x'))).toBe(false);
  });
});

describe('seeded randomness', () => {
  it('repeats itself, stays in its bounds and differs by seed', () => {
    const draw = (seed: number): number[] => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 50 }, () => random.below(10));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(3).every((v) => Number.isInteger(v) && v >= 0 && v < 10)).toBe(true);
  });

  it('names things in the forms of RFC 9562 and ULID, in order of time', () => {
    const random = new SeededRandom(7);
    expect(uuid(random)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    // The example of the ULID specification: its time part stands for this millisecond.
    expect(ulid(1_469_918_176_385, random).slice(0, 10)).toBe('01ARYZ6S41');
    expect(ulid(1, random) < ulid(2, random)).toBe(true);
  });
});
