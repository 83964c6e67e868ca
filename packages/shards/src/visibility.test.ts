import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { ALL_TIME, type PointColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardStore, StoreView } from './index.ts';
import { StoreDirectory } from './testing/store-directory.ts';

const DAY = 86_400_000;
const TARGET = { database: 'db', retentionPolicy: 'rp', groupDurationMs: DAY, oldestMs: null };
const SERIES = 8;
/** Many pieces of a commit. */
const ROWS = 30_000;

/** Every slice of time is over at once, so that a commit lets readers in between any two of its pieces. */
class HurriedClock extends VirtualClock {
  #looks = 0;

  override monotonic(): number {
    return super.monotonic() + this.#looks++ * 10;
  }
}

/** Rows over two shard groups and some series, all of one value. */
function batchOf(value: number): PointColumns {
  return {
    count: ROWS,
    series: Array.from({ length: SERIES }, (_, i) => ({
      measurement: 'm',
      tags: Labels.from({ i: String(i) }),
      replica: '',
    })),
    fields: [{ name: 'value', kind: 'float' }],
    seriesOf: Uint32Array.from({ length: ROWS }, (_, row) => row % SERIES),
    fieldOf: new Uint32Array(ROWS),
    timesMs: Float64Array.from({ length: ROWS }, (_, row) => (row % 2) * DAY + row),
    nanos: null,
    cells: new Float64Array(ROWS).fill(value),
    texts: [],
    pointOf: null,
  };
}

describe('a batch that takes many slices of time', () => {
  let directory: StoreDirectory;
  let store: ShardStore;
  beforeEach(async () => {
    directory = new StoreDirectory();
    store = await open();
  });
  afterEach(() => directory.remove());

  const open = (): Promise<ShardStore> =>
    directory.open({ env: { ...nodeEnv(), clock: new HurriedClock() } });

  /** Rows by their value. */
  function rowsIn(view: StoreView): Map<number, number> {
    const found = new Map<number, number>();
    for (const series of view.series('m')) {
      for (const { data } of view.read(series, 'value', 'float')) {
        for (const value of data.cells.subarray(0, data.count))
          found.set(value, (found.get(value) ?? 0) + 1);
      }
    }
    return found;
  }

  it('is seen whole or not at all, in both of its shard groups, and a view made before never sees it', async () => {
    const seen = new Set<string>();
    for (const value of [1, 2]) {
      const before = store.view('db', 'rp', ALL_TIME);
      const known = rowsIn(before);
      let isDone = false;
      let looks = 0;
      const writing = store.write(TARGET, batchOf(value)).then(() => {
        isDone = true;
      });
      while (!isDone) {
        const view = store.view('db', 'rp', ALL_TIME);
        seen.add(JSON.stringify([...rowsIn(view)]));
        view.release();
        looks++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
      expect(looks).toBeGreaterThan(ROWS / 2_048);
      expect(rowsIn(before)).toEqual(known);
      before.release();
    }
    expect([...seen].every((text) => ['[]', `[[1,${ROWS}]]`, `[[2,${ROWS}]]`].includes(text))).toBe(
      true,
    );
    expect(seen.size).toBeGreaterThanOrEqual(2);
    const after = store.view('db', 'rp', ALL_TIME);
    expect([...rowsIn(after)]).toEqual([[2, ROWS]]);
    after.release();
    await store.close();
    store = await open();
    const again = store.view('db', 'rp', ALL_TIME);
    expect([...rowsIn(again)]).toEqual([[2, ROWS]]);
    again.release();
  });
});
