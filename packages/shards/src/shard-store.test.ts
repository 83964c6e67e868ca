import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Env, type File, type Files, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Labels, wordsOf } from '@pollux/model';
import { ALL_TIME, type FieldKind, type PointColumns, type WriteTarget } from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ShardStore, type ShardStoreOptions, ShardWriteError } from './index.ts';
import { StoreDirectory } from './testing/store-directory.ts';

/** Four columns of one series, as a program of version 1 wrote them. */
const OLD_SEGMENT =
  'UExYVwEAAAAAAACPmGrkGgEEAAFtAgRob3N0AWEEem9uZQLDvAFmAnIxAQFtAgRob3N0AWEEem9uZQLDvAFpAnIxAwFtAgRob3N0AWEEem9uZQLDvAFzAnIx' +
  'AgFtAgRob3N0AWEEem9uZQLDvAFiAnIxAQQAAgAAAAAAAAD4PwICv4Q9AAAAAAAAAIACAgAEdGV4dAICAAAAAAAAAPA/';

type Row = {
  readonly measurement: string;
  readonly tags?: Record<string, string>;
  readonly replica?: string;
  readonly field?: string;
  readonly ms: number;
  readonly nanos?: number;
  readonly value: number | bigint | boolean | string;
  /** Of the value when its JavaScript type does not tell. */
  readonly kind?: FieldKind;
};

const HOUR = 3_600_000;
const TARGET: WriteTarget = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: 24 * HOUR,
  oldestMs: null,
};

function kindOf(value: Row['value']): FieldKind {
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'string') return 'string';
  return typeof value === 'boolean' ? 'boolean' : 'float';
}

function batchOf(rows: readonly Row[]): PointColumns {
  const cells = new Float64Array(rows.length);
  const integers = new BigInt64Array(cells.buffer);
  const texts: string[] = [];
  for (const [i, { value }] of rows.entries()) {
    if (typeof value === 'bigint') integers[i] = value;
    else if (typeof value === 'string') cells[i] = texts.push(value) - 1;
    else cells[i] = Number(value);
  }
  return {
    count: rows.length,
    series: rows.map((row) => ({
      measurement: row.measurement,
      tags: Labels.from(row.tags ?? {}),
      replica: row.replica ?? '',
    })),
    fields: rows.map((row) => ({
      name: row.field ?? 'value',
      kind: row.kind ?? kindOf(row.value),
    })),
    seriesOf: Uint32Array.from(rows, (_, i) => i),
    fieldOf: Uint32Array.from(rows, (_, i) => i),
    timesMs: Float64Array.from(rows, (row) => row.ms),
    nanos: rows.some((row) => row.nanos) ? Int32Array.from(rows, (row) => row.nanos ?? 0) : null,
    cells,
    texts,
    pointOf: null,
  };
}

/** Everything in the retention policy as `measurement{tags} field replica @ms+nanos = value` lines. */
function dump(store: ShardStore, range = ALL_TIME): string[] {
  const view = store.view('db', 'rp', range);
  const lines: string[] = [];
  try {
    for (const measurement of view.measurements()) {
      for (const series of view.series(measurement)) {
        for (const { name, kind } of view.fieldsOf(series)) {
          for (const { replica, data } of view.read(series, name, kind)) {
            const integers = new BigInt64Array(
              data.cells.buffer,
              data.cells.byteOffset,
              data.count,
            );
            for (let i = 0; i < data.count; i++) {
              const cell = data.cells[i]!;
              const value =
                kind === 'integer'
                  ? `${integers[i]}i`
                  : kind === 'unsigned'
                    ? `${BigInt.asUintN(64, integers[i]!)}u`
                    : kind === 'string'
                      ? data.texts![cell]!
                      : cell;
              const head = `${measurement}${series.tags} ${name} ${replica}`;
              lines.push(`${head} @${data.timesMs[i]}+${data.nanos?.[i] ?? 0} = ${value}`);
            }
          }
        }
      }
    }
  } finally {
    view.release();
  }
  return lines;
}

describe('the shard store', () => {
  let directory = '';
  let stores: StoreDirectory;

  beforeEach(() => {
    stores = new StoreDirectory();
    directory = stores.path;
  });
  afterEach(() => stores.remove());

  function open(
    env: Env = nodeEnv(),
    options: Partial<ShardStoreOptions> = {},
  ): Promise<ShardStore> {
    return stores.open({ ...options, env });
  }

  it('gives back every type to the nanosecond, before and after a flush and a restart', async () => {
    const store = await open();
    const rows: Row[] = [
      { measurement: 'm', tags: { a: 'C:\\', b: 'x y,=' }, ms: 1, nanos: 999_999, value: 1.5 },
      { measurement: 'm', field: 'i', ms: 2, value: 9_223_372_036_854_775_807n },
      { measurement: 'm', field: 'i', ms: 3, value: -9_223_372_036_854_775_808n },
      { measurement: 'm', field: 'u', ms: 2, value: 18_446_744_073_709_551_615n, kind: 'unsigned' },
      { measurement: 'm', field: 'u', ms: 3, value: 0n, kind: 'unsigned' },
      { measurement: 'm', field: 'u', ms: 4, value: 9_223_372_036_854_775_808n, kind: 'unsigned' },
      // The first and the last nanosecond that an int64 counts.
      { measurement: 'first', ms: -9_223_372_036_855, nanos: 224_192, value: -1 },
      { measurement: 'last', ms: 9_223_372_036_854, nanos: 775_807, value: 1 },
      { measurement: 'm', field: 's', ms: 2, value: 'text "with" \n all' },
      { measurement: 'm', field: 'b', ms: 2, value: true },
      { measurement: 'old', ms: -9_000_000_000_000, value: -0 },
      { measurement: 'new', ms: 9_000_000_000_000, value: 5e-324 },
    ];
    await store.write(TARGET, batchOf(rows));
    const before = dump(store);
    expect(before).toHaveLength(rows.length);
    expect(before).toContain('m{} i  @2+0 = 9223372036854775807i');
    expect(before).toContain('m{} u  @2+0 = 18446744073709551615u');
    expect(before).toContain('m{} u  @4+0 = 9223372036854775808u');
    expect(before).toContain('first{} value  @-9223372036855+224192 = -1');
    expect(before).toContain('last{} value  @9223372036854+775807 = 1');
    expect(before).toContain('m{a="C:\\\\", b="x y,="} value  @1+999999 = 1.5');
    await store.flush();
    expect(dump(store)).toEqual(before);
    await store.close();
    expect(dump(await open())).toEqual(before);
  });

  it('keeps NaN payloads bit by bit through log, memtable and file', async () => {
    const store = await open();
    const batch = batchOf([{ measurement: 'm', ms: 5, value: 0 }]);
    const words = wordsOf(batch.cells);
    words[0] = 2;
    words[1] = 0x7ff00000;
    await store.write(TARGET, batch);
    const bits = (from: ShardStore): number[] => {
      const view = from.view('db', 'rp', ALL_TIME);
      const [column] = view.read(view.series('m')[0]!, 'value', 'float');
      view.release();
      return [...wordsOf(column!.data.cells.slice(0, 1))];
    };
    expect(bits(store)).toEqual([2, 0x7ff00000]);
    await store.close();
    const again = await open();
    expect(bits(again)).toEqual([2, 0x7ff00000]);
    await again.flush();
    expect(bits(again)).toEqual([2, 0x7ff00000]);
  });

  it('keeps what is written after a flush and a restart through the next restart', async () => {
    let lines: string[] = [];
    for (let life = 0; life < 4; life++) {
      const store = await open();
      expect(dump(store)).toEqual(lines);
      await store.write(TARGET, batchOf([{ measurement: 'm', ms: life, value: life }]));
      lines = dump(store);
      if (life % 2 === 0) await store.flush();
      await store.close();
    }
    expect(lines).toHaveLength(4);
    expect(dump(await open())).toEqual(lines);
  });

  it('overwrites a point field by field, to the nanosecond, in memtable, file and log alike', async () => {
    const store = await open();
    const at = { measurement: 'm', ms: 7, nanos: 1 };
    await store.write(
      TARGET,
      batchOf([
        { ...at, field: 'a', value: 1 },
        { ...at, field: 'b', value: 1n },
        { ...at, field: 'c', value: 'old' },
        { ...at, nanos: 2, field: 'a', value: 10 },
      ]),
    );
    await store.flush();
    await store.write(TARGET, batchOf([{ ...at, field: 'a', value: 2 }]));
    await store.flush();
    await store.write(TARGET, batchOf([{ ...at, field: 'c', value: 'new' }]));
    const expected = [
      'm{} a  @7+1 = 2',
      'm{} a  @7+2 = 10',
      'm{} b  @7+1 = 1i',
      'm{} c  @7+1 = new',
    ];
    expect(dump(store)).toEqual(expected);
    await store.close();
    expect(dump(await open())).toEqual(expected);
  });

  it('lets the last write of a field and time win, in any order of times, also across files', async () => {
    const random = new SeededRandom(7);
    const store = await open();
    const expected = new Map<number, number>();
    for (let round = 0; round < 12; round++) {
      const rows: Row[] = [];
      for (let i = 0; i < 50; i++) {
        const ms = random.below(200);
        const value = random.below(1000);
        expected.set(ms, value);
        rows.push({ measurement: 'm', ms, value });
      }
      await store.write(TARGET, batchOf(rows));
      if (round % 2 === 0) await store.flush();
    }
    const lines = [...expected]
      .sort(([a], [b]) => a - b)
      .map(([ms, value]) => `m{} value  @${ms}+0 = ${value}`);
    expect(dump(store)).toEqual(lines);
    await store.close();
    expect(dump(await open())).toEqual(lines);
  });

  it('has everything acknowledged after the process is killed, and cuts a torn record away', async () => {
    const store = await open();
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1 }]));
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 2, value: 2 }]));
    // No close: the files stay as a killed process leaves them, with half a record behind.
    const segment = findFile(directory, /\.wal$/);
    fs.appendFileSync(segment, Buffer.from([0, 0, 0, 50, 1, 2, 3, 4, 9, 9]));
    const again = await open();
    expect(dump(again)).toEqual(['m{} value  @1+0 = 1', 'm{} value  @2+0 = 2']);
    await again.write(TARGET, batchOf([{ measurement: 'm', ms: 3, value: 3 }]));
    expect(dump(await open())).toHaveLength(3);
  });

  it('reads a log segment of version 1 and writes the next one', async () => {
    const store = await open();
    await store.write(TARGET, batchOf([{ measurement: 'n', ms: 1, value: 1 }]));
    await store.close();
    const segment = findFile(directory, /\.wal$/);
    fs.writeFileSync(segment, Buffer.from(OLD_SEGMENT, 'base64'));
    const expected = [
      'm{host="a", zone="ü"} b r1 @4+0 = 1',
      'm{host="a", zone="ü"} f r1 @1+0 = 1.5',
      'm{host="a", zone="ü"} i r1 @2+999999 = -9223372036854775808i',
      'm{host="a", zone="ü"} s r1 @3+0 = text',
    ];
    const again = await open();
    expect(dump(again)).toEqual(expected);
    const tags = { host: 'a', zone: 'ü' };
    await again.write(
      TARGET,
      batchOf([{ measurement: 'm', tags, field: 'z', replica: 'r1', ms: 5, value: 5 }]),
    );
    expected.push('m{host="a", zone="ü"} z r1 @5+0 = 5');
    await again.close();
    expect(dump(await open())).toEqual(expected);
  });

  it('ends replay at a damaged record instead of inventing samples', async () => {
    const store = await open();
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1 }]));
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 2, value: 2 }]));
    const segment = findFile(directory, /\.wal$/);
    const bytes = fs.readFileSync(segment);
    bytes[bytes.length - 1]! ^= 0xff;
    fs.writeFileSync(segment, bytes);
    expect(dump(await open())).toEqual(['m{} value  @1+0 = 1']);
  });

  it('refuses a point whose field has another type and stores the rest', async () => {
    const store = await open();
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1n }]));
    const outcome = await store.write(
      TARGET,
      batchOf([
        { measurement: 'm', ms: 2, value: 2.5 },
        { measurement: 'm', ms: 3, value: 3n },
      ]),
    );
    expect(outcome.conflictPoints).toBe(1);
    expect(outcome.firstConflict).toEqual({
      measurement: 'm',
      field: 'value',
      given: 'float',
      existing: 'integer',
    });
    expect(dump(store)).toEqual(['m{} value  @1+0 = 1i', 'm{} value  @3+0 = 3i']);
    // Another week is another group with types of its own.
    const later = await store.write(
      TARGET,
      batchOf([{ measurement: 'm', ms: 40 * 24 * HOUR, value: 2.5 }]),
    );
    expect(later.conflictPoints).toBe(0);
  });

  it('leaves nothing visible when the disk is full, and goes on when there is room', async () => {
    const files = new FullDisk();
    const env = { ...nodeEnv(), files };
    const store = await open(env);
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1 }]));
    files.isFull = true;
    const refused = batchOf([{ measurement: 'm', field: 'f', ms: 2, value: 2 }]);
    await expect(store.write(TARGET, refused)).rejects.toThrow(ShardWriteError);
    expect(dump(store)).toEqual(['m{} value  @1+0 = 1']);
    files.isFull = false;
    // The refused write fixed no type.
    await store.write(TARGET, batchOf([{ measurement: 'm', field: 'f', ms: 2, value: 'text' }]));
    const expected = ['m{} f  @2+0 = text', 'm{} value  @1+0 = 1'];
    expect(dump(store).sort()).toEqual(expected);
    expect(dump(await open()).sort()).toEqual(expected);
  });

  it('deletes rows of matching series and only those, and keeps them deleted', async () => {
    const store = await open();
    const rows = (host: string): Row[] =>
      [1, 2, 3].map((ms) => ({ measurement: 'm', tags: { host }, ms, value: ms }));
    await store.write(TARGET, batchOf([...rows('a'), ...rows('b')]));
    await store.flush();
    await store.write(
      TARGET,
      batchOf([{ measurement: 'm', tags: { host: 'a' }, ms: 2, value: 20 }]),
    );
    await store.deleteRows('db', (_m, tags) => tags.get('host') === 'a', {
      ...ALL_TIME,
      minMs: 2,
      maxMs: 2,
    });
    const left = ['1', '3'].map((ms) => `m{host="a"} value  @${ms}+0 = ${ms}`);
    expect(dump(store).filter((line) => line.includes('"a"'))).toEqual(left);
    await store.deleteRows('db', (_m, tags) => tags.get('host') === 'a', ALL_TIME);
    expect(dump(store)).toHaveLength(3);
    expect(dump(await open())).toHaveLength(3);
    await store.deleteRows('db', () => true, ALL_TIME);
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 'now a string' }]));
    expect(dump(store)).toEqual(['m{} value  @1+0 = now a string']);
  });

  it('unlinks expired groups whole, begins weeks on Monday and never reuses an id', async () => {
    const store = await open();
    const week = { ...TARGET, groupDurationMs: 168 * HOUR };
    const thursday = Date.UTC(2024, 1, 1);
    await store.write(week, batchOf([{ measurement: 'm', ms: thursday, value: 1 }]));
    await store.write(week, batchOf([{ measurement: 'm', ms: thursday + 168 * HOUR, value: 2 }]));
    const [first, second] = store.groups();
    expect(new Date(first!.startMs).toISOString()).toBe('2024-01-29T00:00:00.000Z');
    expect(await store.expire('db', 'rp', first!.endMs)).toBe(1);
    expect(store.groups()).toEqual([second]);
    expect(dump(store)).toHaveLength(1);
    await store.dropDatabase('db');
    await store.close();
    const again = await open();
    await again.write(week, batchOf([{ measurement: 'm', ms: thursday, value: 1 }]));
    expect(again.groups()[0]!.id).toBe(second!.id + 1);
  });

  it('keeps both replicas apart and knows the newest sample of each', async () => {
    const store = await open();
    await store.write(
      TARGET,
      batchOf([
        { measurement: 'm', replica: 'A', ms: 1000, value: 1 },
        { measurement: 'm', replica: 'B', ms: 1000, value: 2 },
        { measurement: 'm', replica: 'B', ms: 2000, value: 3 },
      ]),
    );
    expect(dump(store)).toEqual([
      'm{} value A @1000+0 = 1',
      'm{} value B @1000+0 = 2',
      'm{} value B @2000+0 = 3',
    ]);
    expect(store.watermarks().map(({ replica, newestMs }) => [replica, newestMs])).toEqual([
      ['A', 1000],
      ['B', 2000],
    ]);
  });

  it('shows a reader one moment while flushes and merges replace the files under it', async () => {
    const store = await open();
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1 }]));
    const view = store.view('db', 'rp', ALL_TIME);
    for (let ms = 2; ms < 10; ms++) {
      await store.flush();
      await store.write(TARGET, batchOf([{ measurement: 'm', ms, value: ms }]));
    }
    await store.flush();
    const [column] = view.read(view.series('m')[0]!, 'value', 'float');
    view.release();
    expect(column!.data.timesMs[0]).toBe(1);
    expect(dump(store)).toHaveLength(9);
    expect(listFiles(directory, /\.data$/).length).toBeLessThan(5);
  });

  it('closes what nobody uses, opens it again without holding the thread, and keeps its watermark', async () => {
    const clock = new VirtualClock();
    const store = await open({ ...nodeEnv(), clock });
    store.start();
    const old = { measurement: 'm', replica: 'A', ms: 1, value: 1 };
    await store.write(TARGET, batchOf([old]));
    await store.write(TARGET, batchOf([{ ...old, replica: 'B', ms: 48 * HOUR }]));
    await store.flush();
    const bytes = store.diskBytes();
    const held = store.view('db', 'rp', ALL_TIME);
    await clock.advance(20 * 60_000);
    expect(store.diskBytes()).toBe(bytes);
    held.release();
    for (let i = 0; i < 200 && store.diskBytes() === bytes; i++) {
      await clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The newest group stays open.
    expect(store.diskBytes()).toBeLessThan(bytes);
    expect(store.diskBytes()).toBeGreaterThan(0);
    expect(store.watermarks().map(({ replica }) => replica)).toEqual(['A', 'B']);
    await Promise.all([store.prepare('db', 'rp', ALL_TIME), store.prepare('db', 'rp', ALL_TIME)]);
    expect(store.diskBytes()).toBe(bytes);
    expect(dump(store)).toEqual(['m{} value A @1+0 = 1', 'm{} value B @172800000+0 = 1']);
    await store.write(TARGET, batchOf([{ ...old, value: 2 }]));
    expect(dump(store)[0]).toBe('m{} value A @1+0 = 2');
  });

  it('stores batches of many pieces whole, also where the pieces end inside a point', async () => {
    const store = await open();
    const rows: Row[] = [];
    for (let i = 0; i < 6_001; i++) {
      rows.push({ measurement: 'm', field: `f${i % 3}`, ms: Math.floor(i / 3), value: i });
    }
    const batch = { ...batchOf(rows), pointOf: Uint32Array.from(rows, (row) => row.ms) };
    await store.write(
      TARGET,
      batchOf([{ measurement: 'm', field: 'f2', ms: 9_999, value: 'text' }]),
    );
    const outcome = await store.write(TARGET, batch);
    expect(outcome.conflictPoints).toBe(2_000);
    // Only the last point has no third field.
    const expected = ['m{} f0  @2000+0 = 6000', 'm{} f2  @9999+0 = text'];
    expect(dump(store)).toEqual(expected);
    await store.close();
    expect(dump(await open())).toEqual(expected);
  });

  it('tells what its index and its cache hold', async () => {
    const registry = new Registry();
    const store = await open(nodeEnv(), { registry });
    const rows: Row[] = Array.from({ length: 3 }, (_, i) => ({
      measurement: 'm',
      tags: { host: `h${i}` },
      ms: i,
      value: i,
    }));
    await store.write(TARGET, batchOf(rows));
    await store.flush();
    expect(dump(store)).toEqual(dump(store));
    const families = registry.gather();
    const sampleOf = (name: string, label = ''): number => {
      const family = families.find((one) => one.name === name);
      return family!.samples.find(({ labels }) => (labels[1] ?? '') === label)!.value;
    };
    expect(sampleOf('pollux_store_index_series')).toBe(3);
    expect(sampleOf('pollux_store_index_bytes')).toBeGreaterThan(0);
    expect(sampleOf('pollux_store_page_cache_bytes')).toBeGreaterThan(0);
    expect(sampleOf('pollux_store_page_cache_lookups_total', 'miss')).toBe(1);
    expect(sampleOf('pollux_store_page_cache_lookups_total', 'hit')).toBe(5);
  });

  it('commits waiting batches together and refuses to run over its memory', async () => {
    const store = await open(nodeEnv(), { memtableBytes: 16_384 });
    const writes = Array.from({ length: 200 }, (_, i) =>
      store.write(TARGET, batchOf([{ measurement: `m${i}`, ms: i, value: i }])),
    );
    await Promise.all(writes);
    expect(dump(store)).toHaveLength(200);
  });

  it('flushes a small memtable after a minute, so that little memory waits for a full one', async () => {
    const clock = new VirtualClock();
    const opening = open({ ...nodeEnv(), clock });
    const store = await opening;
    store.start();
    await store.write(TARGET, batchOf([{ measurement: 'm', ms: 1, value: 1 }]));
    expect(listFiles(directory, /\.data$/)).toHaveLength(0);
    await clock.advance(65_000);
    await expect.poll(() => listFiles(directory, /\.data$/)).toHaveLength(1);
    await expect.poll(() => listFiles(directory, /\.wal$/)).toHaveLength(0);
  });
});

function listFiles(directory: string, pattern: RegExp): string[] {
  const names = fs.readdirSync(directory, { recursive: true }) as string[];
  return names.filter((name) => pattern.test(name)).map((name) => path.join(directory, name));
}

function findFile(directory: string, pattern: RegExp): string {
  const [first] = listFiles(directory, pattern);
  if (first === undefined) throw new Error(`no file like ${pattern}`);
  return first;
}

/** A disk that can be full: writes fail after half of their bytes. */
class FullDisk extends NodeFiles implements Files {
  isFull = false;

  override open(filePath: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(filePath, mode);
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) => {
      if (!this.isFull) return write(source, offset, length, position);
      write(source, offset, Math.floor(length / 2), position);
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    return file;
  }
}
