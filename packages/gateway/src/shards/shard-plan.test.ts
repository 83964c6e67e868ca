import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Piece } from '../plan.ts';
import { cutByAll } from './shard-plan.ts';

const STEP_MS = 10;
const STEPS = 12;

/** Pieces over all steps that begin where `cuts` says. */
function piecesOf(cuts: readonly number[]): Piece[] {
  const starts = [...new Set([0, ...cuts])].sort((a, b) => a - b);
  return starts.map((start, index) => ({
    replica: index % 3 === 2 ? null : index % 3,
    startMs: start * STEP_MS,
    endMs: ((starts[index + 1] ?? STEPS) - 1) * STEP_MS,
  }));
}

describe('a query over shards', () => {
  it('is cut so that each step is answered once, by what each shard plans for it', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: STEPS - 1 }));
    fc.assert(
      fc.property(fc.array(cuts, { minLength: 1, maxLength: 4 }), (all) => {
        const plans = all.map((one) => ({ pieces: piecesOf(one) }));
        const found = cutByAll(plans, STEP_MS);
        const steps = found.flatMap(({ startMs, endMs, ofShards }) => {
          const own: { at: number; ofShards: readonly Piece[] }[] = [];
          for (let at = startMs; at <= endMs; at += STEP_MS) own.push({ at, ofShards });
          return own;
        });
        expect(steps.map(({ at }) => at)).toEqual(
          Array.from({ length: STEPS }, (_, i) => i * STEP_MS),
        );
        for (const { at, ofShards } of steps) {
          const planned = plans.map(({ pieces }) =>
            pieces.find(({ startMs, endMs }) => startMs <= at && at <= endMs),
          );
          expect(ofShards).toEqual(planned);
        }
      }),
    );
  });
});
