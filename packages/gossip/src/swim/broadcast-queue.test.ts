import { describe, expect, test } from 'vitest';
import { BroadcastQueue, transmitLimit } from './broadcast-queue.ts';

describe('the queue of broadcasts', () => {
  test.each([
    [1, 4],
    [2, 4],
    [9, 4],
    [10, 8],
    [99, 8],
    [100, 12],
  ])('sends a message in a cluster of %i members %i times', (count, times) => {
    expect(transmitLimit(4, count)).toBe(times);
    const queue = new BroadcastQueue(4);
    let spent = 0;
    queue.push(Uint8Array.of(1), 'x', () => spent++);
    for (let i = 0; i < times; i++) expect(queue.take(count, 2, 100).length).toBe(1);
    expect([spent, queue.size]).toEqual([1, 0]);
  });

  test('sends the least sent first, then the longest, then the newest', () => {
    const queue = new BroadcastQueue(4);
    queue.push(Uint8Array.of(1), 'a');
    queue.take(3, 0, 1);
    for (const [name, message] of Object.entries({ b: [2], c: [3, 3], d: [4] })) {
      queue.push(Uint8Array.from(message), name);
    }
    expect(queue.take(3, 0, 100).map((message) => message[0])).toEqual([3, 4, 2, 1]);
  });

  test('keeps one message about a member', () => {
    const queue = new BroadcastQueue(4);
    queue.push(Uint8Array.of(1), 'x');
    queue.push(Uint8Array.of(2), 'x');
    expect(queue.take(3, 0, 100).map((message) => message[0])).toEqual([2]);
  });
});
