import { Labels, Matcher } from '@pollux/model';
import { APPEND_OUTCOME, MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { type FsyncMode, Tsdb, type TsdbOptions } from '@pollux/tsdb';
import type { FaultSubject, Step } from './fault-run.ts';
import type { FaultWorld } from './fault-world.ts';
import type { Contents, Offer, SampleAt, SampleLedger } from './sample-ledger.ts';

export const BLOCK_MS = 20_000;
const MAX_BLOCK_MS = 60_000;
const RETENTION_MS = 120_000;
/** A chunk of late samples takes 32. */
const FULL_LATE_SAMPLES = 40;
const SYNC_INTERVAL_MS = 1_000;
/** Longer than the database waits between two looks at its directory. */
export const RELOAD_MS = 61_000;
const EVERY = [new Matcher('__name__', '=~', '.+')];
const ALL_TIME = { minMs: -(2 ** 50), maxMs: 2 ** 50 };
/** The first sample: a multiple of the block duration. */
export const T0 = 1_700_006_400_000;

type Batch = {
  readonly atMs: number;
  readonly series: readonly number[];
  readonly padding?: number;
};

/**
 * The server's database under a script that appends, deletes, cuts blocks and the log, writes checkpoints, head chunks and
 * snapshots, compacts, reloads, restarts and outlives its retention time. Small sizes make each of these happen within some hundred operations of the disk.
 * `promised` is what it is held to, when that is another mode of syncing than it runs with.
 */
export function tsdbSubject(
  fsync: FsyncMode,
  options: Partial<TsdbOptions> = {},
  promised: FsyncMode = fsync,
): FaultSubject<Tsdb> {
  const isSynced = promised === 'always';
  return {
    name: `tsdb with fsync=${fsync}${options.outOfOrderWindowMs ? ' and out-of-order samples' : ''}`,
    open: (world) => openTsdb(world, '/data', { fsync, ...options }),
    close: (db) => db.close(),
    recover: async (db, world) => {
      // Blocks that could not be opened are tried again from time to time.
      await world.clock.advance(RELOAD_MS);
      expire(world);
      await db.tick();
    },
    read: (db) => contentsOf(db),
    script: script(isSynced),
  };
}

/** A database with sizes so small that little work makes it do everything. */
export async function openTsdb(
  { env, log }: FaultWorld,
  directory: string,
  options: Partial<TsdbOptions>,
): Promise<Tsdb> {
  const db = await Tsdb.open({
    directory,
    env,
    log,
    registry: new Registry(),
    options: {
      fsyncIntervalMs: SYNC_INTERVAL_MS,
      maintenanceIntervalMs: 2 ** 40,
      minBlockDurationMs: BLOCK_MS,
      maxBlockDurationMs: MAX_BLOCK_MS,
      snapshotIntervalMs: 1_000,
      snapshotLogBytes: 1_024,
      retentionMs: RETENTION_MS,
      walSegmentBytes: 32 * 1024,
      walCompression: 'none',
      slabBytes: 64 * 1024,
      samplesPerChunk: 12,
      ...options,
    },
  });
  db.start();
  return db;
}

function script(isSynced: boolean): Step<Tsdb>[] {
  const few = [0, 1, 2, 3, 4];
  const many = Array.from({ length: 12 }, (_, i) => i);
  const append = (fromMs: number, toMs: number, series: readonly number[], padding = 0) =>
    step(`append ${fromMs}..${toMs}`, async (db, world) => {
      for (let atMs = fromMs; atMs < toMs; atMs += 2_000) {
        await write(db, world, { atMs, series, padding }, isSynced);
      }
      await syncIfNeeded(world, isSynced);
    });
  /** Refused without an out-of-order window. */
  const late = (atMs: number, series: readonly number[]) =>
    step(`append ${atMs} late`, async (db, world) => {
      await write(db, world, { atMs: atMs + 500, series }, isSynced);
      await write(db, world, { atMs: atMs - 1_500, series }, isSynced);
      await syncIfNeeded(world, isSynced);
    });
  /** More late samples of each series than a chunk takes, in one commit, so that full ones go to the head chunk files. */
  const manyLate = (atMs: number, series: readonly number[]) =>
    step(`append ${atMs} late, full chunks`, async (db, world) => {
      const each = series.flatMap((index) => Array<number>(FULL_LATE_SAMPLES).fill(index));
      await write(db, world, { atMs, series: each }, isSynced);
      await syncIfNeeded(world, isSynced);
    });
  const tick = step('tick', async (db, world) => {
    expire(world);
    await db.tick();
  });
  return [
    append(0, 8_000, few),
    remove(isSynced, 1, 1_000, 5_000),
    append(8_000, 24_000, many),
    step('conflicting value', (db, world) => conflict(db, world, 22_000, isSynced)),
    step('long labels', (db, world) =>
      write(db, world, { atMs: 26_000, series: [90, 91, 92, 93, 94], padding: 9_000 }, isSynced),
    ),
    step('query', query),
    append(28_000, 34_000, few),
    late(21_000, few),
    manyLate(23_100, [0, 3]),
    step('cut while appending and deleting', async (db, world) => {
      const cutting = db.tick();
      await write(db, world, { atMs: 36_000, series: many }, isSynced);
      await deleteRange(db, world, isSynced, { index: 2, fromMs: 2_000, toMs: 37_000 });
      await write(db, world, { atMs: 37_000, series: few }, isSynced);
      await cutting;
    }),
    tick,
    append(38_000, 54_000, few),
    late(45_000, many),
    remove(isSynced, 3, 10_000, 50_000),
    tick,
    late(47_000, few),
    manyLate(49_100, [1, 2]),
    'restart',
    manyLate(49_900, [1, 4]),
    remove(isSynced, 1, 49_050, 49_120),
    append(54_000, 76_000, few),
    tick,
    step('reload', async (db, world) => {
      await world.clock.advance(RELOAD_MS);
      expire(world);
      await db.tick();
    }),
    append(76_000, 98_000, few),
    tick,
    step('query', query),
    remove(isSynced, 0, 0, 90_000),
    append(98_000, 120_000, many),
    tick,
    'restart',
    append(120_000, 126_000, few),
    remove(isSynced, 4, 30_000, 121_000),
    step('clean tombstones', (db) => db.cleanTombstones()),
    append(126_000, 164_000, few),
    step('compact while appending and deleting', async (db, world) => {
      expire(world);
      const compacting = db.tick();
      await write(db, world, { atMs: 165_000, series: many }, isSynced);
      await deleteRange(db, world, isSynced, { index: 2, fromMs: 50_000, toMs: 140_000 });
      await compacting;
    }),
    step('snapshot', async (db) => {
      await db.snapshot(false);
    }),
    'restart',
    append(166_000, 204_000, few),
    tick,
    step('query', query),
    append(204_000, 208_000, few),
  ].map((entry) => (entry === 'restart' ? { name: 'restart', run: entry } : entry)) as Step<Tsdb>[];
}

export function step(
  name: string,
  run: (db: Tsdb, world: FaultWorld) => Promise<void>,
): Step<Tsdb> {
  return { name, run };
}

function remove(isSynced: boolean, index: number, fromMs: number, toMs: number): Step<Tsdb> {
  return step('delete', async (db, world) => {
    await deleteRange(db, world, isSynced, { index, fromMs, toMs });
    await syncIfNeeded(world, isSynced);
  });
}

export function labelsOf(index: number, padding = 0): Labels {
  const long = padding === 0 ? {} : { padding: 'x'.repeat(padding) };
  return Labels.from({ __name__: 'm', i: String(index), ...long });
}

export async function write(
  db: Tsdb,
  { ledger }: FaultWorld,
  { atMs, series, padding = 0 }: Batch,
  isSynced: boolean,
): Promise<void> {
  const all = series.map((index) => labelsOf(index, padding));
  const offers: Offer[] = all.map((labels, i) => ({
    series: labels.toString(),
    timeMs: T0 + atMs + i,
    value: bitsOf(atMs * 100 + i),
  }));
  const appender = db.appender();
  let outcomes: Uint8Array;
  try {
    outcomes = stage(appender, all, offers);
    ledger.offer(offers.filter((_, i) => outcomes[i] === APPEND_OUTCOME.ok));
  } catch (error) {
    appender.rollback();
    throw error;
  }
  await appender.commit();
  ledger.acknowledge(
    offers.filter((_, i) => outcomes[i] === APPEND_OUTCOME.ok),
    isSynced,
  );
}

/** Another value for a time that has one must not take its place. */
async function conflict(
  db: Tsdb,
  { ledger }: FaultWorld,
  atMs: number,
  isSynced: boolean,
): Promise<void> {
  const all = [labelsOf(0), labelsOf(70)];
  const offers: Offer[] = [
    { series: all[0]!.toString(), timeMs: T0 + atMs, value: bitsOf(-1) },
    { series: all[1]!.toString(), timeMs: T0 + atMs + 1, value: bitsOf(-2) },
  ];
  const appender = db.appender();
  const outcomes = stage(appender, all, offers);
  const taken = offers.filter((_, i) => outcomes[i] === APPEND_OUTCOME.ok);
  ledger.offer(taken);
  await appender.commit();
  ledger.acknowledge(taken, isSynced);
}

function stage(
  appender: ReturnType<Tsdb['appender']>,
  labels: readonly Labels[],
  offers: readonly Offer[],
): Uint8Array {
  const refs = Uint32Array.from(labels, (each) => appender.series(each));
  const timestampsMs = Float64Array.from(offers, ({ timeMs }) => timeMs);
  const values = new Float64Array(offers.length);
  new BigUint64Array(values.buffer).set(offers.map(({ value }) => BigInt(`0x${value}`)));
  const outcomes = new Uint8Array(offers.length);
  appender.appendFloats(refs, timestampsMs, values, null, offers.length, outcomes);
  return outcomes;
}

export async function deleteRange(
  db: Tsdb,
  { ledger }: FaultWorld,
  isSynced: boolean,
  what: {
    readonly index: number;
    readonly fromMs: number;
    readonly toMs: number;
    /** What lies so near to the deleted time may go with it. Default 0. */
    readonly besideMs?: number;
  },
): Promise<void> {
  const series = labelsOf(what.index).toString();
  const range = { minMs: T0 + what.fromMs, maxMs: T0 + what.toMs };
  const covers = (of: string, timeMs: number): boolean =>
    of === series && timeMs >= range.minMs && timeMs <= range.maxMs;
  const { besideMs = 0 } = what;
  ledger.offerDeletion(
    (of, timeMs) =>
      of === series && timeMs >= range.minMs - besideMs && timeMs <= range.maxMs + besideMs,
  );
  await db.deleteSamples(range, [new Matcher('i', '=', String(what.index))]);
  ledger.acknowledgeDeletion(covers, isSynced);
}

/** With an interval between syncs the promise for a power cut begins with the next one. */
export async function syncIfNeeded(
  { clock, disk, ledger }: FaultWorld,
  isSynced: boolean,
): Promise<void> {
  if (isSynced) return;
  const faults = disk.faults;
  await clock.advance(SYNC_INTERVAL_MS);
  if (disk.faults === faults && disk.isPowered) ledger.noteSync();
}

function expire({ ledger }: FaultWorld): void {
  expireBefore(ledger, RETENTION_MS);
}

/** What the retention time no longer covers may go with any round of maintenance. */
export function expireBefore(ledger: SampleLedger, retentionMs: number): void {
  const newestBlockMs = Math.ceil((ledger.newestMs + 1) / BLOCK_MS) * BLOCK_MS;
  ledger.offerDeletion((_, timeMs) => timeMs < newestBlockMs - retentionMs);
}

async function query(db: Tsdb, { ledger }: FaultWorld): Promise<void> {
  const problems = ledger.check(await contentsOf(db));
  if (problems.length > 0) throw new Error(`a wrong answer: ${problems.join('; ')}`);
}

/** All that the database answers. */
export async function contentsOf(db: Tsdb): Promise<Contents> {
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const source = db.select(
    { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true },
    context,
  );
  const series = new Map<string, SampleAt[]>();
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const { labels, count, timestampsMs, values } of batch) {
      const key = labels.toString();
      const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
      const samples = series.get(key) ?? [];
      // A series that comes twice shows as samples out of order.
      for (let i = 0; i < count; i++) {
        samples.push({ timeMs: timestampsMs[i]!, value: bits[i]!.toString(16) });
      }
      series.set(key, samples);
    }
  }
  return { series, isPartial: source.warnings.length > 0 };
}

/** The bits of a double as hexadecimal digits. */
function bitsOf(value: number): string {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!.toString(16);
}
