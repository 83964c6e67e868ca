import { expect, test } from 'vitest';
import { pairPlanOf, SHORT } from './pair-plan.ts';
import { runPair } from './pair-run.ts';

test('the same seed gives the same run to the last byte, another seed another', async () => {
  const size = { ...SHORT, worldMs: 240_000 };
  const [first, again] = [await runPair(3, size), await runPair(3, size)];
  expect(first.questions).toBe(40);
  expect(again).toEqual(first);
  expect((await runPair(4, size)).digest).not.toBe(first.digest);
  expect(pairPlanOf(3, size)).toEqual(first.plan);
}, 120_000);
