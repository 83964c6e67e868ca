import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  type Clock,
  type Env,
  type Files,
  InlineWorkers,
  SeededRandom,
  type Timer,
  VirtualClock,
  type Workers,
  type WorkerWorld,
} from '@pollux/base';
import { NodeWorkers, nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { expect } from 'vitest';
import { FileCache } from '../block/file-cache.ts';
import { Tsdb } from '../db.ts';
import { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import { tsdbMetrics } from '../metrics.ts';
import type { TsdbOptions } from '../options.ts';
import { QuickFiles } from './quick-files.ts';
import { givenChunks } from './stored-chunks.ts';

const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../../../shared/conformance');
/** Recorded from Prometheus 2.42. */
export const REAL = path.join(CONFORMANCE, 'real/prometheus-2.42');
export const hasConformance = fs.existsSync(REAL);
export const NO_CONFORMANCE = hasConformance
  ? ''
  : ' (skipped: no conformance data; set POLLUX_CONFORMANCE)';

/** A time in the middle of nothing, a multiple of two hours. */
export const T0 = 1_700_006_400_000;

export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-tsdb-'));
}

export function removeDirectory(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true });
}

/** Where a head without a directory keeps its completed chunks. */
export function chunksInMemory(): HeadChunkFiles {
  return new HeadChunkFiles({
    files: new QuickFiles(),
    clock: new VirtualClock(),
    log: Log.silent(),
    metrics: tsdbMetrics(new Registry()),
    cache: new FileCache(1 << 20),
    directory: null,
    fileBytes: 1 << 27,
  });
}

export type OpenOptions = {
  readonly options?: Partial<TsdbOptions>;
  readonly clock?: Clock;
  readonly files?: Files;
  readonly registry?: Registry;
  readonly lines?: string[];
  readonly seed?: number;
  /** Made for the world of the database. */
  readonly workers?: (world: WorkerWorld) => Workers;
};

/** Block names are random and never come twice; a restarted process does not draw the same numbers again. */
const seeds = { next: 1 };

export async function openTsdb(directory: string, settings: OpenOptions = {}): Promise<Tsdb> {
  const clock = settings.clock ?? new VirtualClock();
  const random = new SeededRandom(settings.seed ?? seeds.next++);
  const world = { clock, random, files: settings.files ?? new QuickFiles() };
  const env: Env = { ...nodeEnv(), ...world, workers: (settings.workers ?? testWorkers)(world) };
  const log = new Log({
    level: 'info',
    format: 'logfmt',
    now: () => 0,
    write: (line) => settings.lines?.push(line),
  });
  return Tsdb.open({
    directory,
    env,
    log,
    registry: settings.registry ?? new Registry(),
    // Small slabs: many are used, dropped and used again even in small tests.
    options: { slabBytes: 64 * 1024, ...WORKER_OPTIONS, ...settings.options },
  });
}

/** `inline` or `threads`: suites run once more with all that workers can do left to them. */
const WORKER_MODE = process.env.POLLUX_TEST_WORKERS ?? '';
const WORKER_OPTIONS: Partial<TsdbOptions> =
  WORKER_MODE === '' ? {} : { replayWorkerMinBytes: 0, compactionWorkerMinBytes: 0 };

/** Threads see the machine's disk only; a test with files of its own has its workers in-line. */
function testWorkers(world: WorkerWorld): Workers {
  const isOwnDisk = world.files.constructor !== QuickFiles;
  return WORKER_MODE === 'threads' && !isOwnDisk ? new NodeWorkers() : new InlineWorkers(world);
}

/** One value of one series, by its bits. */
export type Point = {
  readonly timestampMs: number;
  readonly bits: bigint;
  /** Absent when it is not known. */
  readonly startMs?: number;
};

/** A start timestamp for the sample of a time as counters have them: for a while the same, often none. */
export function startOf(timestampMs: number): number {
  const second = Math.floor(timestampMs / 1000);
  if (second % 50 < 20) return 0;
  return timestampMs - (second % 3 === 0 ? timestampMs % 1000 : timestampMs % 30_000) - 1;
}

/** The point of a sample of a database that keeps start timestamps if `hasStart`, each {@link startOf} its time. */
export function pointWith(hasStart: boolean, timestampMs: number, bits: bigint): Point {
  const startMs = hasStart ? startOf(timestampMs) : 0;
  return startMs === 0 ? { timestampMs, bits } : { timestampMs, bits, startMs };
}

const view = new DataView(new ArrayBuffer(8));

export function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

export function numberOf(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

export type Write = {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number | bigint;
  /** 0 when absent: it is not known. */
  readonly startMs?: number;
};

/** Appends and commits in one batch; returns the outcomes. */
export async function append(db: Tsdb, writes: readonly Write[]): Promise<number[]> {
  const appender = db.appender();
  const outcomes = stage(appender, writes);
  await appender.commit();
  return outcomes;
}

export function stage(appender: ReturnType<Tsdb['appender']>, writes: readonly Write[]): number[] {
  const refs = Uint32Array.from(writes, ({ labels }) => appender.series(labels));
  const timestampsMs = Float64Array.from(writes, ({ timestampMs }) => timestampMs);
  const values = new Float64Array(writes.length);
  const words = new BigUint64Array(values.buffer);
  for (const [i, { value }] of writes.entries()) {
    words[i] = typeof value === 'bigint' ? value : bitsOf(value);
  }
  const outcomes = new Uint8Array(writes.length);
  const starts = writes.some(({ startMs }) => startMs !== undefined)
    ? Float64Array.from(writes, ({ startMs }) => startMs ?? 0)
    : null;
  appender.appendFloats(refs, timestampsMs, values, starts, writes.length, outcomes);
  return [...outcomes];
}

export type Range = { readonly minMs: number; readonly maxMs: number };
export const ALL_TIME: Range = { minMs: -(2 ** 50), maxMs: 2 ** 50 };
export const EVERY = [new Matcher('__name__', '=~', '.+')];

export function context(budget = MemoryBudget.unlimited()): {
  signal: AbortSignal;
  budget: MemoryBudget;
} {
  return { signal: new AbortController().signal, budget };
}

/** All samples, by the text of the labels. Checks that the stored chunks give the same. */
export async function query(
  db: Tsdb,
  matchers: readonly Matcher[] = EVERY,
  range: Range = ALL_TIME,
): Promise<Map<string, Point[]>> {
  const source = db.select({ range, matchers, hints: NO_HINTS, sorted: true }, context());
  const answer = new Map<string, Point[]>();
  for (;;) {
    const batch = await source.next();
    if (batch === null) break;
    for (const columns of batch) answer.set(columns.labels.toString(), pointsOf(columns));
  }
  const given = await givenChunks(db, range, matchers);
  if (given !== null) {
    const same = [...given.series].map(([labels, columns]) => [labels, pointsOf(columns)] as const);
    expect(new Map(same)).toEqual(answer);
  }
  return answer;
}

export function pointsOf(columns: SeriesColumns): Point[] {
  const { count, timestampsMs, values, startTimestampsMs } = columns;
  const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
  return Array.from({ length: count }, (_, i) => ({
    timestampMs: timestampsMs[i]!,
    bits: bits[i]!,
    ...((startTimestampsMs?.[i] ?? 0) === 0 ? {} : { startMs: startTimestampsMs![i]! }),
  }));
}

/** Who waits for so long sets a limit to something, which must not be over before it has begun. */
const LIMIT_MS = 5_000;

/**
 * A clock by which every slice of background work is over at once: it yields wherever it can. Closing has its time, though: a
 * database that is left behind half closed would write below the one that is opened next.
 */
export class HastyClock implements Clock {
  #monotonicMs = 0;

  now(): number {
    return T0;
  }

  monotonic(): number {
    this.#monotonicMs += 10;
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    if (delayMs >= LIMIT_MS) {
      const timer = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(timer) };
    }
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  }
}

/** Lets virtual time run until the promise is settled. */
export async function finish<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => {
    isSettled = true;
  });
  while (!isSettled) await clock.advance(20);
  return settled;
}

export function series(index: number, name = 'm'): Labels {
  return Labels.from({ __name__: name, i: String(index) });
}

/** Sample lines of `promtool tsdb dump`, without native histograms. */
export function dumpLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /\} \S+ -?\d+$/.test(line))
    .map(canonical)
    .sort();
}

/** Our answer in the form of {@link dumpLines}. */
export function answerLines(answer: ReadonlyMap<string, readonly Point[]>): string[] {
  const lines: string[] = [];
  for (const [labels, points] of answer) {
    for (const { timestampMs, bits } of points) {
      lines.push(`${labels} ${formatValue(numberOf(bits))} ${timestampMs}`);
    }
  }
  return lines.sort();
}

/** promtool prints the shortest decimal that gives the same double, as JavaScript does, but in Go's notation. */
function canonical(line: string): string {
  const match = /^(.*\}) (\S+) (-?\d+)$/.exec(line);
  if (match === null) return line;
  const [, labels, text = '', timestamp] = match;
  return `${labels} ${formatValue(parseValue(text))} ${timestamp}`;
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

function formatValue(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
