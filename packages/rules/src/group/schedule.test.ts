import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule } from './schedule.ts';

const schedules = fc
  .tuple(fc.string(), fc.integer({ min: 1, max: 10_000_000 }))
  .map(([name, intervalMs]) => new Schedule('f', name, intervalMs));
const instants = fc.integer({ min: 0, max: 4_000_000_000_000 });

describe('the grid of evaluations', () => {
  it('has its last instant within one interval, at the offset', () => {
    fc.assert(
      fc.property(schedules, instants, (schedule, nowMs) => {
        const atMs = schedule.before(nowMs);
        expect(nowMs - atMs).toBeGreaterThanOrEqual(0);
        expect(nowMs - atMs).toBeLessThan(schedule.intervalMs);
        expect((atMs - schedule.offsetMs) % schedule.intervalMs === 0).toBe(true);
      }),
    );
  });

  it('never gives an instant twice, and waits no longer than an interval', () => {
    fc.assert(
      fc.property(schedules, instants, fc.integer({ min: 0, max: 1e8 }), (schedule, at, later) => {
        const lastMs = schedule.before(at);
        const next = schedule.next(lastMs, lastMs + later);
        if ('dueMs' in next) {
          expect(next.dueMs).toBeGreaterThan(lastMs);
          expect(next.dueMs).toBeLessThanOrEqual(lastMs + later);
          const steps = (next.dueMs - lastMs) / schedule.intervalMs;
          expect(schedule.missed(lastMs, next.dueMs)).toBe(steps - 1);
        } else {
          expect(next.waitMs).toBeGreaterThan(0);
          expect(next.waitMs).toBeLessThanOrEqual(schedule.intervalMs);
        }
      }),
    );
  });

  it('does not run an instant anew when a timer fires a little early', () => {
    const schedule = new Schedule('f', 'g', 10_000);
    const lastMs = schedule.before(1_700_000_000_000);
    expect(schedule.next(lastMs, lastMs - 1)).toEqual({ waitMs: 10_000 });
  });

  it('goes on at once after the wall clock was set back by hours', () => {
    const schedule = new Schedule('f', 'g', 10_000);
    const lastMs = schedule.before(1_700_000_000_000);
    const next = schedule.next(lastMs, lastMs - 3_600_000);
    expect(next).toEqual({ dueMs: schedule.before(lastMs - 3_600_000) });
  });
});
