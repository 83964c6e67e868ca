import type { Files, VirtualClock } from '@pollux/base';
import { Labels, type Matcher } from '@pollux/model';
import { NO_HINTS, type SampleNeed, type SeriesColumns } from '@pollux/storage';
import type { Registry } from '@pollux/telemetry';
import type { Tsdb } from '../db.ts';
import type { TsdbOptions } from '../options.ts';
import { type BlockRow, writeTestBlock } from './block-fixtures.ts';
import { bitsOf, context, EVERY, openTsdb, type Range } from './fixtures.ts';

export const MINUTE_MS = 60_000;
export const BLOCK_MS = 10 * MINUTE_MS;
const BLOCKS = 8;

export const billing = Labels.from({ __name__: 'm', job: 'billing' });
export const debug = Labels.from({ __name__: 'debug_m', job: 'x' });
export const plain = Labels.from({ __name__: 'm', job: 'x' });

export const OPTIONS: Partial<TsdbOptions> = {
  minBlockDurationMs: BLOCK_MS,
  maxBlockDurationMs: BLOCK_MS,
  retentionMs: 0,
  bucketsPerSlice: 20,
  downsampling: [{ resolutionMs: MINUTE_MS, afterMs: 0, retentionMs: 0 }],
};
/** All samples but those of the newest block are dropped. */
export const DROPPING = { ...OPTIONS, retentionMs: BLOCK_MS };

/** A sample each 15 s, counting up; block i holds (i, i + 1] × ten minutes. */
export function pointsOf(block: number): { timestampMs: number; bits: bigint }[] {
  const first = (block * BLOCK_MS) / 15_000 + 1;
  return Array.from({ length: BLOCK_MS / 15_000 - 1 }, (_, i) => ({
    timestampMs: (first + i) * 15_000,
    bits: bitsOf(first + i),
  }));
}

/** One after the other from the time 0 on, of all series. */
export async function writeBlocks(
  directory: string,
  all: readonly Labels[],
  count = BLOCKS,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    const minTime = i * BLOCK_MS;
    const rows = all.map((labels): BlockRow => ({ labels, points: pointsOf(i) }));
    await writeTestBlock(directory, { minTime, maxTime: minTime + BLOCK_MS, rows, seed: i + 1 });
  }
}

/** Opened, and so many rounds of maintenance done. */
export async function opened(
  directory: string,
  options: Partial<TsdbOptions>,
  rounds = 2,
  more: { files?: Files; registry?: Registry; clock?: VirtualClock; lines?: string[] } = {},
): Promise<Tsdb> {
  const db = await openTsdb(directory, { options, ...more });
  for (let i = 0; i < rounds; i++) await db.tick();
  return db;
}

/** Windows of one minute that end with each minute. */
export function windows(func: string, { minMs, maxMs }: Range): SampleNeed {
  const firstEndMs = minMs + MINUTE_MS - 1;
  return {
    kind: 'windows',
    func,
    firstEndMs,
    lastEndMs: maxMs,
    stepMs: MINUTE_MS,
    rangeMs: MINUTE_MS,
  };
}
export const OLD: Range = { minMs: 10 * MINUTE_MS + 1, maxMs: 30 * MINUTE_MS };
export const SAMPLES: SampleNeed = { kind: 'samples' };

export type Answer = { readonly series: Map<string, SeriesColumns>; readonly notes: string[] };

export async function ask(
  db: Tsdb,
  need: SampleNeed | undefined,
  range: Range = OLD,
  matchers: readonly Matcher[] = EVERY,
): Promise<Answer> {
  const request = { range, matchers, hints: NO_HINTS, sorted: true };
  const source = db.select(need === undefined ? request : { ...request, need }, context());
  const series = new Map<string, SeriesColumns>();
  for (;;) {
    const batch = await source.next();
    if (batch === null) break;
    for (const columns of batch) series.set(columns.labels.toString(), columns);
  }
  source.close();
  return { series, notes: source.warnings.map(({ kind, text }) => `${kind}: ${text}`) };
}

/** Ends of buckets in minutes, and their counts. */
export function countsOf(columns: SeriesColumns | undefined): Record<number, number> {
  const { buckets, timestampsMs, count = 0 } = columns ?? {};
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      Math.ceil(timestampsMs![i]! / MINUTE_MS),
      buckets?.counts[i] ?? Number.NaN,
    ]),
  );
}
