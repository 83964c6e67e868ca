import { type File, type Files, sleep, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import type { PointColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardStore } from './index.ts';
import { StoreDirectory } from './testing/store-directory.ts';

const SYNC_MS = 4;
const TARGET = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: 86_400_000,
  oldestMs: null,
};

/** A disk whose syncs take their time on the virtual clock, and are counted by file. */
class SlowDisk extends NodeFiles implements Files {
  readonly syncs = new Map<string, number>();
  running = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }

  override open(filePath: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(filePath, mode);
    file.datasync = async () => {
      this.syncs.set(filePath, (this.syncs.get(filePath) ?? 0) + 1);
      this.running++;
      await sleep(this.#clock, SYNC_MS);
      this.running--;
    };
    return file;
  }

  get syncCount(): number {
    let count = 0;
    for (const syncs of this.syncs.values()) count += syncs;
    return count;
  }
}

function point(writer: number, ms: number): PointColumns {
  return {
    count: 1,
    series: [{ measurement: 'm', tags: Labels.from({ writer: String(writer) }), replica: '' }],
    fields: [{ name: 'value', kind: 'float' }],
    seriesOf: Uint32Array.of(0),
    fieldOf: Uint32Array.of(0),
    timesMs: Float64Array.of(ms),
    nanos: null,
    cells: Float64Array.of(ms),
    texts: [],
    pointOf: null,
  };
}

describe('the group commit', () => {
  let directory: StoreDirectory;
  let store: ShardStore;
  let clock: VirtualClock;
  let disk: SlowDisk;
  beforeEach(async () => {
    directory = new StoreDirectory();
    clock = new VirtualClock();
    disk = new SlowDisk(clock);
    store = await directory.open({ env: { ...nodeEnv(), clock, files: disk } });
  });
  afterEach(() => directory.remove());

  it('syncs once for all writes that arrive while the disk is busy, and none waits for more than two syncs', async () => {
    const seconds = 1;
    const perMs = 5;
    const waits: number[] = [];
    for (let ms = 0; ms < seconds * 1000; ms++) {
      for (let i = 0; i < perMs; i++) {
        const sentMs = clock.monotonic();
        void store.write(TARGET, point(i, ms)).then(() => waits.push(clock.monotonic() - sentMs));
      }
      await clock.advance(1);
    }
    await clock.advance(2 * SYNC_MS);
    expect(waits).toHaveLength(seconds * 1000 * perMs);
    // Never before a sync that began after the write, never longer than the rest of the one before it.
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(SYNC_MS);
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * SYNC_MS);
    expect(disk.syncs.size).toBe(1);
    expect(disk.syncCount).toBeGreaterThanOrEqual((seconds * 1000) / (2 * SYNC_MS));
    expect(disk.syncCount).toBeLessThanOrEqual((seconds * 1000) / SYNC_MS + 2);
  });

  it('syncs an idle store at once, and the logs of several groups side by side', async () => {
    const day = TARGET.groupDurationMs;
    const first = store.write(TARGET, point(0, 0));
    await clock.advance(SYNC_MS);
    await first;
    expect(disk.syncCount).toBe(1);
    const startMs = clock.monotonic();
    const both = Promise.all([
      store.write(TARGET, point(0, 1)),
      store.write(TARGET, point(0, day + 1)),
      store.write({ ...TARGET, database: 'other' }, point(0, 1)),
    ]);
    await clock.advance(1);
    expect(disk.running).toBe(3);
    await clock.advance(SYNC_MS);
    await both;
    expect(clock.monotonic() - startMs).toBe(SYNC_MS + 1);
    expect([...disk.syncs.values()]).toEqual([2, 1, 1]);
  });
});
