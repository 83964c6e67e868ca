import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { atOnce, ByteCache, SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import { ALL_TIME, type ColumnData } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Catalogue, type ColumnRef } from '../catalogue.ts';
import { ColumnArena } from '../column-space.ts';
import { ShardCorruptionError } from '../errors.ts';
import { DataFile } from './data-file.ts';
import { DataFileWriter } from './data-file-writer.ts';

/** A file that a program of version 1 wrote: a column of each of its codings, four rows each. */
const VERSION_1 =
  'UExYU0hBUkQBAAAAAAAAAAAAAIQAAABtq1tMtwFj4JRjYGIAAxYHBk45Rob9LbaMvsz//kMBIxOM9Z+RkbFhwep/P5OWzWHkPrGDiYHBvqHOYSeDucxMhicM' +
  'MxlsGGYydDDMZGBgmMlQyjCLYQ4DA6ccAwtjIgPT4T2MKWiaGZmYONsOrDg1ywoAAAAAiwAAAHQFJrHcAWNmZORizGXJyC8uYUzkSM7PKy5JzCthYM/MK0lN' +
  'Ty1iK8hJzEstZioyZClJrShhLc/Iz0llFGBlYGRkYmZhYGRg4GXh1AXxWFkYGRl4FaE8NnYGRgY9A5aGBav//Uy62MYMUsLBwszIEAfTwAnSni2JUAIAAAAA' +
  'AAAAAIpQTFhTSEFSRA==';

/** The same columns as a program of version 2 wrote them. */
const VERSION_2 =
  'UExYU0hBUkQCAAAAAAAAAAAAAL8AAACHe6JXegFjYuSUY2BlgAAWByZGTjkmAQYRBgYGeyd+RgYGXwYGViYGgf/////nVwCRUKUNQHY9Ep8BxGYSbViw+t/P' +
  'pFlzGNl4GBkYGNh4GRgYWBsZRZhcQVxGJhAJAg0Mc0oZOmyemNeBbGRgYUxkYDq8hzEFhwmMDAKsGiwgsyDaGZgFll5hYGB4AQAAAACNAAAAdxvvX7UBY2Zk' +
  '5GLMZcnILy5hTORIzs8rLknMK2Fgz8wrSU1PLWIryEnMSy1mKjJkKUmtKGEtz8jPSWUUYGVgZGRiZmFgZGDgZ+HUBfFYWRgZGfjtoDw2dgZGBl8TloYFq//9' +
  'TLrYxgxSwsHCzMjQyMgHVcMJ0t/PaIBQBAAAAAAAAAAApFBMWFNIQVJE';

const env = nodeEnv();
const HASH_KEY = createHashKey(new SeededRandom(7));
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-data-file-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function openOld(
  change: (bytes: Buffer) => void = () => {},
  content = VERSION_1,
): [DataFile, Catalogue] {
  const bytes = Buffer.from(content, 'base64');
  change(bytes);
  fs.writeFileSync(`${directory}/1.data`, bytes);
  const catalogue = new Catalogue(HASH_KEY);
  return [openAt('1.data', catalogue), catalogue];
}

function openAt(name: string, catalogue: Catalogue, baseMs = 1_700_000_000_000): DataFile {
  const place = { catalogue, cache: new ByteCache(1e6), baseMs };
  return atOnce(DataFile.open(env, `${directory}/${name}`, 1, place)).file;
}

function columnsOf({ index }: DataFile): ColumnRef[] {
  return Array.from({ length: index.columnCount }, (_, at) => index.columnAt(at));
}

/** One for all columns, as a merge of files has it. */
const arena = new ColumnArena(64);

/** All columns with what they hold. */
function contentOf(file: DataFile, catalogue: Catalogue): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const column of columnsOf(file)) {
    arena.reset();
    const data = file.read(column, catalogue, ALL_TIME, { space: arena })!;
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
  it.each([
    ['1', VERSION_1],
    ['2', VERSION_2],
  ])('of version %s is read', (_version, content) => {
    const [file, catalogue] = openOld(() => {}, content);
    expect([file.walThrough, file.replaces]).toEqual([3, [1]]);
    expect(contentOf(file, catalogue)).toEqual(CONTENT);
    file.release();
  });

  it('of a version that is not known is refused with what is', () => {
    for (const version of [0, 4]) {
      const open = (): unknown => openOld((bytes) => bytes.writeUInt8(version, 8));
      expect(open).toThrow(ShardCorruptionError);
      expect(open).toThrow(`version ${version}, this program reads 1 to 3`);
    }
  });

  it('written anew from an old one holds the same', async () => {
    const [old, catalogue] = openOld();
    const writer = new DataFileWriter(env, `${directory}/2.data`, { catalogue, baseMs: 0 });
    for (const column of columnsOf(old))
      atOnce(writer.add(column, old.read(column, catalogue, ALL_TIME)!));
    const index = await writer.finish(0, []);
    old.release();
    const cache = new ByteCache(1e6);
    const adopted = DataFile.adopt(env, `${directory}/2.data`, 2, { index, cache });
    expect(contentOf(adopted, catalogue)).toEqual(CONTENT);
    adopted.release();
    const fresh = new Catalogue(HASH_KEY);
    const file = openAt('2.data', fresh);
    expect(contentOf(file, fresh)).toEqual(CONTENT);
    file.release();
  });

  it('with an index of many blocks tells every column and only chunks of a range', async () => {
    const catalogue = new Catalogue(HASH_KEY);
    const writer = new DataFileWriter(env, `${directory}/3.data`, { catalogue, baseMs: 0 });
    const columnClass = catalogue.columnClass(catalogue.names.symbol('f'), 'float', 0);
    const columnAt = (i: number): ColumnRef =>
      catalogue.column(catalogue.series('m', Labels.from({ host: `host-${i}` })), columnClass);
    const data = (i: number): ColumnData => ({
      kind: 'float',
      count: 2,
      timesMs: Float64Array.of(-9e12 + i, 1e12 + i * 10),
      nanos: null,
      cells: Float64Array.of(i, 0 - i),
      texts: null,
    });
    const count = 5_000;
    for (let i = 0; i < count; i++) atOnce(writer.add(columnAt(i), data(i)));
    await writer.finish(7, [1, 2]);
    const file = openAt('3.data', catalogue, 0);
    expect([file.walThrough, file.replaces, file.index.columnCount]).toEqual([7, [1, 2], count]);
    for (let i = 0; i < count; i += 7) {
      const read = file.read(columnAt(i), catalogue, ALL_TIME)!;
      expect([...read.timesMs]).toEqual([...data(i).timesMs]);
      expect([...read.cells]).toEqual([i, 0 - i]);
    }
    expect(file.read(columnAt(3), catalogue, { ...ALL_TIME, minMs: 1e12 + 2_000 })).toBe(null);
    file.release();
  });

  it('read for a rewrite keeps its pages where it is told, and nowhere else', () => {
    const [old, catalogue] = openOld();
    old.release();
    const shared = new ByteCache(1e6);
    const place = { catalogue, cache: shared, baseMs: 0 };
    const { file } = atOnce(DataFile.open(env, `${directory}/1.data`, 1, place));
    const own = new ByteCache(1e6);
    const pages = { cache: own, file: own.addFile() };
    for (const column of columnsOf(file)) file.read(column, catalogue, ALL_TIME, { pages });
    expect([own.misses, own.hits]).toEqual([1, columnsOf(file).length - 1]);
    expect(own.bytes).toBeGreaterThan(0);
    expect([shared.misses, shared.bytes]).toEqual([0, 0]);
    file.release();
  });

  it('keeps a block that deflate cannot make smaller as it is', async () => {
    const catalogue = new Catalogue(HASH_KEY);
    const writer = new DataFileWriter(env, `${directory}/4.data`, { catalogue, baseMs: 0 });
    const columnClass = catalogue.columnClass(catalogue.names.symbol('f'), 'integer', 0);
    const column = catalogue.column(catalogue.series('m', Labels.EMPTY), columnClass);
    const random = new SeededRandom(3);
    const count = 20_000;
    const words = Uint32Array.from({ length: count * 2 }, () => random.below(2 ** 32));
    const data: ColumnData = {
      kind: 'integer',
      count,
      timesMs: Float64Array.from({ length: count }, (_, i) => i * 1000),
      nanos: null,
      cells: new Float64Array(words.buffer),
      texts: null,
    };
    atOnce(writer.add(column, data));
    await writer.finish(0, []);
    const size = fs.statSync(`${directory}/4.data`).size;
    expect(size).toBeGreaterThan(words.byteLength);
    expect(size).toBeLessThan(words.byteLength * 1.01);
    const file = openAt('4.data', catalogue, 0);
    const read = file.read(column, catalogue, ALL_TIME)!;
    expect(new Uint32Array(read.cells.buffer, read.cells.byteOffset, count * 2)).toEqual(words);
    file.release();
  });
});
