import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, wordsOf } from '@pollux/model';
import { ALL_TIME, type PointColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUCKETS, CopyExchange, type ShardStore, WINDOW_MS } from '../index.ts';
import { StoreDirectory } from '../testing/store-directory.ts';

const START_MS = 236_100 * WINDOW_MS;
const TARGET = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: 24 * 3_600_000,
  oldestMs: null,
};
const PLACE = { ...TARGET, startMs: START_MS };
const { signal } = new AbortController();

type Value = number | string;

function batch(replica: string, values: readonly (readonly [ms: number, Value])[]): PointColumns {
  const texts = values.map(([, value]) => value).filter((value) => typeof value === 'string');
  const isText = texts.length > 0;
  const none = new Uint32Array(values.length);
  return {
    count: values.length,
    series: [{ measurement: 'm', tags: Labels.from({ job: 'j' }), replica }],
    fields: [
      isText ? { name: 'native_histogram', kind: 'string' } : { name: 'value', kind: 'float' },
    ],
    seriesOf: none,
    fieldOf: none,
    timesMs: Float64Array.from(values, ([ms]) => START_MS + ms),
    nanos: null,
    cells: Float64Array.from(values, ([, value], i) => (typeof value === 'string' ? i : value)),
    texts,
    pointOf: null,
  };
}

describe('stores that compare copies', () => {
  const directories: StoreDirectory[] = [];
  let clock: VirtualClock;
  let a: ShardStore;
  let b: ShardStore;

  async function open(settleAfterMs = 0): Promise<ShardStore> {
    const directory = new StoreDirectory();
    directories.push(directory);
    return directory.open({ env: { ...nodeEnv(), clock }, settleAfterMs });
  }

  beforeEach(async () => {
    clock = new VirtualClock(START_MS + 2 * WINDOW_MS);
    a = await open();
    b = await open();
  });
  afterEach(async () => {
    for (const directory of directories.splice(0)) await directory.remove();
  });

  /** `replica field: ms=value …` */
  function held(store: ShardStore): string[] {
    const view = store.view('db', 'rp', ALL_TIME);
    const lines: string[] = [];
    for (const series of view.series('m')) {
      for (const { name, kind } of view.fieldsOf(series)) {
        for (const { replica, data } of view.read(series, name, kind)) {
          const rows = Array.from(
            { length: data.count },
            (_, i) =>
              `${data.timesMs[i]! - START_MS}=${data.texts?.[data.cells[i]!] ?? data.cells[i]}`,
          );
          lines.push(`${replica} ${name}: ${rows.join(' ')}`);
        }
      }
    }
    view.release();
    return lines;
  }

  /** What `to` lacks comes from `from`, `mostRows` an answer. */
  async function exchange(from: ShardStore, to: ShardStore, mostRows = 1_000): Promise<number> {
    const theirs = new CopyExchange(from);
    const ours = new CopyExchange(to);
    let taken = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (;;) {
        const how = { bucket, theirs: await ours.sumsOf(PLACE, bucket, signal), mostRows };
        const { copies, isWhole } = await theirs.difference(PLACE, how, signal);
        taken += await ours.take(TARGET, START_MS, copies, signal);
        if (isWhole) break;
      }
    }
    return taken;
  }

  it('take what they lack, bit by bit, and then are alike', async () => {
    const odd = batch('A', [
      [1_000, -0],
      [2_000, 5],
    ]);
    wordsOf(odd.cells).set([2, 0x7ff00000], 2);
    await a.write(TARGET, odd);
    await a.write(TARGET, batch('A', [[3_000, '{"text":1}']]));
    await a.write(TARGET, batch('B', [[1_500, 1]]));
    await b.write(TARGET, batch('A', [[2_500, 7]]));
    expect(await exchange(a, b, 1)).toBe(4);
    expect(await exchange(b, a)).toBe(1);
    expect(held(b)).toEqual(held(a));
    expect(held(a)[1]).toBe('A value: 1000=0 2000=NaN 2500=7');
    const [one, other] = [new CopyExchange(a), new CopyExchange(b)];
    expect(await one.sums(PLACE, signal)).toEqual(await other.sums(PLACE, signal));
    expect(await exchange(a, b)).toBe(0);
  });

  it('see each change of a window in its sums, and leave ordinary writers alone', async () => {
    const copies = new CopyExchange(a);
    const seen = [await copies.sums(PLACE, signal)];
    await a.write(TARGET, batch('', [[1_000, 1]]));
    expect(await copies.sums(PLACE, signal)).toEqual(seen[0]);
    await a.write(TARGET, batch('A', [[1_000, 1]]));
    seen.push(await copies.sums(PLACE, signal));
    await a.write(TARGET, batch('A', [[1_000, 2]]));
    seen.push(await copies.sums(PLACE, signal));
    const second = { minMs: START_MS, minNanos: 0, maxMs: START_MS + WINDOW_MS, maxNanos: 0 };
    await a.deleteRows('db', () => true, second);
    expect(await copies.sums(PLACE, signal)).toEqual(seen[0]);
    expect(new Set(seen.map(String)).size).toBe(3);
  });

  it('overwrite nothing', async () => {
    await a.write(TARGET, batch('A', [[1_000, 1]]));
    await b.write(TARGET, batch('A', [[1_000, 2]]));
    expect(await exchange(a, b)).toBe(0);
    expect(held(b)).toEqual(['A value: 1000=2']);
  });

  it('take nothing of a window that began before the last deletion, also behind a restart', async () => {
    await a.write(TARGET, batch('A', [[1_000, 1]]));
    await b.write(TARGET, batch('A', [[1_000, 1]]));
    await b.deleteRows('db', (measurement) => measurement === 'm', ALL_TIME);
    expect(await exchange(a, b)).toBe(0);
    await b.close();
    b = await directories[1]!.open({ env: { ...nodeEnv(), clock } });
    expect(await exchange(a, b)).toBe(0);
    expect(b.mayTake('db', START_MS)).toBe(false);
    expect(b.mayTake('db', START_MS + 3 * WINDOW_MS)).toBe(true);
    expect(b.mayTake('other', START_MS)).toBe(true);
    await a.dropDatabase('db');
    expect(a.mayTake('db', START_MS)).toBe(false);
  });

  it('do not bring back what settling gives up', async () => {
    const settling = await open(WINDOW_MS);
    const every = (phaseMs: number): (readonly [number, number])[] =>
      Array.from({ length: 240 }, (_, i) => [i * 30_000 + phaseMs, 1] as const);
    for (const replica of ['A', 'B'])
      await a.write(TARGET, batch(replica, every(replica === 'A' ? 0 : 9_000)));
    await settling.write(TARGET, batch('A', every(0)));
    expect(await exchange(a, settling)).toBe(0);
    expect(await exchange(settling, a)).toBe(0);
    await settling.deleteRows('other', () => true, ALL_TIME);
    expect(held(settling)).toHaveLength(1);
  });
});
