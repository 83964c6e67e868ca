import { expect, test } from 'vitest';
import { formOf, type Points, pointsOf } from './pair-answers.ts';
import { LOOKBACK_MS, type PairPlan, pairPlanOf } from './pair-plan.ts';
import { PairWorld, SERVER_PORT } from './pair-world.ts';

const QUERIES = ['rate(c_total[2m])', 'g', 'histogram_quantile(0.9, rate(b_bucket[1m]))', 'up'];

test('a server with an empty disk answers what was before at once, and its alerts fire on', async () => {
  const quiet = { rate: 7, restartsMs: [200_000], dead: [], hidden: [] };
  const plan: PairPlan = {
    ...pairPlanOf(1),
    replicas: 2,
    aheadMs: [300, -400],
    steps: [],
    targets: [
      { ...quiet, name: 't0' },
      { ...quiet, name: 't1', rate: 5 },
    ],
    hasStores: true,
    readsStores: true,
  };
  const world = new PairWorld(plan);
  await world.start();
  await world.world.advance(340_000);
  const ask = async (host: string, query: string, atMs: number): Promise<Points> => {
    const form = formOf(query, { startMs: atMs, endMs: atMs + 60_000, stepMs: 10_000 });
    const url = `http://${host}:${SERVER_PORT}/api/v1/query_range?${form}`;
    const { status, body } = await world.until(world.request({ method: 'GET', url }));
    expect(status).toBe(200);
    return pointsOf(JSON.parse(new TextDecoder().decode(body)).data);
  };
  const fromMs = Math.floor(world.now() / 10_000) * 10_000 - 60_000 - 4 * LOOKBACK_MS;
  const before = await Promise.all(QUERIES.map((query) => ask('a', query, fromMs)));
  const activeSince = async (): Promise<Points> => {
    const form = formOf('last_over_time(ALERTS_FOR_STATE[15s]) + 0', {
      startMs: Math.floor(world.now() / 1_000) * 1_000,
      endMs: 0,
      stepMs: 0,
    });
    const url = `http://a:${SERVER_PORT}/api/v1/query?${form}`;
    const { body } = await world.until(world.request({ method: 'GET', url }));
    return pointsOf(JSON.parse(new TextDecoder().decode(body)).data);
  };
  const [active] = [...(await activeSince()).values()];
  expect(active?.size).toBe(1);
  world.apply({ kind: 'wipe', replica: 0 });
  await world.world.advance(3_000);
  world.apply({ kind: 'start', replica: 0 });
  await world.world.advance(500);
  for (const [index, query] of QUERIES.entries()) {
    expect(before[index]!.size).toBe(7);
    expect(await ask('a', query, fromMs)).toEqual(before[index]);
    expect(await ask('twin-a', query, fromMs)).toEqual(before[index]);
  }
  await world.world.advance(30_000);
  expect([...(await activeSince()).values()]).toEqual([active]);
  await world.end();
}, 120_000);
