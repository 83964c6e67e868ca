import type { Files } from '@pollux/base';
import { TMP_FOR_CREATION, TMP_FOR_DELETION } from '../block/block-set.ts';
import { decodeRawDropped, type RawDropped } from '../downsample/raw-dropped.ts';
import { resolutionOf } from '../downsample/resolution-name.ts';
import { RAW_DROPPED_FILE } from '../downsample/slice.ts';
import { CorruptionError } from '../errors.ts';
import { BucketContent } from './bucket-content.ts';
import type { Findings } from './finding.ts';
import { type VerifiedBlock, verifyBlock } from './verify-block.ts';

export const DOWNSAMPLED = 'downsampled';
export const BLOCK_NAME = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** A slice of down-sampled data on the disk. */
export type SlicePath = {
  readonly resolutionMs: number;
  readonly directory: string;
  readonly ulid: string;
};

/** The slices of a data directory, by resolution and name. */
export function slicePaths(files: Files, directory: string): SlicePath[] {
  const root = `${directory}/${DOWNSAMPLED}`;
  if (!files.exists(root)) return [];
  return files.list(root).flatMap((name) => {
    const resolutionMs = resolutionOf(name);
    if (resolutionMs === null) return [];
    return files
      .list(`${root}/${name}`)
      .filter((ulid) => BLOCK_NAME.test(ulid))
      .map((ulid) => ({ resolutionMs, directory: `${root}/${name}/${ulid}`, ulid }));
  });
}

export type VerifySliceOptions = {
  readonly files: Files;
  readonly slice: SlicePath;
  readonly findings: Findings;
  readonly breathe: () => Promise<void>;
};

/** What is checked of a block, and that buckets and their notes fit together. Gives what could be read. */
export async function verifySlice(options: VerifySliceOptions): Promise<VerifiedBlock | null> {
  const { files, slice, findings, breathe } = options;
  const { directory, resolutionMs } = slice;
  const content = new BucketContent(resolutionMs);
  const found = await verifyBlock({ files, directory, findings, breathe, slice: content });
  if (found === null) return null;
  const { meta, seriesCount } = found;
  const tell = (text: string): void => findings.add(`${directory}/meta.json`, null, text);
  for (const edgeMs of [meta.minTime - 1, meta.maxTime - 1]) {
    if (edgeMs % resolutionMs !== 0) tell(`its time does not end with a bucket at ${edgeMs}`);
  }
  if (meta.compaction.resolutionMs !== resolutionMs)
    tell(`says it has buckets of ${String(meta.compaction.resolutionMs)} ms`);
  if (meta.stats.numChunks !== seriesCount) tell('a series has more than one chunk');
  checkRawDropped(options, found);
  return found;
}

function checkRawDropped(
  { files, slice, findings }: VerifySliceOptions,
  { meta, seriesCount }: VerifiedBlock,
): void {
  const path = `${slice.directory}/${RAW_DROPPED_FILE}`;
  if (!files.exists(path)) return;
  let dropped: RawDropped;
  try {
    dropped = decodeRawDropped(files.readFile(path), path);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    findings.add(path, null, error.message.replace(`${path}: `, ''));
    return;
  }
  const { untilMs, series } = dropped;
  if (untilMs < meta.minTime || untilMs >= meta.maxTime)
    findings.add(path, null, `speaks of ${untilMs}, which lies outside of the slice's time`);
  if (series === 'all') return;
  const spare = series.length * 8 - seriesCount;
  const isFit = spare >= 0 && spare < 8 && (series.at(-1) ?? 0) < 2 ** (8 - spare);
  if (!isFit) findings.add(path, null, `does not speak of ${seriesCount} series`);
}

/** Leftovers in directories of slices, and slices of one resolution that overlap. */
export function verifySliceSets(
  files: Files,
  directory: string,
  slices: readonly (SlicePath & { readonly minTime: number; readonly maxTime: number })[],
  findings: Findings,
): void {
  const root = `${directory}/${DOWNSAMPLED}`;
  for (const name of files.exists(root) ? files.list(root) : []) {
    if (resolutionOf(name) === null) continue;
    for (const entry of files.list(`${root}/${name}`)) {
      if (entry.endsWith(TMP_FOR_CREATION) || entry.endsWith(TMP_FOR_DELETION))
        findings.add(`${root}/${name}/${entry}`, null, 'is left over from an interrupted write');
    }
  }
  const sorted = [...slices].sort(
    (a, b) => a.resolutionMs - b.resolutionMs || a.minTime - b.minTime,
  );
  for (const [i, slice] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before === undefined || before.resolutionMs !== slice.resolutionMs) continue;
    if (slice.minTime < before.maxTime)
      findings.add(slice.directory, null, `overlaps slice ${before.ulid} of the same resolution`);
  }
}
