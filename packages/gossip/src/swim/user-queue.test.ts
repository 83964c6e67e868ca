import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserQueue } from './user-queue.ts';

describe('the queue of user messages', () => {
  test('sends the least sent first, and among these the oldest', () => {
    const queue = new UserQueue(3);
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    const round = (): number[] => queue.take(3, 0, 2).map((message) => message[0] ?? 0);
    expect(round()).toEqual([1, 2]);
    queue.push(Uint8Array.of(4));
    expect([round(), round(), round()]).toEqual([
      [3, 4],
      [1, 2],
      [3, 4],
    ]);
    expect([round(), round(), round()]).toEqual([[1, 2], [3, 4], []]);
    expect(queue.size).toBe(0);
  });

  test('drops those that were sent most when there are too many', () => {
    const queue = new UserQueue(3);
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    queue.take(3, 0, 1);
    expect([queue.prune(2), queue.size]).toEqual([1, 2]);
    expect(queue.take(3, 0, 100)).toEqual([Uint8Array.of(2), Uint8Array.of(3)]);
    expect(queue.prune(2)).toBe(0);
  });

  test('never gives more than its budget, none twice in a packet, and each as often as asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 150 }),
        fc.integer({ min: 302, max: 1_400 }),
        (lengths, budget) => {
          const queue = new UserQueue(3);
          const times = new Map<Uint8Array, number>();
          for (const length of lengths) {
            const message = new Uint8Array(length);
            times.set(message, 0);
            queue.push(message);
          }
          while (queue.size > 0) {
            const taken = queue.take(3, 2, budget);
            const cost = taken.reduce((sum, message) => sum + message.length + 2, 0);
            expect(cost).toBeLessThanOrEqual(budget);
            expect(taken.length).toBeGreaterThan(0);
            expect(new Set(taken).size).toBe(taken.length);
            for (const message of taken) times.set(message, (times.get(message) ?? 0) + 1);
          }
          expect([...times.values()].every((count) => count === 3)).toBe(true);
        },
      ),
    );
  });
});
