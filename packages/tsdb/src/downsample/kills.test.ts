import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Files } from '@pollux/base';
import type { SeriesColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ask,
  billing,
  countsOf,
  DROPPING,
  MINUTE_MS,
  OLD,
  plain,
  windows,
  writeBlocks,
} from '../testing/downsampled.ts';
import { openTsdb, removeDirectory, temporaryDirectory } from '../testing/fixtures.ts';
import { QuickFiles } from '../testing/quick-files.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** A process that is killed before its n-th change of a file. */
class MortalFiles extends QuickFiles {
  left: number;

  constructor(changes: number) {
    super();
    this.left = changes;
  }

  #live(): void {
    if (this.left-- <= 0) throw Object.assign(new Error('killed'), { code: 'EIO' });
  }

  override open(at: string, mode: Parameters<Files['open']>[1]): ReturnType<QuickFiles['open']> {
    if (mode !== 'r') this.#live();
    const file = super.open(at, mode);
    const write = file.write.bind(file);
    file.write = (...args) => {
      this.#live();
      return write(...args);
    };
    return file;
  }

  override replaceFile(at: string, data: Uint8Array | string): void {
    this.#live();
    super.replaceFile(at, data);
  }

  override rename(from: string, to: string): void {
    this.#live();
    super.rename(from, to);
  }

  override async unlink(at: string): Promise<void> {
    this.#live();
    await super.unlink(at);
  }

  override remove(at: string): void {
    this.#live();
    super.remove(at);
  }

  override removeTree(at: string): void {
    this.#live();
    super.removeTree(at);
  }

  override makeDirectory(at: string): void {
    this.#live();
    super.makeDirectory(at);
  }
}

describe('a process killed while it gathers and drops', () => {
  it('leaves every sample or its bucket, wherever it was killed', async () => {
    await writeBlocks(directory, [plain, billing], 5);
    const template = path.join(directory, 'template');
    const data = path.join(directory, 'data');
    fs.mkdirSync(template);
    for (const name of fs.readdirSync(directory)) {
      if (name.length === 26) fs.renameSync(path.join(directory, name), path.join(template, name));
    }
    const options = { ...DROPPING, slabBytes: 64 * 1024, snapshotIntervalMs: 0 };
    const expected = async (): Promise<Record<number, number>[]> => {
      const db = await openTsdb(data, { options });
      const answer = await Promise.all([ask(db, windows('count_over_time', OLD))]);
      for (let i = 0; i < 3; i++) await db.tick();
      const later = await ask(db, windows('count_over_time', OLD));
      await db.close();
      expect(
        fs.readdirSync(path.join(data, 'downsampled/1m')).filter((name) => name.includes('.tmp')),
      ).toEqual([]);
      return [...answer, later].map(({ series }) => {
        const columns = series.get(plain.toString());
        return columns?.buckets === undefined ? sampleCounts(columns) : countsOf(columns);
      });
    };
    let kills = 0;
    for (let changes = 0; ; changes += 7) {
      fs.rmSync(data, { recursive: true, force: true });
      fs.cpSync(template, data, { recursive: true });
      const files = new MortalFiles(changes);
      const dies = await openTsdb(data, { options, files }).then(
        async (db) => {
          for (let i = 0; i < 3; i++) await db.tick();
          const isDead = files.left < 0;
          await db.close();
          return isDead;
        },
        () => true,
      );
      const [first, later] = await expected();
      expect(Object.keys(first!), `killed before change ${changes}`).toHaveLength(20);
      expect(later, `killed before change ${changes}`).toEqual(first);
      expect(Object.values(first!).reduce((a, b) => a + b)).toBe(78);
      if (!dies) break;
      kills++;
    }
    expect(kills).toBeGreaterThan(10);
  });
});

function sampleCounts(columns: SeriesColumns | undefined): Record<number, number> {
  const counts: Record<number, number> = {};
  for (let i = 0; i < (columns?.count ?? 0); i++) {
    const minute = Math.ceil(columns!.timestampsMs[i]! / MINUTE_MS);
    counts[minute] = (counts[minute] ?? 0) + 1;
  }
  return counts;
}
