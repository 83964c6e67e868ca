import { expect, test } from 'vitest';
import { runCluster } from './cluster-run.ts';

const TIMEOUT_MS = 300_000;

test(
  'the same seed gives the same run to the last byte, another seed another',
  async () => {
    for (const seed of [1, 3, 5]) {
      const [first, again] = [await runCluster(seed), await runCluster(seed)];
      expect(first.messages).toBeGreaterThan(3);
      expect(again).toEqual(first);
      expect((await runCluster(seed + 11)).digest).not.toBe(first.digest);
    }
  },
  TIMEOUT_MS,
);
