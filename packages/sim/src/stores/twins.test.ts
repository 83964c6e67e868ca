import { afterEach, expect, it, vi } from 'vitest';
import {
  batchOf,
  MINUTES,
  MINUTES_PER_BATCH,
  SETTLE_MS,
  SETTLING,
  StoreWorld,
} from './store-world.ts';

const FIRSTS = Array.from(
  { length: MINUTES / MINUTES_PER_BATCH },
  (_, index) => index * MINUTES_PER_BATCH,
);
const ROUND_MS = 61_000;

// Whole stores for hours of their time.
vi.setConfig({ testTimeout: 120_000 });

let world: StoreWorld | null = null;
afterEach(async () => {
  await world?.end();
  world = null;
});

/** Two stores that know each other, and one that is given everything. */
async function start(more: readonly string[] = [SETTLING]): Promise<StoreWorld> {
  world = new StoreWorld(7, (name) =>
    name === 'whole'
      ? more
      : [
          `--ha.twin=http://${name === 'store-a' ? 'store-b' : 'store-a'}:8086`,
          '--ha.twin.interval=1m',
          ...more,
        ],
  );
  for (const name of ['store-a', 'store-b', 'whole']) await world.add(name);
  return world;
}

async function give(
  stores: readonly string[],
  replica: string,
  firsts: readonly number[],
): Promise<void> {
  for (const first of firsts) {
    const body = batchOf(replica, first, []);
    for (const store of stores) if (body !== null) await world!.write(store, body);
  }
}

it('a store gets from its twin what no writer repeats, and both come to the same', async () => {
  const all = await start();
  const middle = FIRSTS.slice(3, 6);
  await give(['whole'], 'A', FIRSTS);
  await give(['whole'], 'B', FIRSTS);
  // Each was away for a while; B was not there in the middle, which store-b alone would tell by a copy of A.
  await give(['store-a'], 'A', FIRSTS.slice(0, 5));
  await give(['store-b'], 'A', FIRSTS.slice(4));
  await give(['store-a', 'store-b'], 'B', FIRSTS.slice(0, 3));
  await give(['store-a'], 'B', middle);
  await give(['store-b'], 'B', FIRSTS.slice(6));
  expect(await all.answers('store-a')).not.toEqual(await all.answers('store-b'));
  await all.world.advance(3 * ROUND_MS);
  const whole = (await all.answers('whole')).filter((_, i) => i !== 2);
  for (const name of ['store-a', 'store-b'])
    expect((await all.answers(name)).filter((_, i) => i !== 2)).toEqual(whole);
  await all.world.advance(SETTLE_MS + 10_000);
  const settled = await all.answers('whole');
  for (const name of ['store-a', 'store-b']) expect(await all.answers(name)).toEqual(settled);
  expect(all.logs.filter((line) => line.includes('fetched from a twin'))).not.toEqual([]);
  // What was given up does not come back.
  const before = all.logs.length;
  await all.world.advance(5 * ROUND_MS);
  expect(all.logs.slice(before).filter((line) => line.includes('twin'))).toEqual([]);
});

it('stores that keep all copies get the other replica’s too, as it was written', async () => {
  const all = await start([]);
  for (const replica of ['A', 'B']) await give(['store-b', 'whole'], replica, FIRSTS);
  await give(['store-a'], 'A', FIRSTS);
  expect(await all.read('store-a', 'B')).not.toEqual(await all.read('whole', 'B'));
  await all.world.advance(3 * ROUND_MS);
  for (const name of ['store-a', 'store-b'])
    expect(await all.answers(name)).toEqual(await all.answers('whole'));
});

it('what was deleted does not come back from a twin that has it still', async () => {
  const all = await start();
  await give(['store-a', 'store-b'], 'A', FIRSTS);
  for (const q of ['DROP SERIES FROM whole', 'DELETE FROM ended WHERE time < now()'])
    expect(await all.influx('store-a', q)).toBe('{"results":[{"statement_id":0}]}\n');
  await all.crash('store-a', null, 'none');
  await all.world.advance(3 * ROUND_MS);
  expect(await all.influx('store-a', 'SHOW MEASUREMENTS')).toContain('"values":[["begun"]]');
  expect(await all.influx('store-b', 'SHOW MEASUREMENTS')).toContain('["whole"]');
});

it('what a store keeps no longer is not fetched', async () => {
  const all = await start();
  await give(['store-b'], 'A', FIRSTS);
  await all.influx('store-a', 'ALTER RETENTION POLICY autogen ON prometheus DURATION 1d');
  await all.world.advance(3 * ROUND_MS);
  expect(await all.influx('store-a', 'SHOW MEASUREMENTS')).not.toContain('whole');
  expect(all.logs.filter((line) => line.includes('twin'))).toEqual([]);
});

it('a twin that is away or says no is told about and tried again', async () => {
  const all = await start();
  await give(['store-b'], 'A', FIRSTS);
  all.world.network.setLink('store-a', 'store-b', { isCut: true });
  await all.world.advance(4 * ROUND_MS);
  expect(all.logs.join('\n')).toContain('cannot compare with a twin');
  expect(await all.influx('store-a', 'SHOW MEASUREMENTS')).not.toContain('whole');
  all.world.network.setLink('store-a', 'store-b', { isCut: false });
  await all.world.advance(3 * ROUND_MS);
  expect(await all.answers('store-a')).toEqual(await all.answers('store-b'));
});
