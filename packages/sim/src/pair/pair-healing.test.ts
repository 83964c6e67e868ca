import type { Env } from '@pollux/base';
import { type CoverageReport, fromWire, type IntervalSet, intersect } from '@pollux/storage';
import { expect, test } from 'vitest';
import { namedGapsOf } from './gap-warning.ts';
import { formOf, type Points, pointsOf } from './pair-answers.ts';
import { INTERVAL_MS, type PairPlan, pairPlanOf } from './pair-plan.ts';
import { type PairSabotage, PairWorld, SERVER_PORT } from './pair-world.ts';

const BROKEN_MS = 100_000;
/** Shorter than the time between a server's scrape and its twin's. */
const STEP_MS = 1_000;
const TIMEOUT_MS = 240_000;
const QUERIES = ['g{instance=~"t0.*"}', 'rate(c_total{instance=~"t0.*"}[30s])'];

type Answer = { readonly points: Points; readonly warnings: readonly string[] };

/** What is said of a time in which a could not reach t0, before and after the disk of b is lost. */
type Story = {
  readonly before: readonly Answer[];
  readonly after: readonly Answer[];
  /** Of a, of t0, just before the loss. */
  readonly gaps: IntervalSet;
  readonly broken: { readonly startMs: number; readonly endMs: number };
  /** What a itself says. */
  readonly up: Points;
};

async function tell(more: Partial<PairPlan>, sabotage: PairSabotage = {}): Promise<Story> {
  const quiet = { rate: 7, restartsMs: [], dead: [], hidden: [] };
  const plan: PairPlan = {
    ...pairPlanOf(1),
    replicas: 2,
    aheadMs: [300, -400],
    steps: [],
    targets: [
      { ...quiet, name: 't0' },
      { ...quiet, name: 't1', rate: 5 },
    ],
    hasAlerts: false,
    hasStores: false,
    heals: true,
    ...more,
  };
  const world = new PairWorld(plan, sabotage);
  await world.start();
  await world.world.advance(200_000);
  const startMs = world.now();
  world.apply({ kind: 'break', replica: 0, target: 0 });
  await world.world.advance(BROKEN_MS);
  world.apply({ kind: 'mend', replica: 0, target: 0 });
  const broken = { startMs, endMs: world.now() };
  await world.world.advance(90_000);
  const ask = async (query: string): Promise<Answer> => {
    const form = formOf(query, {
      ...grid(startMs - 60_000, broken.endMs + 60_000),
      stepMs: STEP_MS,
    });
    const { status, body } = await world.until(world.askGateway('/api/v1/query_range', form));
    expect(status).toBe(200);
    const { data, warnings = [] } = JSON.parse(new TextDecoder().decode(body));
    return { points: pointsOf(data), warnings };
  };
  const all = async (): Promise<readonly Answer[]> => {
    const answers: Answer[] = [];
    for (const query of QUERIES) answers.push(await ask(query));
    return answers;
  };
  const before = await all();
  const gaps = gapsOf(await reportOf(world), 't0');
  world.apply({ kind: 'wipe', replica: 1 });
  await world.world.advance(20_000);
  world.apply({ kind: 'start', replica: 1 });
  await world.world.advance(120_000);
  const after = await all();
  const form = formOf('up{instance=~"t0.*"}', { ...grid(startMs, broken.endMs), stepMs: STEP_MS });
  const url = `http://a:${SERVER_PORT}/api/v1/query_range?${form}`;
  const { body } = await world.until(world.request({ method: 'GET', url }));
  const up = pointsOf(JSON.parse(new TextDecoder().decode(body)).data);
  await world.end();
  return { before, after, gaps, broken, up };
}

function grid(fromMs: number, toMs: number): { readonly startMs: number; readonly endMs: number } {
  const floor = (ms: number): number => Math.floor(ms / STEP_MS) * STEP_MS;
  return { startMs: floor(fromMs), endMs: floor(toMs) };
}

async function reportOf(world: PairWorld): Promise<CoverageReport> {
  const url = `http://a:${SERVER_PORT}/api/v1/pollux/coverage`;
  const { body } = await world.until(world.request({ method: 'GET', url }));
  return fromWire(JSON.parse(new TextDecoder().decode(body)));
}

function gapsOf({ subjects }: CoverageReport, target: string): IntervalSet {
  return subjects.find(({ subject }) => subject.key.includes(target))?.gaps ?? [];
}

/** Steps within, well inside of which the link was broken, at which there is nothing. */
function holes({ points }: Answer, { startMs, endMs }: Story['broken']): readonly number[] {
  const found: number[] = [];
  for (let at = grid(startMs, 0).startMs - 30_000; at < endMs + 30_000; at += STEP_MS)
    if ((points.get(at)?.size ?? 0) === 0) found.push(at);
  return found;
}

test(
  'what a server failed to scrape, and its twin did not, outlives the disk of the twin',
  async () => {
    const { before, after, gaps, broken, up } = await tell({});
    expect(intersect(gaps, [broken])).toEqual([]);
    for (const [i, query] of QUERIES.entries()) {
      for (const answer of [before[i]!, after[i]!]) {
        expect(holes(answer, broken), query).toEqual([]);
        expect(namedGapsOf(answer.warnings), query).toBeNull();
      }
      // Well inside, all is the twin's.
      for (
        let at = grid(broken.startMs, 0).startMs + 50_000;
        at < broken.endMs - 20_000;
        at += STEP_MS
      )
        expect(after[i]!.points.get(at), query).toEqual(before[i]!.points.get(at));
    }
    // It is true of this server that it has not reached the target.
    const inside = [...up].filter(
      ([at]) => at > broken.startMs + INTERVAL_MS && at < broken.endMs - INTERVAL_MS,
    );
    expect(inside.length).toBeGreaterThan(10);
    for (const [, values] of inside) expect([...values.values()]).toEqual(['0']);
  },
  TIMEOUT_MS,
);

test(
  'what was not copied yet when the disk of the twin is lost is named',
  async () => {
    const noRoom = (env: Env): Env => ({
      ...env,
      files: new Proxy(env.files, {
        get: (files, key) => {
          if (key === 'space') return () => ({ freeBytes: 0, totalBytes: 1 });
          const member: unknown = Reflect.get(files, key);
          return typeof member === 'function' ? member.bind(files) : member;
        },
      }),
    });
    const { before, after, gaps, broken } = await tell({}, { serverEnv: noRoom });
    expect(intersect(gaps, [broken]).length).toBeGreaterThan(0);
    for (const [i, query] of QUERIES.entries()) {
      expect(holes(before[i]!, broken), query).toEqual([]);
      expect(holes(after[i]!, broken).length, query).toBeGreaterThan(10);
      const named = namedGapsOf(after[i]!.warnings);
      expect(
        named?.spans.some(({ minMs, maxMs }) => maxMs - minMs > 70_000),
        query,
      ).toBe(true);
    }
  },
  TIMEOUT_MS,
);

test(
  'a pair that does not heal shows a gap that nobody names: the checks above can fail',
  async () => {
    const { before, after, broken } = await tell({ heals: false });
    expect(holes(before[0]!, broken)).toEqual([]);
    expect(holes(after[0]!, broken).length).toBeGreaterThan(10);
    expect(namedGapsOf(after[0]!.warnings)).toBeNull();
  },
  TIMEOUT_MS,
);
