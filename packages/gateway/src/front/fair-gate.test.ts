import { StopSource, VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { FairGate } from './fair-gate.ts';

const NEVER = new StopSource();

function gate(more: Partial<ConstructorParameters<typeof FairGate>[0]> = {}) {
  const clock = new VirtualClock(0);
  const limits = { maxRunning: 2, maxRunningPerUser: 2, maxWaitingPerUser: 3, timeoutMs: 1_000 };
  return { clock, gate: new FairGate({ clock, ...limits, ...more }) };
}

describe('the gate', () => {
  it('serves users in turn, however many queries one of them has', async () => {
    const { clock, gate: door } = gate();
    const order: string[] = [];
    const leaves: (() => void)[] = [];
    const ask = (user: string, name: string): void => {
      void door.enter(user, NEVER).then((leave) => {
        order.push(name);
        leaves.push(leave);
      });
    };
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) ask('a', name);
    ask('b', 'b1');
    ask('c', 'c1');
    await clock.advance(0);
    expect([door.running, door.waiting]).toEqual([2, 5]);
    for (let left = 7; left > 0; left--) {
      leaves.shift()?.();
      await clock.advance(0);
    }
    expect(order).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'a5']);
    expect([door.running, door.waiting]).toEqual([0, 0]);
  });

  it('lets nobody have more than their share, though there is room', async () => {
    const { clock, gate: door } = gate({ maxRunning: 10, maxRunningPerUser: 1 });
    const leave = await door.enter('a', NEVER);
    let isIn = false;
    void door.enter('a', NEVER).then(() => {
      isIn = true;
    });
    await door.enter('b', NEVER);
    await clock.advance(0);
    expect(isIn).toBe(false);
    leave();
    await clock.advance(0);
    expect(isIn).toBe(true);
  });

  it('refuses what is too much to wait, and what has waited too long', async () => {
    const { clock, gate: door } = gate({ maxRunning: 1, maxWaitingPerUser: 1 });
    const leave = await door.enter('a', NEVER);
    const waiting = door.enter('a', NEVER);
    const refused = { code: 'GATEWAY.TOO_MANY_QUERIES', limit: 'queries.max_queued_per_user' };
    await expect(door.enter('a', NEVER)).rejects.toMatchObject(refused);
    const late = expect(waiting).rejects.toMatchObject({ limit: 'queries.queue_timeout' });
    await clock.advance(1_000);
    await late;
    leave();
    expect([door.running, door.waiting]).toEqual([0, 0]);
    (await door.enter('a', NEVER))();
  });

  it('forgets who leaves while waiting', async () => {
    const { gate: door } = gate({ maxRunning: 1 });
    const leave = await door.enter('a', NEVER);
    const stop = new StopSource();
    const waiting = door.enter('b', stop);
    stop.abort(new Error('gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'BASE.CANCELED' });
    leave();
    expect([door.running, door.waiting]).toEqual([0, 0]);
  });
});
