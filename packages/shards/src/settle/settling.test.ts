import * as fs from 'node:fs';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import {
  ALL_TIME,
  type FieldKind,
  MemoryBudget,
  NO_HINTS,
  type PointColumns,
} from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShardQueryable, type ShardStore, type ShardStoreOptions } from '../index.ts';
import { StoreDirectory } from '../testing/store-directory.ts';

const HOUR = 3_600_000;
/** A multiple of a day. */
const T0 = 1_699_920_000_000;
const TARGET = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: 24 * HOUR,
  oldestMs: null,
};

/** Samples every 30 s in [fromMs, toMs), counted from T0. */
function batch(
  replica: string,
  fromMs: number,
  toMs: number,
  { measurement = 'm', phaseMs = 0, value = 1, exemplars = false } = {},
): PointColumns {
  const times: number[] = [];
  for (let ms = fromMs; ms < toMs; ms += 30_000) times.push(T0 + ms + phaseMs);
  return {
    count: times.length,
    series: [{ measurement, tags: Labels.EMPTY, replica }],
    fields: [exemplars ? { name: 'exemplar', kind: 'string' } : { name: 'value', kind: 'float' }],
    seriesOf: new Uint32Array(times.length),
    fieldOf: new Uint32Array(times.length),
    timesMs: Float64Array.from(times),
    nanos: null,
    cells: Float64Array.from(times, () => (exemplars ? 0 : value)),
    texts: exemplars ? ['{}'] : [],
    pointOf: null,
  };
}

describe('giving up copies that nobody needs', () => {
  let directory: StoreDirectory;
  let clock: VirtualClock;
  let registry: Registry;
  let store: ShardStore;

  async function open(options: Partial<ShardStoreOptions> = {}): Promise<void> {
    registry = new Registry();
    store = await directory.open({
      env: { ...nodeEnv(), clock },
      registry,
      ...options,
    });
  }

  beforeEach(async () => {
    directory = new StoreDirectory();
    clock = new VirtualClock(T0 + 12 * HOUR);
    await open();
  });
  afterEach(() => directory.remove());

  /** `replica hour: samples` of every two hours with any, of one measurement. */
  function held(measurement = 'm', field = 'value', kind: FieldKind = 'float'): string[] {
    const view = store.view('db', 'rp', ALL_TIME);
    const lines: string[] = [];
    for (const series of view.series(measurement)) {
      for (const { replica, data } of view.read(series, field, kind)) {
        const counts = new Map<number, number>();
        for (const ms of data.timesMs.subarray(0, data.count)) {
          const hour = Math.floor((ms - T0) / (2 * HOUR)) * 2;
          counts.set(hour, (counts.get(hour) ?? 0) + 1);
        }
        for (const [hour, count] of counts) lines.push(`${replica} ${hour}h: ${count}`);
      }
    }
    view.release();
    return lines;
  }

  async function answer(matchers: readonly Matcher[] = []): Promise<readonly number[]> {
    const queryable = new ShardQueryable({
      store,
      database: 'db',
      retentionPolicy: 'rp',
      replicaLabels: ['prometheus_replica'],
    });
    const source = queryable.select(
      {
        range: { minMs: T0, maxMs: T0 + 24 * HOUR },
        matchers: [Matcher.metric('m'), ...matchers],
        hints: NO_HINTS,
        sorted: true,
      },
      { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
    );
    const times: number[] = [];
    for (let next = await source.next(); next !== null; next = await source.next()) {
      for (const { timestampsMs, count } of next) times.push(...timestampsMs.subarray(0, count));
    }
    return times;
  }

  function givenUp(): number | undefined {
    const family = registry
      .gather()
      .find(({ name }) => name === 'pollux_store_settled_values_total');
    return family?.samples[0]?.value;
  }

  const write = (columns: PointColumns) => store.write(TARGET, columns);

  async function pass(durationMs: number): Promise<void> {
    await clock.advance(durationMs);
    await store.settle();
  }

  /** Waits until the group of the day is over and nobody is waited for. */
  async function settle(): Promise<void> {
    clock.jump(Math.max(0, T0 + 27 * HOUR - clock.now()));
    await pass(2 * HOUR);
  }

  it('keeps the first copy that is whole, and both where only a later one is', async () => {
    await write(batch('A', 0, 6 * HOUR, { value: 1 }));
    await write(batch('B', 0, 2 * HOUR, { phaseMs: 7_000 }));
    // B was away for a while in the second window, A in the third.
    await write(batch('B', 3 * HOUR, 6 * HOUR, { phaseMs: 7_000 }));
    await write(batch('A', 6 * HOUR, 6.5 * HOUR));
    await write(batch('A', 7 * HOUR, 8 * HOUR));
    await write(batch('B', 6 * HOUR, 8 * HOUR, { phaseMs: 7_000 }));
    const before = await answer();
    await settle();
    expect(held()).toEqual(['A 0h: 240', 'A 2h: 240', 'A 4h: 240', 'A 6h: 180', 'B 6h: 240']);
    expect(givenUp()).toBe(600);
    // A is the base before and after, as it has most; only its hole is filled.
    expect(before).toHaveLength(3 * 240 + 180 + 61);
    expect(await answer()).toEqual(before);
  });

  it('changes no answer while one replica is whole', async () => {
    await write(batch('A', 0, 9 * HOUR));
    await write(batch('B', 0, 9 * HOUR, { phaseMs: 12_000, value: 2 }));
    const before = await answer();
    await settle();
    expect(held()).toEqual(['A 0h: 240', 'A 2h: 240', 'A 4h: 240', 'A 6h: 240', 'A 8h: 120']);
    expect(await answer()).toEqual(before);
    expect(await answer([new Matcher('prometheus_replica', '=', 'B')])).toEqual(before);
  });

  it('leaves ordinary writers, fields of one replica, and exemplars alone', async () => {
    for (const replica of ['A', 'B'])
      await write(batch(replica, 0, 2 * HOUR, { measurement: 'e', exemplars: true }));
    await write(batch('', 0, 2 * HOUR));
    await write(batch('A', 0, 2 * HOUR));
    await write(batch('B', 0, 2 * HOUR, { measurement: 'other' }));
    await settle();
    expect(held()).toEqual([' 0h: 240', 'A 0h: 240']);
    expect(held('other')).toEqual(['B 0h: 240']);
    expect(held('e', 'exemplar', 'string')).toEqual(['A 0h: 240', 'B 0h: 240']);
  });

  it('does so when files are merged, in windows that both have written behind', async () => {
    for (let hour = 0; hour < 8; hour += 2) {
      // B is late by most of a window.
      await write(batch('A', hour * HOUR, (hour + 2) * HOUR));
      await write(batch('B', Math.max(0, hour - 1) * HOUR, (hour + 1) * HOUR, { phaseMs: 9_000 }));
      await store.flush();
    }
    expect(held()).toEqual(['A 0h: 240', 'A 2h: 240', 'A 4h: 240', 'A 6h: 240', 'B 6h: 120']);
  });

  it('waits for the time-out where a series ended in the window, and after each write to it', async () => {
    await write(batch('A', 0, 1 * HOUR));
    await write(batch('B', 0, 1 * HOUR, { phaseMs: 9_000 }));
    clock.jump(13 * HOUR);
    await pass(1 * HOUR);
    await write(batch('B', 1 * HOUR, 1.5 * HOUR, { phaseMs: 9_000 }));
    await pass(1.5 * HOUR);
    expect(held()).toEqual(['A 0h: 120', 'B 0h: 180']);
    await pass(0.75 * HOUR);
    expect(held(), 'B alone is whole, and A goes before it').toEqual(['A 0h: 120', 'B 0h: 180']);
    await write(batch('A', 1 * HOUR, 1.5 * HOUR));
    await pass(1.9 * HOUR);
    expect(held()).toEqual(['A 0h: 180', 'B 0h: 180']);
    await pass(0.2 * HOUR);
    expect(held()).toEqual(['A 0h: 180']);
  });

  it('comes to the same whatever came late', async () => {
    await write(batch('C', 0, 2 * HOUR, { phaseMs: 3_000 }));
    await write(batch('B', 0, 2 * HOUR, { phaseMs: 9_000 }));
    await settle();
    expect(held()).toEqual(['B 0h: 240']);
    await write(batch('A', 0, 1 * HOUR));
    await settle();
    expect(held()).toEqual(['A 0h: 120', 'B 0h: 240']);
    await write(batch('C', 1 * HOUR, 2 * HOUR, { phaseMs: 3_000 }));
    await write(batch('A', 1 * HOUR, 2 * HOUR));
    await settle();
    expect(held()).toEqual(['A 0h: 240']);
  });

  it('is noted on disk, so that a start does not look again', async () => {
    await write(batch('A', 0, 2 * HOUR));
    await write(batch('B', 0, 2 * HOUR, { phaseMs: 9_000 }));
    await settle();
    const group = `${directory.path}/data/db/rp/1`;
    const files = fs.readdirSync(group);
    expect(files.filter((name) => name.endsWith('.data'))).toHaveLength(1);
    await store.close();
    await open();
    await pass(3 * HOUR);
    expect(fs.readdirSync(group)).toEqual(files);
    expect(held()).toEqual(['A 0h: 240']);
    expect(givenUp()).toBe(0);
    await write(batch('B', 0, 1 * HOUR, { phaseMs: 9_000 }));
    expect(fs.existsSync(`${group}/settled`)).toBe(false);
    await settle();
    expect(held()).toEqual(['A 0h: 240']);
  });

  it('is turned off by 0', async () => {
    await store.close();
    await open({ settleAfterMs: 0 });
    await write(batch('A', 0, 2 * HOUR));
    await write(batch('B', 0, 2 * HOUR));
    await settle();
    expect(held()).toEqual(['A 0h: 240', 'B 0h: 240']);
  });
});
