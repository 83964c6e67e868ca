import { expect, test } from 'vitest';
import { describePairFailure, runPair } from './pair-run.ts';

/** Seeds of the unit run; the long one is `npm run soak -- pair`. */
const SEEDS = 100;
const FILES = 2;
/** Most of a run's time goes to waiting for other tests on a busy machine. */
const TIMEOUT_MS = 900_000;
const LEAST_SHARE = 0.05;

/** A test of every second seed, so that two files share the machine's cores. */
export function expectGoodPairs(file: number): void {
  test(
    `a pair answers as one server that was never down (${SEEDS / FILES} worlds)`,
    async () => {
      const cases = { alone: 0, spliced: 0, gap: 0 };
      for (let seed = 1 + file; seed <= SEEDS; seed += FILES) {
        const report = await runPair(seed);
        if (report.problems.length > 0) expect.fail(describePairFailure(report));
        for (const [name, count] of Object.entries(report.cases))
          cases[name as keyof typeof cases] += count;
      }
      const total = cases.alone + cases.spliced + cases.gap;
      for (const count of Object.values(cases))
        expect(count / total).toBeGreaterThanOrEqual(LEAST_SHARE);
    },
    TIMEOUT_MS,
  );
}
