import { fromWire } from '@pollux/storage';
import { expect, test } from 'vitest';
import { type PairPlan, pairPlanOf } from './pair-plan.ts';
import { PairWorld, SERVER_PORT } from './pair-world.ts';

const DOWN_MS = 5_000;
/** The file is synced every second; what a killed server says behind its newest sample is not believed. */
const LOST_MS = 12_000;

test('a power loss takes no more than the last seconds of what a server covers', async () => {
  const plan: PairPlan = { ...pairPlanOf(1), replicas: 1, aheadMs: [0], steps: [] };
  const world = new PairWorld(plan);
  await world.start();
  await world.world.advance(120_000);
  const fromMs = world.now();
  world.apply({ kind: 'power', replica: 0 });
  await world.world.advance(DOWN_MS);
  world.apply({ kind: 'start', replica: 0 });
  await world.world.advance(30_000);
  const url = `http://a:${SERVER_PORT}/api/v1/pollux/coverage`;
  const { body } = await world.until(world.request({ method: 'GET', url }));
  const { serverGaps } = fromWire(JSON.parse(new TextDecoder().decode(body)));
  expect(serverGaps).toHaveLength(1);
  expect(serverGaps[0]?.startMs).toBeGreaterThan(fromMs - LOST_MS);
  expect(serverGaps[0]?.endMs).toBeLessThan(fromMs + DOWN_MS + 1_000);
  await world.end();
}, 120_000);
