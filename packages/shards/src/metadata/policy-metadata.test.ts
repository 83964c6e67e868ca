import * as fs from 'node:fs';
import { type Env, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import type { MetricMetadata } from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ShardStore, ShardWriteError } from '../index.ts';
import { StoreDirectory } from '../testing/store-directory.ts';

const HOUR = 3_600_000;
let directory: StoreDirectory;
let clock: VirtualClock;
beforeEach(() => {
  directory = new StoreDirectory();
  clock = new VirtualClock(Date.UTC(2024, 5, 12));
});
afterEach(() => directory.remove());

function open(env: Partial<Env> = {}, registry = new Registry()): Promise<ShardStore> {
  return directory.open({ env: { ...nodeEnv(), clock, ...env }, registry });
}

function row(name: string, help = `Help of ${name}.`): MetricMetadata {
  return { name, type: 'counter', help, unit: '' };
}

function shown(store: ShardStore, database = 'db', policy = 'rp'): string[] {
  return [...store.metadata(database, policy)].map(([name, { help }]) => `${name}: ${help}`);
}

const file = (): string => `${directory.path}/data/db/rp/metric-metadata.jsonl`;

it('metadata is kept by policy, each text once, through restarts', async () => {
  let store = await open();
  await store.writeMetadata('db', 'rp', [row('a'), row('b', 'One\nline "two" é.'), row('a')]);
  await store.writeMetadata('db', 'rp', [row('a', 'Other.'), row('b', 'One\nline "two" é.')]);
  await store.writeMetadata('db', 'other', [row('c')]);
  const { size } = fs.statSync(file());
  clock.jump(60_000);
  await store.writeMetadata('db', 'rp', [row('a')]);
  expect(fs.statSync(file()).size).toBe(size);
  for (const restarts of [false, true]) {
    if (restarts) {
      await store.close();
      store = await open();
    }
    expect(shown(store)).toEqual(['a: Help of a.', 'a: Other.', 'b: One\nline "two" é.']);
    expect(shown(store, 'db', 'other')).toEqual(['c: Help of c.']);
    expect(shown(store, 'other')).toEqual([]);
  }
  await store.dropRetentionPolicy('db', 'rp');
  expect([shown(store), shown(store, 'db', 'other')]).toEqual([[], ['c: Help of c.']]);
  await store.dropDatabase('db');
  await store.close();
  store = await open();
  expect([shown(store), shown(store, 'db', 'other')]).toEqual([[], []]);
});

// Each of 1,100 writes is a sync of the real disk, which others may be waiting for.
it('metadata that is still sent outlives the time of its policy, and other does not', {
  timeout: 120_000,
}, async () => {
  let store = await open();
  await store.writeMetadata('db', 'rp', [row('old'), row('new')]);
  clock.jump(8 * HOUR);
  await store.writeMetadata('db', 'rp', [row('new')]);
  await store.close();
  store = await open();
  await store.expire('db', 'rp', clock.now() - HOUR);
  expect(shown(store)).toEqual(['new: Help of new.']);
  // The file has a line for each time that was written, until they are too many.
  for (let i = 0; i < 1_100; i++) {
    clock.jump(8 * HOUR);
    await store.writeMetadata('db', 'rp', [row('new')]);
  }
  expect(fs.readFileSync(file(), 'utf8').split('\n').length).toBeLessThan(1_010);
  await store.close();
  store = await open();
  await store.expire('db', 'rp', clock.now() - HOUR);
  expect(shown(store)).toEqual(['new: Help of new.']);
});

it('a file whose end is torn is read up to there and goes on', async () => {
  let store = await open();
  await store.writeMetadata('db', 'rp', [row('a'), row('b')]);
  await store.close();
  const whole = fs.readFileSync(file());
  for (const end of [Buffer.alloc(5), Buffer.from('[1,"x"]\n'), Buffer.from('[17,"c","gau')]) {
    fs.writeFileSync(file(), Buffer.concat([whole, end]));
    store = await open();
    expect(shown(store)).toEqual(['a: Help of a.', 'b: Help of b.']);
    await store.writeMetadata('db', 'rp', [row('c')]);
    await store.close();
    store = await open();
    expect(shown(store)).toEqual(['a: Help of a.', 'b: Help of b.', 'c: Help of c.']);
    await store.close();
  }
});

it('what the disk refuses is not shown, and is taken when it is sent again', async () => {
  const full = { isFull: false };
  class FullFiles extends NodeFiles {
    override open(...[path, mode]: Parameters<NodeFiles['open']>): ReturnType<NodeFiles['open']> {
      const opened = super.open(path, mode);
      const write = opened.write.bind(opened);
      opened.write = (source, offset, length, position) => {
        if (!full.isFull) return write(source, offset, length, position);
        write(source, offset, 10, position);
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      };
      return opened;
    }
  }
  let store = await open({ files: new FullFiles() });
  await store.writeMetadata('db', 'rp', [row('a')]);
  full.isFull = true;
  await expect(store.writeMetadata('db', 'rp', [row('a'), row('b')])).rejects.toThrow(
    ShardWriteError,
  );
  expect(shown(store)).toEqual(['a: Help of a.']);
  full.isFull = false;
  await store.writeMetadata('db', 'rp', [row('c')]);
  await store.writeMetadata('db', 'rp', [row('b')]);
  await store.close();
  store = await open();
  expect(shown(store)).toEqual(['a: Help of a.', 'c: Help of c.', 'b: Help of b.']);
});

it('what is too long or too much is left out and counted', async () => {
  const registry = new Registry();
  const store = await open({}, registry);
  const refused = (): number | undefined =>
    registry.gather().find(({ name }) => name === 'pollux_store_metadata_refused_total')?.samples[0]
      ?.value;
  const texts = Array.from({ length: 12 }, (_, i) => row('m', `${i}`));
  await store.writeMetadata('db', 'rp', [row(''), row('long', 'x'.repeat(17_000)), ...texts]);
  expect(shown(store)).toHaveLength(10);
  expect(refused()).toBe(4);
  // Which room is made for, when nobody has sent the others for a day.
  clock.jump(25 * HOUR);
  await store.writeMetadata('db', 'rp', [row('m', 'new')]);
  expect(shown(store)).toEqual(['m: new']);
  expect(refused()).toBe(4);
});
