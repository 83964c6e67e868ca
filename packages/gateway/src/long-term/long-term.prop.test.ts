import { SeededRandom } from '@pollux/base';
import type { Interval } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyQuery, anyTimes } from '../splice/testing/any-query.ts';
import { GUARD_MS, isSame } from '../splice/testing/judge.ts';
import { ModelledPair, type Times } from '../splice/testing/modelled-pair.ts';
import { START_MS, WORLD_MS } from '../splice/testing/modelled-replica.ts';

const QUERIES_A_WORLD = 16;

/** What neither server has: all before some moment, and a stretch behind it. */
function lackingOf(random: SeededRandom): readonly Interval[] {
  const keptMs = START_MS + 600_000 + random.below(1_800_000);
  const gapMs = keptMs + 60_000 + random.below(600_000);
  return [
    { startMs: START_MS - 600_000, endMs: keptMs },
    { startMs: gapMs, endMs: gapMs + 1_000 + random.below(600_000) },
  ];
}

async function withPair(
  seed: number,
  run: (pair: ModelledPair, random: SeededRandom) => Promise<void>,
): Promise<void> {
  const random = new SeededRandom(seed);
  const pair = new ModelledPair(random, { guardMs: GUARD_MS, storeBehind: lackingOf(random) });
  try {
    await pair.ready();
    await pair.clock.advance(2_000);
    await run(pair, random);
  } finally {
    await pair.close();
  }
}

function stepsOf({ startMs, endMs, stepMs }: Times): number[] {
  const steps: number[] = [];
  for (let at = startMs; at <= endMs; at += Math.max(1, stepMs)) steps.push(at);
  return steps;
}

describe('what no server has any more', () => {
  it('is answered from the store as by a server that has it all, across every joint', async () => {
    let reads = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), (seed) =>
        withPair(seed, async (pair, random) => {
          for (let i = 0; i < QUERIES_A_WORLD; i++) {
            const { query } = anyQuery(random);
            const times = anyTimes(random);
            const told = await pair.ask(query, times);
            const truths = await Promise.all(
              pair.replicas.map(({ whole }) => pair.evaluate(query, times, whole)),
            );
            // Another server answers a step when it has begun to cover sooner.
            const asOne = stepsOf(times).every((at) =>
              truths.some((truth) => isSame(truth, told.points, at)),
            );
            expect([query, times, told.warnings, asOne]).toEqual([query, times, [], true]);
          }
          reads += pair.store.reads;
        }),
      ),
      { numRuns: 8 },
    );
    expect(reads).toBeGreaterThan(8 * QUERIES_A_WORLD * 0.3);
  }, 120_000);

  it('is answered from the store also when both servers have dropped it since their last reports', async () => {
    const times = (startMs: number, endMs: number): Times => ({ startMs, endMs, stepMs: 15_000 });
    for (let seed = 1; seed <= 4; seed++) {
      await withPair(seed, async (pair) => {
        const nowMs = START_MS + WORLD_MS;
        const window = times(nowMs - 900_000, nowMs - 300_000);
        // Copies differ by one sample of eight at most.
        const query = 'count_over_time(up[2m]) > 6';
        const truth = await pair.ask(query, window);
        const { reads } = pair.store;
        for (const replica of pair.replicas) replica.dropBefore(nowMs - 600_000);
        const told = await pair.ask(query, window);
        expect(pair.store.reads).toBeGreaterThan(reads);
        expect(told.warnings).toEqual([]);
        const seen = ({ points }: typeof told): unknown =>
          [...points].map(([at, series]) => [at, [...series.keys()].sort()]);
        expect(seen(told)).toEqual(seen(truth));
        expect(told.points.size).toBe(41);
      });
    }
  });

  it('is among the labels and series, and missing with a warning while the store does not answer', async () => {
    await withPair(2, async (pair) => {
      const old = { start: START_MS - 300_000, end: START_MS + 500_000 };
      const now = { start: START_MS + WORLD_MS - 60_000, end: START_MS + WORLD_MS };
      const seen = async (what: string, { start, end }: typeof old, match = 'up') => {
        const times = `start=${start / 1_000}&end=${end / 1_000}`;
        return pair.get(`/api/v1/${what}?match[]=${match}&${times}`);
      };
      const { reads } = pair.store;
      const [series, jobs] = [await seen('series', old), await seen('label/job/values', old)];
      expect(series).toMatchObject({ warnings: [] });
      expect(pair.store.reads).toBeGreaterThan(reads);
      const truth = await seen('series', now);
      expect((series.data as object[]).length).toBeGreaterThan(0);
      for (const one of series.data as object[]) expect(one).not.toHaveProperty('replica');
      expect(truth.data).toEqual(expect.arrayContaining(series.data as object[]));
      expect(jobs.data).toEqual([
        ...new Set((series.data as { job: string }[]).map(({ job }) => job)),
      ]);
      expect((await seen('labels', old)).data).toContain('job');
      expect((await seen('label/U__job/values', old)).data).toEqual(jobs.data);
      pair.store.isBroken = true;
      const broken = await seen('series', old);
      expect(broken.warnings.join()).toContain('may be missing');
    });
  });

  it('is looked for no further back than names_lookback where a request names no start', async () => {
    await withPair(2, async (pair) => {
      const { reads } = pair.store;
      expect(await pair.get('/api/v1/series?match[]=up')).toMatchObject({ warnings: [] });
      expect(pair.store.reads).toBe(reads);
      const end = (START_MS + 500_000) / 1_000;
      const series = await pair.get(`/api/v1/series?match[]=up&end=${end}`);
      expect((series.data as object[]).length).toBeGreaterThan(0);
      expect(pair.store.reads).toBeGreaterThan(reads);
    });
  });

  it('is named when the store is down, but not what lies before all that it has', async () => {
    await withPair(1, async (pair) => {
      const atMs = START_MS + 500_000;
      const at = (timeMs: number): Times => ({ startMs: timeMs, endMs: timeMs, stepMs: 0 });
      const before = await pair.ask('up', at(START_MS - 7_200_000));
      expect(before).toMatchObject({ warnings: [] });
      pair.store.isDown = true;
      await pair.clock.advance(2_000);
      const { reads } = pair.store;
      const { points, warnings } = await pair.ask('up', at(atMs));
      expect(points.get(atMs)?.size ?? 0).toBe(0);
      expect(warnings.join()).toContain('no replica covers');
      expect(await pair.ask('up', at(START_MS - 7_200_000))).toEqual(before);
      expect(pair.store.reads).toBe(reads);
    });
  });

  it('is named when the store does not answer', async () => {
    await withPair(1, async (pair) => {
      const atMs = START_MS + 500_000;
      const times = { startMs: atMs, endMs: atMs, stepMs: 0 };
      expect((await pair.ask('up', times)).points.get(atMs)?.size).toBe(2);
      pair.store.isBroken = true;
      const { points, warnings } = await pair.ask('up', times);
      expect(points.get(atMs)?.size ?? 0).toBe(0);
      expect(warnings.join()).toContain('no replica covers');
      const nowMs = START_MS + WORLD_MS;
      const now = { startMs: nowMs, endMs: nowMs, stepMs: 0 };
      expect(await pair.ask('count(up)', now)).toMatchObject({ warnings: [] });
    });
  });
});
