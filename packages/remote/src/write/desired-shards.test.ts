import { describe, expect, it } from 'vitest';
import { Backoff, retryAfterMs } from './backoff.ts';
import { desiredShards, RateAverage, type ShardLoad } from './desired-shards.ts';

const BOUNDS = { min: 1, max: 50 };
/** 1,000 samples a second, each taking 1 ms of sending: exactly one shard's work. */
const LOAD: ShardLoad = {
  inRate: 1_000,
  outRate: 1_000,
  keptRatio: 1,
  sendSecondsRate: 1,
  delaySeconds: 0,
};

describe('the number of shards', () => {
  it('stays while the load is within 30 % of what runs', () => {
    expect(desiredShards(1, { ...LOAD, inRate: 1_200 }, BOUNDS).run).toBe(1);
    expect(desiredShards(4, { ...LOAD, inRate: 3_000 }, BOUNDS).run).toBe(4);
  });

  it('grows with the incoming rate and shrinks with it, rounded up', () => {
    expect(desiredShards(1, { ...LOAD, inRate: 3_400 }, BOUNDS).run).toBe(4);
    expect(desiredShards(10, { ...LOAD, inRate: 2_100 }, BOUNDS).run).toBe(3);
  });

  it('adds shards to work off a backlog and never takes any away during one', () => {
    expect(desiredShards(1, { ...LOAD, delaySeconds: 60 }, BOUNDS).run).toBe(4);
    expect(desiredShards(10, { ...LOAD, delaySeconds: 11 }, BOUNDS).run).toBe(10);
  });

  it('counts only what relabelling keeps', () => {
    expect(desiredShards(10, { ...LOAD, inRate: 10_000, keptRatio: 0.2 }, BOUNDS).run).toBe(2);
  });

  it('keeps to its bounds, and stays when nothing was sent', () => {
    expect(desiredShards(1, { ...LOAD, inRate: 1e6 }, BOUNDS).run).toBe(50);
    expect(desiredShards(9, { ...LOAD, inRate: 1 }, { min: 4, max: 50 }).run).toBe(4);
    expect(desiredShards(7, { ...LOAD, outRate: 0 }, BOUNDS).run).toBe(7);
  });
});

describe('averages and waits', () => {
  it('averages rates with weight 0.2, the first period counting whole', () => {
    const average = new RateAverage();
    average.add(100);
    average.tick(10);
    expect(average.rate).toBe(10);
    average.tick(10);
    expect(average.rate).toBe(8);
  });

  it('doubles waits up to the longest and begins anew after a reset', () => {
    const backoff = new Backoff(30, 100);
    expect([backoff.next(0), backoff.next(0), backoff.next(0), backoff.next(0)]).toEqual([
      30, 60, 100, 100,
    ]);
    backoff.reset();
    expect(backoff.next(0)).toBe(30);
    expect(backoff.next(7_000)).toBe(7_000);
    expect(backoff.next(9e9)).toBe(300_000);
  });

  it('reads Retry-After in both forms', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('12', now)).toBe(12_000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5_000);
    expect(retryAfterMs('Thu, 01 Jan 2025 00:00:05 GMT', now)).toBe(0);
    expect(retryAfterMs('soon', now)).toBe(0);
    expect(retryAfterMs(undefined, now)).toBe(0);
  });
});
