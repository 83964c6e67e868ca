import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeLog } from './change-log.ts';

describe('what has changed since a mark', () => {
  it('is the least time that was noted behind it', () => {
    const log = new ChangeLog();
    log.note(50);
    const first = log.mark();
    expect(log.changedSinceMs(first)).toBe(Number.POSITIVE_INFINITY);
    log.note(300);
    log.note(200);
    const second = log.mark();
    log.note(400);
    expect([log.changedSinceMs(first), log.changedSinceMs(second)]).toEqual([200, 400]);
    log.noteAll();
    expect(log.changedSinceMs(second)).toBe(Number.NEGATIVE_INFINITY);
    expect(log.changedSinceMs(log.mark())).toBe(Number.POSITIVE_INFINITY);
  });

  it('is never less than what changed, however many marks there are, and exact for the latest', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6_000 }), (steps) => {
        const log = new ChangeLog();
        const marks: { readonly mark: number; leastMs: number }[] = [];
        for (const [i, step] of steps.entries()) {
          if (step < 4) marks.push({ mark: log.mark(), leastMs: Number.POSITIVE_INFINITY });
          else {
            const minMs = (i * 7_919) % 1_000;
            log.note(minMs);
            for (const each of marks) each.leastMs = Math.min(each.leastMs, minMs);
          }
        }
        for (const { mark, leastMs } of marks)
          expect(log.changedSinceMs(mark)).toBeLessThanOrEqual(leastMs);
        for (const { mark, leastMs } of marks.slice(-200))
          expect(log.changedSinceMs(mark)).toBe(leastMs);
      }),
      { numRuns: 20 },
    );
  });
});
