import { expect, it } from 'vitest';
import { World } from '../testing/world.ts';

const INTERVAL_MS = 10_000;
const MONTH_MS = 30 * 24 * 60 * 60 * 1_000;
const RULES = `
groups:
  - name: g
    interval: 10s
    rules: [{record: r, expr: e}]
`;

it('a group is evaluated once an interval however the wall clock jumps, also before its first evaluation', async () => {
  for (const byMs of [MONTH_MS, -MONTH_MS]) {
    for (const waitMs of [0, 3 * INTERVAL_MS]) {
      const world = new World();
      await world.load(RULES);
      world.manager.start();
      await world.clock.advance(waitMs);
      const before = world.evaluations.length;
      world.clock.jump(byMs);
      await world.clock.advance(5 * INTERVAL_MS);
      expect(world.evaluations.length - before).toBeGreaterThanOrEqual(4);
      expect(world.evaluations.length - before).toBeLessThanOrEqual(6);
      const away = world.evaluations.length;
      world.clock.jump(-byMs);
      await world.clock.advance(5 * INTERVAL_MS);
      expect(world.evaluations.length - away).toBeGreaterThanOrEqual(4);
      expect(world.evaluations.length - away).toBeLessThanOrEqual(6);
      const newestMs = world.evaluations.at(-1)!.atMs;
      expect(Math.abs(newestMs - world.clock.now())).toBeLessThanOrEqual(INTERVAL_MS);
      await world.manager.close();
    }
  }
});
