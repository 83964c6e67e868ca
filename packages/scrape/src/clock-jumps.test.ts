import { afterEach, expect, it } from 'vitest';
import { World } from './testing/scrape-world.ts';

const INTERVAL_MS = 10_000;
const MONTH_MS = 30 * 24 * 60 * 60 * 1_000;
const ONE_JOB = `
- job_name: j
  scrape_interval: 10s
  static_configs: [{targets: ["t:1"]}]
`;

let world: World;
afterEach(async () => {
  await world.manager.close();
});

/** Scheduled instants of which coverage says that they took place, in ms after START. */
function claimed(): number[] {
  return world.events
    .filter((event) => event.startsWith('done'))
    .map((e) => Number(e.split(' ').at(-2)));
}

it('a target is scraped once an interval however the wall clock jumps, and coverage names the instants of the clock', async () => {
  for (const byMs of [MONTH_MS, -MONTH_MS]) {
    world = new World();
    world.load(ONE_JOB);
    world.manager.start();
    world.answer('http://t:1/metrics', 'm 1\n');
    await world.clock.advance(3 * INTERVAL_MS);
    const before = world.requests.length;
    world.clock.jump(byMs);
    await world.clock.advance(5 * INTERVAL_MS);
    expect(world.requests.length - before).toBe(5);
    const away = claimed().slice(before);
    expect(away.every((at) => Math.abs(at - byMs) < 10 * INTERVAL_MS)).toBe(true);
    world.clock.jump(-byMs);
    await world.clock.advance(5 * INTERVAL_MS);
    expect(world.requests.length - before).toBe(10);
    const back = claimed().slice(before + 5);
    expect(back.every((at) => Math.abs(at) < 20 * INTERVAL_MS)).toBe(true);
    await world.manager.close();
  }
});
