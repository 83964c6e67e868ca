import type { ShardStore } from '@pollux/shards';
import { describe, expect, it } from 'vitest';
import { type FaultWorld, faultWorld } from './fault-world.ts';
import { contentsOf, shardsSubject, TARGET, write } from './shards-subject.ts';

const T0 = 1_700_006_400_000;
const ALL = { minMs: -Infinity, minNanos: 0, maxMs: Infinity, maxNanos: 999_999 };

async function opened(): Promise<{ world: FaultWorld; open: () => Promise<ShardStore> }> {
  const world = faultWorld(1);
  const subject = shardsSubject(null);
  return { world, open: () => subject.open(world) };
}

/** Times of one series, since the first. */
function times(store: ShardStore, series = 'db {__name__="m", i="0"}'): number[] {
  return (contentsOf(store).series.get(series) ?? []).map(({ timeMs }) => timeMs - T0);
}

const batch = (fromMs: number) => ({ target: TARGET, hour: 0, fromMs, series: [0] });

describe("the store's engine", () => {
  it('finds the directory of a log that a power cut has taken, and writes again', async () => {
    const { world, open } = await opened();
    let store = await open();
    const { disk } = world;
    disk.injectNext('EIO', (operation, path) => operation === 'makeDirectory' && /wal$/.test(path));
    await expect(write(store, world, batch(0))).rejects.toThrow('EIO');
    await store.close();
    store = await open();
    await write(store, world, batch(0));
    world.restart('none');
    expect(times(await open())).toEqual([0, 2_500, 5_000, 7_500]);
  });

  it('does not bring deleted rows back from a file that got its name and could not be opened', async () => {
    const { world, open } = await opened();
    const store = await open();
    await write(store, world, batch(0));
    await write(store, world, batch(10_000));
    world.disk.injectNext(
      'EMFILE',
      (operation, path) => operation === 'open' && /\.data$/.test(path),
    );
    await expect(store.flush()).rejects.toThrow('EMFILE');
    await store.deleteRows('db', () => true, { ...ALL, maxMs: T0 + 9_999 });
    world.restart('all');
    expect(times(await open())).toEqual([10_000, 12_500, 15_000, 17_500]);
  });

  it('does not bring deleted rows back from a file that could not be removed', async () => {
    const { world, open } = await opened();
    const store = await open();
    await write(store, world, batch(0));
    await store.flush();
    const { disk } = world;
    disk.injectNext('EIO', (operation, path) => operation === 'remove' && /\.data$/.test(path));
    await store.deleteRows('db', () => true, { ...ALL, maxMs: T0 + 4_999 });
    expect(disk.faults).toBe(1);
    for (let i = 1; i < 6; i++) {
      await write(store, world, batch(i * 10_000));
      await store.flush();
    }
    world.restart('all');
    expect(times(await open()).slice(0, 2)).toEqual([5_000, 7_500]);
  });

  it('has dropped for good what it said was dropped', async () => {
    const { world, open } = await opened();
    const store = await open();
    await write(store, world, batch(0));
    world.disk.injectNext('EIO', (operation) => operation === 'syncDirectory');
    await expect(store.dropDatabase('db')).rejects.toThrow('EIO');
    await store.dropDatabase('db');
    world.restart('none');
    expect(times(await open())).toEqual([]);
  });

  it('takes a segment whose first page a power cut has lost for a torn end', async () => {
    const { world, open } = await opened();
    const store = await open();
    await write(store, world, batch(0));
    await store.close();
    const log = world.env.files.open('/data/db/rp/1/wal/00000002.wal', 'w');
    log.truncate(4_096);
    log.close();
    expect(times(await open())).toHaveLength(4);
  });
});
