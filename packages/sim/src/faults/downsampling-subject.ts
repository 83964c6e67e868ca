import { assert } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SampleNeed, type SeriesColumns } from '@pollux/storage';
import type { Tsdb, TsdbOptions } from '@pollux/tsdb';
import type { FaultSubject, Step } from './fault-run.ts';
import type { Contents, SampleAt } from './sample-ledger.ts';
import {
  BLOCK_MS,
  contentsOf,
  deleteRange,
  openTsdb,
  RELOAD_MS,
  step,
  T0,
  write,
} from './tsdb-subject.ts';

/** No series has two samples in a bucket of this length, so that buckets tell the samples themselves. */
const FINE_MS = 500;
const COARSE_MS = 4_000;
const RETENTION_MS = 2 * BLOCK_MS;
const RANGE = { minMs: T0 - BLOCK_MS + 1, maxMs: T0 + 20 * BLOCK_MS };
const EVERY = [new Matcher('__name__', '=~', '.+')];
/** Kept for ever, as samples. */
const KEPT = 4;

/**
 * A database that down-samples in two resolutions, under a script that outlives its retention time: what was acknowledged
 * must be there for ever, as a sample or as a bucket. Slices are made, made anew when late samples and deletions come, marked
 * when blocks and when single series are dropped, and written without what was deleted from them.
 */
export function downsamplingSubject(options: Partial<TsdbOptions> = {}): FaultSubject<Tsdb> {
  const rule = { afterMs: 0, retentionMs: 0 };
  return {
    name: `tsdb with down-sampling${options.outOfOrderWindowMs ? ' and out-of-order samples' : ''}`,
    open: (world) =>
      openTsdb(world, '/data', {
        fsync: 'always',
        snapshotIntervalMs: 0,
        maxBlockDurationMs: BLOCK_MS,
        retentionMs: RETENTION_MS,
        retentionRules: [
          { matchers: [new Matcher('i', '=', String(KEPT))], keepMs: 1_000 * BLOCK_MS },
        ],
        bucketsPerSlice: 48,
        downsampling: [
          { resolutionMs: FINE_MS, ...rule },
          { resolutionMs: COARSE_MS, ...rule },
        ],
        ...options,
      }),
    close: (db) => db.close(),
    recover: async (db, world) => {
      await world.clock.advance(RELOAD_MS);
      await db.tick();
    },
    read: bucketContents,
    script: script(),
  };
}

function script(): Step<Tsdb>[] {
  const few = [0, 1, 2, KEPT];
  const append = (fromMs: number, toMs: number): Step<Tsdb> =>
    step(`append ${fromMs}..${toMs}`, async (db, world) => {
      for (let atMs = fromMs; atMs < toMs; atMs += 4_000) {
        await write(db, world, { atMs, series: few }, true);
      }
    });
  /** Refused without an out-of-order window. */
  const late = (atMs: number): Step<Tsdb> =>
    step(`append ${atMs} late`, (db, world) =>
      write(db, world, { atMs: atMs + 1_500, series: few }, true),
    );
  const remove = (index: number, fromMs: number, toMs: number): Step<Tsdb> =>
    step('delete', (db, world) =>
      deleteRange(db, world, true, { index, fromMs, toMs, besideMs: FINE_MS }),
    );
  const tick = step('tick', (db) => db.tick());
  /** Long enough without deletions for what was deleted to leave the files. */
  const quiet = step('reclaim', async (db, world) => {
    await world.clock.advance(6 * 60_000);
    await db.tick();
  });
  const query = step('query', async (db, { ledger }) => {
    const problems = ledger.check(await bucketContents(db));
    if (problems.length > 0) throw new Error(`a wrong answer: ${problems.join('; ')}`);
  });
  return [
    append(0, 36_000),
    tick,
    append(36_000, 56_000),
    late(41_000),
    tick,
    remove(1, 9_000, 13_100),
    append(56_000, 84_000),
    tick,
    query,
    append(84_000, 112_000),
    tick,
    remove(0, 20_000, 30_100),
    { name: 'restart', run: 'restart' },
    query,
    quiet,
    append(112_000, 136_000),
    tick,
    query,
  ];
}

/** What the buckets tell, and between them the samples. Throws when the samples that are left tell otherwise. */
async function bucketContents(db: Tsdb): Promise<Contents> {
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const need: SampleNeed = {
    kind: 'windows',
    func: 'delta',
    firstEndMs: RANGE.minMs + FINE_MS - 1,
    lastEndMs: RANGE.maxMs,
    stepMs: FINE_MS,
    rangeMs: FINE_MS,
  };
  const request = { range: RANGE, matchers: EVERY, hints: NO_HINTS, sorted: true, need };
  const source = db.select(request, context);
  const series = new Map<string, SampleAt[]>();
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const columns of batch) series.set(columns.labels.toString(), samplesOf(columns));
  }
  const isPartial = source.warnings.length > 0;
  const samples = await contentsOf(db);
  for (const [key, list] of samples.series) {
    const told = new Map(series.get(key)?.map(({ timeMs, value }) => [timeMs, value]));
    for (const { timeMs, value } of list) {
      if (isPartial || told.get(timeMs) === value) continue;
      throw new Error(`${key} has ${timeMs}=${value}, and its buckets say ${told.get(timeMs)}`);
    }
  }
  return { series, isPartial: isPartial || samples.isPartial };
}

function samplesOf({ count, timestampsMs, values, buckets }: SeriesColumns): SampleAt[] {
  const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
  return Array.from({ length: count }, (_, i) => {
    const timeMs = timestampsMs[i]!;
    if (buckets !== undefined) {
      const isOne = buckets.counts[i] === 1 && buckets.firstTimesMs[i] === timeMs;
      assert(isOne && buckets.firstValues[i] === values[i], 'a bucket tells one sample');
    }
    return { timeMs, value: bits[i]!.toString(16) };
  });
}
