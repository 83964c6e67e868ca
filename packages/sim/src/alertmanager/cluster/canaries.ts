import { afterEach, expect, test, vi } from 'vitest';
import { type ClusterPlan, planOf, UNIT_SEEDS } from './cluster-plan.ts';
import { type ClusterReport, describeFailure, runCluster } from './cluster-run.ts';
import type { Sabotage } from './cluster-world.ts';

const TIMEOUT_MS = 300_000;

/** Bugs, each put in from outside, with the runs that it can show itself in and what must be said of it. */
export type Canary = {
  readonly bug: string;
  readonly shows: (plan: ClusterPlan) => boolean;
  readonly says: RegExp;
  readonly sabotage?: Sabotage;
  readonly begin?: () => void;
};

export const isCluster = ({ kind, members }: ClusterPlan): boolean =>
  kind === 'calm' && members >= 2 && members <= 5;

/** A test of each: the first run of the unit's seeds that tells of it. */
export function expectFound(canaries: readonly Canary[]): void {
  afterEach(() => vi.restoreAllMocks());

  test.each(canaries)(
    'a run tells when $bug',
    async ({ shows, says, sabotage, begin }) => {
      begin?.();
      const found = await firstFailure({ shows, says }, sabotage);
      expect(found, `none of ${UNIT_SEEDS} seeds says so`).not.toBeNull();
      if (found === null) return;
      const text = describeFailure(found);
      expect(text).toContain(`seed ${found.plan.seed}: ${found.plan.kind}, `);
      expect(text).toMatch(/^ +\d+ {3}m\d+ -> r\d g\d firing/m);
      expect(text).toContain(`npm run soak -- alertmanager --first=${found.plan.seed} --seeds=1`);
    },
    TIMEOUT_MS,
  );
}

async function firstFailure(
  { shows, says }: Pick<Canary, 'shows' | 'says'>,
  sabotage: Sabotage | undefined,
): Promise<ClusterReport | null> {
  for (let seed = 1; seed <= UNIT_SEEDS; seed++) {
    if (!shows(planOf(seed))) continue;
    const report = await runCluster(seed, sabotage);
    if (report.problems.some((problem) => says.test(problem))) return report;
  }
  return null;
}
