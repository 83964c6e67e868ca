import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Catalogue } from '../catalogue.ts';
import { ALL_TIME, type ColumnData } from '../column-data.ts';
import { ColumnArena } from '../column-space.ts';
import { ShardCorruptionError } from '../errors.ts';
import { DataFile } from './data-file.ts';
import { DataFileWriter } from './data-file-writer.ts';
import { PageCache } from './page-cache.ts';

/** A file that a program of version 1 wrote: a column of each of its codings, four rows each. */
const VERSION_1 =
  'UExYU0hBUkQBAAAAAAAAAAAAAIQAAABtq1tMtwFj4JRjYGIAAxYHBk45Rob9LbaMvsz//kMBIxOM9Z+RkbFhwep/P5OWzWHkPrGDiYHBvqHOYSeDucxMhicM' +
  'MxlsGGYydDDMZGBgmMlQyjCLYQ4DA6ccAwtjIgPT4T2MKWiaGZmYONsOrDg1ywoAAAAAiwAAAHQFJrHcAWNmZORizGXJyC8uYUzkSM7PKy5JzCthYM/MK0lN' +
  'Ty1iK8hJzEstZioyZClJrShhLc/Iz0llFGBlYGRkYmZhYGRg4GXh1AXxWFkYGRl4FaE8NnYGRgY9A5aGBav//Uy62MYMUsLBwszIEAfTwAnSni2JUAIAAAAA' +
  'AAAAAIpQTFhTSEFSRA==';

const env = nodeEnv();
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-data-file-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function openOld(change: (bytes: Buffer) => void = () => {}): [DataFile, Catalogue] {
  const bytes = Buffer.from(VERSION_1, 'base64');
  change(bytes);
  fs.writeFileSync(`${directory}/1.data`, bytes);
  const catalogue = new Catalogue();
  const cache = new PageCache(1e6);
  return [DataFile.open(env, `${directory}/1.data`, 1, { catalogue, cache }), catalogue];
}

/** One for all columns, as a merge of files has it. */
const arena = new ColumnArena(64);

/** All columns with what they hold. */
function contentOf(file: DataFile, catalogue: Catalogue): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const column of file.columns()) {
    arena.reset();
    const data = file.read(column, catalogue, ALL_TIME, arena)!;
    const name = catalogue.fieldOf(column) + catalogue.replicaOf(column);
    found[name] = [
      [...data.timesMs],
      data.nanos === null ? null : [...data.nanos],
      data.texts ?? cellsOf(data),
    ];
  }
  return found;
}

function cellsOf({ kind, cells }: ColumnData): unknown {
  return kind === 'integer'
    ? [...new BigInt64Array(cells.buffer, cells.byteOffset, cells.length)]
    : [...cells];
}

const REGULAR = [-5, 10, 25, 40];
const IRREGULAR = [1_700_000_000_000, 1_700_000_010_003, 1_700_000_020_000, 1_700_000_050_001];
const CONTENT = {
  constant: [REGULAR, null, [2.5, 2.5, 2.5, 2.5]],
  integer: [REGULAR, [0, 999_999, 1, 77], [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n]],
  planesr1: [IRREGULAR, null, [0.1, -0, 1e300, 7]],
  text: [REGULAR, null, ['a', '', 'ü', 'd']],
  whole: [IRREGULAR, null, [1, 2, -3, 1e12]],
};

describe('a data file', () => {
  it('of version 1 is read', () => {
    const [file, catalogue] = openOld();
    expect([file.walThrough, file.replaces]).toEqual([3, [1]]);
    expect(contentOf(file, catalogue)).toEqual(CONTENT);
    file.release();
  });

  it('of a version that is not known is refused with what is', () => {
    for (const version of [0, 3]) {
      const open = (): unknown => openOld((bytes) => bytes.writeUInt8(version, 8));
      expect(open).toThrow(ShardCorruptionError);
      expect(open).toThrow(`version ${version}, this program reads 1 to 2`);
    }
  });

  it('written anew from an old one holds the same', async () => {
    const [old, catalogue] = openOld();
    const writer = new DataFileWriter(env, `${directory}/2.data`);
    for (const column of old.columns()) {
      writer.add(
        {
          measurement: 'm',
          tags: Labels.from({ host: 'a' }),
          field: catalogue.fieldOf(column),
          replica: catalogue.replicaOf(column),
        },
        old.read(column, catalogue, ALL_TIME)!,
      );
    }
    await writer.finish(0, []);
    old.release();
    const place = { catalogue: new Catalogue(), cache: new PageCache(1e6) };
    const file = DataFile.open(env, `${directory}/2.data`, 2, place);
    expect(contentOf(file, place.catalogue)).toEqual(CONTENT);
    file.release();
  });
});
