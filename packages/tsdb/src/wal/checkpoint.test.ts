import * as fs from 'node:fs';
import * as path from 'node:path';
import { VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import { tsdbMetrics } from '../metrics.ts';
import {
  append,
  openTsdb,
  query,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { PAGE_BYTES } from './segment.ts';
import { Wal } from './wal.ts';
import { Zstd } from './zstd.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const SEGMENT_BYTES = PAGE_BYTES;
const STEPS = 30;

/** Files of a process that is killed before its `life`-th change: that one and all later ones do not happen. */
class MortalFiles extends NodeFiles {
  changes = 0;
  readonly #life: number;

  constructor(life: number) {
    super();
    this.#life = life;
  }

  #change<T>(make: () => T): T {
    if (++this.changes > this.#life) throw new Error('killed');
    return make();
  }

  override open(name: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): ReturnType<NodeFiles['open']> {
    const file = mode === 'r' ? super.open(name, mode) : this.#change(() => super.open(name, mode));
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) =>
      this.#change(() => write(source, offset, length, position));
    return file;
  }

  override rename(from: string, to: string): void {
    this.#change(() => super.rename(from, to));
  }

  override remove(name: string): void {
    this.#change(() => super.remove(name));
  }

  override removeTree(name: string): void {
    this.#change(() => super.removeTree(name));
  }

  override makeDirectory(name: string): void {
    this.#change(() => super.makeDirectory(name));
  }
}

/** As the maintenance does it: the older two thirds of the log become a checkpoint. */
async function checkpoint(files: NodeFiles, walDirectory: string): Promise<void> {
  const zstd = new Zstd();
  const clock = new VirtualClock();
  const common = {
    files,
    clock,
    segmentBytes: SEGMENT_BYTES,
    compression: 'snappy',
    zstd,
  } as const;
  const metrics = tsdbMetrics(new Registry());
  const wal = new Wal({ ...common, directory: walDirectory, metrics, onListenerError: () => {} });
  const { first, last: current } = wal.segments();
  const last = first + Math.floor(((current - 1 - first) * 2) / 3);
  await writeCheckpoint({
    ...common,
    walDirectory,
    first,
    last,
    minMs: Number.NEGATIVE_INFINITY,
    signal: new AbortController().signal,
    keepSeries: () => true,
    onDamage: () => {},
  });
  wal.truncate(last);
}

describe('a checkpoint', () => {
  it('loses nothing when the process is killed at any step of it, nor does the next one', async () => {
    const options = { walSegmentBytes: SEGMENT_BYTES, walCompression: 'none' } as const;
    const base = path.join(directory, 'base');
    const db = await openTsdb(base, { options });
    // A series a step, with a label of a fifth of a segment.
    const labels = Array.from({ length: STEPS }, (_, i) =>
      Labels.from({ __name__: 'm', i: String(i), pad: String(i).repeat(3000) }),
    );
    for (let step = 0; step < STEPS; step++) {
      const writes = labels
        .slice(Math.max(0, step - 5), step + 1)
        .map((one, i) => ({ labels: one, timestampMs: T0 + step * 1000, value: i * 100 + step }));
      await append(db, writes);
    }
    const answerOf = async (one: Tsdb): Promise<string> =>
      JSON.stringify([...(await query(one))], (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      );
    const expected = await answerOf(db);
    await db.close();
    fs.rmSync(path.join(base, 'chunks_head'), { recursive: true, force: true });

    let killed = 0;
    for (let life = 0; ; life++) {
      const data = path.join(directory, `life-${life}`);
      fs.cpSync(base, data, { recursive: true });
      const walDirectory = path.join(data, 'wal');
      const files = new MortalFiles(life);
      const isKilled = await checkpoint(files, walDirectory).then(
        () => false,
        () => true,
      );
      const after = await openTsdb(data, { options });
      expect((await answerOf(after)) === expected).toBe(true);
      await after.close();
      await checkpoint(new NodeFiles(), walDirectory);
      const again = await openTsdb(data, { options });
      expect((await answerOf(again)) === expected).toBe(true);
      await again.close();
      removeDirectory(data);
      if (!isKilled) break;
      killed++;
    }
    expect(killed).toBeGreaterThan(10);
  });
});
