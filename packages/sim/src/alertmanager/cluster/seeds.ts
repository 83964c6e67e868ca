import { expect, test } from 'vitest';
import { planOf, UNIT_SEEDS } from './cluster-plan.ts';
import { describeFailure, runCluster } from './cluster-run.ts';

const FILES = 2;
/** Most of a run's time goes to waiting for other tests on a busy machine. */
const TIMEOUT_MS = 600_000;
const SEEDS_PER_TEST = 25;

/** Tests of every second seed of the unit run, so that two files share the machine's cores. */
export function expectGoodSeeds(file: number): void {
  for (let first = 1 + file; first <= UNIT_SEEDS; first += FILES * SEEDS_PER_TEST) {
    const seeds = Array.from({ length: SEEDS_PER_TEST }, (_, index) => first + FILES * index);
    const kinds = [...new Set(seeds.map((seed) => planOf(seed).kind))].sort().join(', ');
    test(
      `clusters keep the promises of notifying (seeds ${seeds[0]} to ${seeds.at(-1)}: ${kinds})`,
      async () => {
        for (const seed of seeds) {
          const report = await runCluster(seed);
          if (report.problems.length > 0) expect.fail(describeFailure(report));
        }
      },
      TIMEOUT_MS,
    );
  }
}
