import * as fs from 'node:fs';
import * as path from 'node:path';
import {
  InlineWorkers,
  SeededRandom,
  type WorkerEntry,
  type WorkerHandle,
  type WorkerOptions,
  type Workers,
  type WorkerWorld,
} from '@pollux/base';
import { NodeFiles, NodeWorkers, nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Tsdb } from '../db.ts';
import {
  createSampleColumns,
  encodeSamples,
  encodeTombstones,
  RECORD,
  recordBytes,
} from '../format/wal-record.ts';
import {
  answerLines,
  openTsdb,
  query,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { MortalWorkers } from '../testing/mortal-workers.ts';
import { PAGE_BYTES } from '../wal/segment.ts';
import { SegmentWriter } from '../wal/segment-writer.ts';

const HERE = { replayWorkerMinBytes: Number.POSITIVE_INFINITY };
const BY_WORKER = { replayWorkerMinBytes: 0 };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Pair = readonly [name: string, value: string];

/** A record of series with labels as they stand here, which no encoder of ours would write so. */
function seriesRecord(
  ...series: readonly (readonly [ref: number, ...pairs: Pair[]])[]
): Uint8Array {
  return recordBytes((target) => {
    target.u8(RECORD.series);
    for (const [ref, ...pairs] of series) {
      target.i64(ref);
      target.uvarint(pairs.length);
      for (const text of pairs.flat()) target.uvarintText(text);
    }
  });
}

function samplesRecord(refs: readonly number[], timestampMs: number): Uint8Array {
  const columns = createSampleColumns(refs.length);
  columns.refs.set(refs);
  columns.timestampsMs.fill(timestampMs);
  for (const [i, ref] of refs.entries()) columns.valueWords[i * 2] = ref * 7919 + timestampMs;
  columns.count = refs.length;
  return recordBytes((target) => encodeSamples(target, columns, 0, refs.length));
}

/** Records of every kind and size, sound and not, more of them than slots hold. */
function records(): Uint8Array[] {
  const random = new SeededRandom(11);
  const all: Uint8Array[] = [];
  const known: number[] = [];
  let ref = 1;
  const label = (): Pair => ['v', `${'é'.repeat(random.below(3))}${random.below(40)}`];
  for (let round = 0; round < 12; round++) {
    const fresh = Array.from({ length: 900 }, () => {
      known.push(ref);
      return [ref, ['__name__', 'm'], ['i', String(ref++)], label()] as const;
    });
    all.push(seriesRecord(...fresh));
    all.push(samplesRecord(known, T0 + round * 1000));
  }
  // Out of order, without value, twice the same, none, and longer than a slot has room for.
  all.push(
    seriesRecord(
      [ref, ['z', '1'], ['a', '2']],
      [ref + 1, ['a', '3'], ['b', '']],
      [ref + 2, ['a', '4'], ['a', '5']],
      [ref + 3, ['a', 'x'.repeat(20_000)], ['b', 'y'.repeat(100)]],
      [ref + 4, ['a', 'x'.repeat(300_000)]],
      [ref + 5, ['a', 'last']],
    ),
  );
  const odd = [0, 1, 2, 3, 4, 5].map((i) => ref + i);
  all.push(samplesRecord(odd, T0 + 20_000));
  // Many samples, and one that is too late; samples of a series that is named only later, and of one that never is.
  all.push(samplesRecord([...known, ...known.slice(0, 9_000)], T0 + 30_000));
  all.push(samplesRecord([ref + 50, ref + 60], T0 + 31_000));
  all.push(seriesRecord([ref + 50, ['a', 'orphan']]));
  // The series of a reference may change, and a series may have a second one.
  all.push(
    seriesRecord([5, ['a', 'second life']], [ref + 70, ['__name__', 'm'], ['i', '7'], label()]),
  );
  all.push(samplesRecord([5, 6, ref + 70], T0 + 32_000));
  all.push(
    recordBytes((target) => encodeTombstones(target, [{ ref: 9, minMs: T0, maxMs: T0 + 5_000 }])),
  );
  all.push(Uint8Array.of(200, 1, 2, 3));
  // Cut off in the middle: what stands before counts for series, and nothing for samples.
  all.push(seriesRecord([ref + 80, ['a', 'kept']], [ref + 81, ['a', 'lost']]).subarray(0, -3));
  all.push(samplesRecord([1, 2, 3], T0 + 33_000).subarray(0, -1));
  all.push(samplesRecord([1, 2, ref + 80], T0 + 34_000));
  return all;
}

function writeLog(wal: string, compression: 'none' | 'snappy'): void {
  fs.mkdirSync(wal, { recursive: true });
  const options = { files: new NodeFiles(), directory: wal, segmentBytes: 16 * PAGE_BYTES };
  const writer = new SegmentWriter({ ...options, compression }, 0);
  for (const record of records()) writer.write([record]);
  writer.close();
}

type Outcome = {
  readonly seriesCount: number;
  /** Of all samples; comparing them one by one takes seconds. */
  readonly samples: string;
  readonly lines: readonly string[];
  readonly lost: ReturnType<Tsdb['lostTimes']>;
  readonly stats: ReturnType<Tsdb['headStats']>;
};

/** Opens a copy, and tells all that a start tells. */
async function outcomeOf(
  options: typeof HERE,
  workers?: (world: WorkerWorld) => Workers,
): Promise<Outcome> {
  const copy = `${directory}-copy`;
  removeDirectory(copy);
  fs.cpSync(directory, copy, { recursive: true });
  const lines: string[] = [];
  const db = await openTsdb(copy, { options, lines, ...(workers && { workers }) });
  try {
    const answer = await query(db, []);
    const samples = answerLines(answer).join('\n');
    const seriesCount = answer.size;
    // Of a record of series that breaks off a worker hands on the rest, whose bytes are counted anew.
    const told = lines.map((line) => line.replace(/at byte \d+"/, 'at byte N"'));
    return { seriesCount, samples, lines: told, lost: db.lostTimes(), stats: db.headStats() };
  } finally {
    await db.close();
    removeDirectory(copy);
  }
}

/** Threads whose ends are known. */
class WatchedWorkers extends NodeWorkers {
  readonly ends: Promise<void>[] = [];

  override start<Data, In, Out>(
    entry: WorkerEntry<Data, In, Out>,
    options: WorkerOptions<Data, Out>,
  ): WorkerHandle<In> {
    const worker = super.start(entry, options);
    this.ends.push(worker.ended);
    return worker;
  }
}

describe.each([
  ['in-line', (world: WorkerWorld): Workers => new InlineWorkers(world)],
  ['in a thread', (): Workers => new NodeWorkers()],
] as const)('a log that a worker reads %s', (_, workers) => {
  it.each(['none', 'snappy'] as const)(
    'gives what it gives without, its faults included (compression %s)',
    async (compression) => {
      writeLog(path.join(directory, 'wal'), compression);
      const expected = await outcomeOf(HERE);
      expect(expected.seriesCount).toBeGreaterThan(10_800);
      expect(expected.lines.filter((line) => line.includes('cannot be decoded'))).toHaveLength(2);
      expect(await outcomeOf(BY_WORKER, workers)).toEqual(expected);
    },
  );

  it('gives what it gives without when pages of it are damaged and its end is torn', async () => {
    const wal = path.join(directory, 'wal');
    writeLog(wal, 'snappy');
    const names = fs.readdirSync(wal).sort();
    const first = path.join(wal, names[0]!);
    const bytes = fs.readFileSync(first);
    bytes.fill(0x5a, PAGE_BYTES + 100, PAGE_BYTES + 140);
    bytes.fill(0, 3 * PAGE_BYTES, 4 * PAGE_BYTES);
    fs.writeFileSync(first, bytes);
    const last = path.join(wal, names.at(-1)!);
    const end = fs.readFileSync(last).findLastIndex((byte) => byte !== 0);
    fs.truncateSync(last, end - 3);
    const expected = await outcomeOf(HERE);
    expect(expected.lines.filter((line) => line.includes('passed over')).length).toBeGreaterThan(1);
    expect(expected.lines.some((line) => line.includes('is cut off'))).toBe(true);
    expect(expected.lost.length).toBeGreaterThan(0);
    expect(await outcomeOf(BY_WORKER, workers)).toEqual(expected);
  });

  it('fails to start with an error that names a reference that is too large', async () => {
    const wal = path.join(directory, 'wal');
    fs.mkdirSync(wal, { recursive: true });
    const options = { files: new NodeFiles(), directory: wal, segmentBytes: 16 * PAGE_BYTES };
    const writer = new SegmentWriter({ ...options, compression: 'none' }, 0);
    writer.write([seriesRecord([1, ['a', '1']], [2 ** 33, ['a', '2']])]);
    writer.close();
    await expect(outcomeOf(BY_WORKER, workers)).rejects.toMatchObject({
      code: 'TSDB.NOT_SUPPORTED',
      message: expect.stringContaining(String(2 ** 33)),
    });
  });
});

describe('a worker that has begun before the replay', () => {
  it('reads for it, and ends with a database that is closed before', async () => {
    writeLog(path.join(directory, 'wal'), 'snappy');
    const { seriesCount } = await outcomeOf(HERE);
    for (const isReplayed of [true, false]) {
      const copy = `${directory}-copy`;
      fs.cpSync(directory, copy, { recursive: true });
      const workers = new WatchedWorkers();
      const db = await Tsdb.begin({
        directory: copy,
        env: { ...nodeEnv(), workers },
        log: Log.silent(),
        registry: new Registry(),
        options: { ...BY_WORKER, retentionMs: 0 },
      });
      expect(workers.ends).toHaveLength(1);
      if (isReplayed) {
        await db.recovered();
        expect((await query(db, [])).size).toBe(seriesCount);
      }
      await db.close();
      expect(workers.ends).toHaveLength(1);
      const error = await workers.ends[0]!.catch((reason: unknown) => reason);
      if (isReplayed) expect(error).toBeUndefined();
      else expect(error).toMatchObject({ code: 'BASE.CANCELED' });
      removeDirectory(copy);
    }
  });
});

describe('a worker that dies while it reads a log', () => {
  it.each([1, 2, 3, 5])('costs nothing but time, after %i slots', async (words) => {
    writeLog(path.join(directory, 'wal'), 'snappy');
    const { lines: _, ...expected } = await outcomeOf(HERE);
    const { lines, ...found } = await outcomeOf(
      BY_WORKER,
      (world) => new MortalWorkers(new InlineWorkers(world), words),
    );
    expect(found).toEqual(expected);
    expect(
      lines.filter((line) => line.includes('the worker that reads the log was lost')),
    ).toHaveLength(1);
  });
});
