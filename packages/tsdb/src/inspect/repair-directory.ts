import type { Env, Files } from '@pollux/base';
import { TMP_FOR_CREATION, TMP_FOR_DELETION } from '../block/block-set.ts';
import { BlockWriter } from '../block/block-writer.ts';
import { RAW_DROPPED_FILE } from '../downsample/slice.ts';
import { CorruptionError, DirectoryError } from '../errors.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { type BlockMeta, decodeMeta, encodeMeta } from '../format/meta.ts';
import {
  decodeTombstonesFile,
  encodeTombstonesFile,
  type Tombstones,
} from '../format/tombstones.ts';
import { dropDamage, scanHeadChunks } from '../head-chunks/scan.ts';
import { Slices } from '../slices.ts';
import { cutTorn, LogFile } from '../wal/log-sources.ts';
import { segmentName } from '../wal/segment.ts';
import type { Damage } from '../wal/segment-reader.ts';
import { listSegments } from '../wal/wal.ts';
import { Zstd } from '../wal/zstd.ts';
import { type Finding, Findings } from './finding.ts';
import { Salvage, type SalvagedSeries, salvageSeries, salvageSymbols } from './salvage-block.ts';
import { verifyBlock } from './verify-block.ts';
import { BLOCK_NAME, type SlicePath, slicePaths, verifySlice } from './verify-slices.ts';

export type RepairOptions = {
  readonly env: Env;
  readonly directory: string;
  /** False: only says what it would do. True: the caller holds the directory's lock. */
  readonly isApplied: boolean;
  readonly signal: AbortSignal;
  readonly onAction: (action: RepairAction) => void;
};

/** Something that is done, or would be. */
export type RepairAction = { readonly path: string; readonly text: string };

type State = RepairOptions & {
  readonly files: Files;
  readonly slices: Slices;
  readonly breathe: () => Promise<void>;
  readonly unmended: Findings;
};

/**
 * Mends what can be mended: leftovers of interrupted writes go, torn ends of logs are cut, a meta.json is made anew from the
 * files it speaks of, unreadable deletions are dropped, and a block with damaged chunks, series or postings is written anew
 * with all that is sound. What cannot be mended is returned. Throws DirectoryError, CanceledError and the system's errors.
 */
export async function repairDirectory(options: RepairOptions): Promise<readonly Finding[]> {
  const { env, directory, signal } = options;
  const { files } = env;
  if (!files.exists(directory) || !files.stat(directory).isDirectory)
    throw new DirectoryError(directory, 'no such directory');
  const slices = new Slices(env.clock, signal);
  const breathe = async (): Promise<void> => {
    if (slices.isOver) await slices.pause();
  };
  const state = { ...options, files, slices, breathe, unmended: new Findings() };
  for (const name of files.list(directory)) {
    const path = `${directory}/${name}`;
    if (name.endsWith(TMP_FOR_CREATION) || name.endsWith(TMP_FOR_DELETION))
      act(state, path, 'remove what an interrupted write left', () => files.removeTree(path));
    else if (BLOCK_NAME.test(name)) await repairBlock(state, path);
  }
  for (const slice of slicePaths(files, directory)) await repairSlice(state, slice);
  for (const name of ['wal', 'wbl']) {
    if (files.exists(`${directory}/${name}`)) await repairLog(state, `${directory}/${name}`);
  }
  await repairHeadChunks(state, `${directory}/chunks_head`);
  return state.unmended.list;
}

function act(state: State, path: string, text: string, apply: () => void): void {
  state.onAction({ path, text });
  if (state.isApplied) apply();
}

/** A damaged slice is made anew by the server while the samples are there; else what can be read of it is all there is. */
async function repairSlice(state: State, slice: SlicePath): Promise<void> {
  const { files, breathe, unmended } = state;
  const findings = new Findings();
  await verifySlice({ files, slice, findings, breathe });
  if (findings.count === 0) return;
  if (files.exists(`${slice.directory}/${RAW_DROPPED_FILE}`)) {
    for (const { file, offset, text } of findings.list) unmended.add(file, offset, text);
  } else {
    const what = 'remove: the server makes it anew of the samples, which are all there';
    act(state, slice.directory, what, () => files.removeTree(slice.directory));
  }
}

async function repairBlock(state: State, directory: string): Promise<void> {
  const { files, breathe } = state;
  const findings = new Findings();
  await verifyBlock({ files, directory, findings, breathe });
  const broken = new Set(findings.list.map(({ file }) => file));
  if (broken.size === 0) return;
  const tombstonesPath = `${directory}/tombstones`;
  if (broken.delete(tombstonesPath)) {
    act(state, tombstonesPath, 'replace by an empty file: what was deleted appears again', () =>
      files.replaceFile(tombstonesPath, encodeTombstonesFile(new Map())),
    );
    // It counts the deletions.
    if ((metaOf(files, directory)?.stats.numTombstones ?? 0) > 0)
      broken.add(`${directory}/meta.json`);
  }
  if (broken.size === 0) return;
  try {
    const symbols = salvageSymbols(files, directory);
    if (symbols === null) throw new CorruptionError(`${directory}/index`, 'symbols are damaged');
    if (broken.size === 1 && broken.has(`${directory}/meta.json`))
      await rebuildMeta(state, directory, symbols.length);
    else await rewriteBlock(state, directory, symbols);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    for (const { file, offset, text } of findings.list) state.unmended.add(file, offset, text);
  }
}

/** The meta.json as far as it can be read. */
function metaOf(files: Files, directory: string): BlockMeta | null {
  const path = `${directory}/meta.json`;
  try {
    const meta = decodeMeta(new TextDecoder().decode(files.readFile(path)), path);
    return meta.minTime < meta.maxTime ? meta : null;
  } catch {
    // Verifying has told what is wrong with it.
    return null;
  }
}

function tombstonesOf(files: Files, directory: string): Tombstones {
  const path = `${directory}/tombstones`;
  try {
    return files.exists(path) ? decodeTombstonesFile(files.readFile(path), path) : new Map();
  } catch (error) {
    if (error instanceof CorruptionError) return new Map();
    throw error;
  }
}

/** What a block holds, and when. */
type Counted = { series: number; chunks: number; minMs: number; maxMs: number };

async function rebuildMeta(state: State, directory: string, symbols: number): Promise<void> {
  const { files, breathe } = state;
  const tombstones = tombstonesOf(files, directory);
  const counted = newCount();
  const salvage = new Salvage();
  const all = { files, directory, tombstones: new Map(), breathe };
  for await (const series of salvageSeries(all, symbols, salvage)) count(counted, series);
  const old = metaOf(files, directory);
  const ulid = directory.slice(directory.lastIndexOf('/') + 1);
  let numTombstones = 0;
  for (const intervals of tombstones.values()) numTombstones += intervals.length;
  const meta = encodeMeta({
    ulid,
    ...timeOf(old, counted),
    stats: {
      numSamples: salvage.samples,
      numFloatSamples: salvage.samples - salvage.histogramSamples,
      numHistogramSamples: salvage.histogramSamples,
      numSeries: counted.series,
      numChunks: counted.chunks,
      numTombstones,
    },
    compaction: compactionOf(old, ulid),
    ...(old?.rest === undefined ? {} : { rest: old.rest }),
  });
  const path = `${directory}/meta.json`;
  act(state, path, 'write anew from the index and the chunks', () => files.replaceFile(path, meta));
}

/** Writes what is sound as a new block and removes the old one. */
async function rewriteBlock(
  state: State,
  directory: string,
  symbols: readonly string[],
): Promise<void> {
  const { env, files, slices, breathe, isApplied } = state;
  const source = { files, directory, tombstones: tombstonesOf(files, directory), breathe };
  const salvage = new Salvage();
  const counted = newCount();
  for await (const series of salvageSeries(source, symbols.length, salvage)) count(counted, series);
  if (counted.series === 0) throw new CorruptionError(directory, 'no sample can be read');
  const old = metaOf(files, directory);
  const { lostSeries, lostChunks, samples } = salvage;
  state.onAction({
    path: directory,
    text: `write anew with ${samples} samples of ${counted.series} series; ${lostSeries} series and ${lostChunks} chunks are lost`,
  });
  if (!isApplied) return;
  const compaction = compactionOf(old, directory.slice(directory.lastIndexOf('/') + 1));
  const isOwnSource = compaction.level === 1 && compaction.sources.length <= 1;
  const writer = new BlockWriter({
    env,
    directory: state.directory,
    slices,
    ...timeOf(old, counted),
    compaction: isOwnSource ? { ...compaction, sources: [] } : compaction,
  });
  try {
    await writer.writeSymbols(symbols);
    const again = new Salvage();
    for await (const { labels, chunks } of salvageSeries(source, symbols.length, again)) {
      const metas: ChunkMeta[] = [];
      for (const { encoding, bytes, start, length, minMs, maxMs, count: inChunk } of chunks) {
        const part = { bytes, start, end: start + length };
        metas.push({ minMs, maxMs, ref: await writer.addChunk(encoding, part, inChunk) });
      }
      writer.addSeries(labels, labels.length, metas);
    }
    await writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  const doomed = `${directory}${TMP_FOR_DELETION}`;
  files.rename(directory, doomed);
  files.removeTree(doomed);
}

function newCount(): Counted {
  return {
    series: 0,
    chunks: 0,
    minMs: Number.POSITIVE_INFINITY,
    maxMs: Number.NEGATIVE_INFINITY,
  };
}

function count(counted: Counted, { chunks }: SalvagedSeries): void {
  counted.series++;
  counted.chunks += chunks.length;
  counted.minMs = Math.min(counted.minMs, chunks[0]!.minMs);
  counted.maxMs = Math.max(counted.maxMs, chunks[chunks.length - 1]!.maxMs);
}

/** The block's own time where it is known and holds all samples, else theirs. */
function timeOf(
  old: BlockMeta | null,
  { minMs, maxMs }: Counted,
): { minTime: number; maxTime: number } {
  return {
    minTime: Math.min(old?.minTime ?? minMs, minMs),
    maxTime: Math.max(old?.maxTime ?? maxMs + 1, maxMs + 1),
  };
}

function compactionOf(old: BlockMeta | null, ulid: string): BlockMeta['compaction'] {
  const known = old?.compaction.sources.filter((source) => BLOCK_NAME.test(source)) ?? [];
  const isKnown = old !== null && old.compaction.level > 1 && known.length > 0;
  return isKnown
    ? { ...old.compaction, sources: known }
    : { ...old?.compaction, level: 1, sources: [ulid] };
}

async function repairLog(state: State, directory: string): Promise<void> {
  const { files, breathe, unmended } = state;
  const zstd = new Zstd();
  const segments = listSegments(files, directory);
  for (const segment of segments) {
    const path = `${directory}/${segmentName(segment)}`;
    const { size } = files.stat(path);
    const isLast = segment === segments.at(-1);
    const torn: Damage[] = [];
    const file = new LogFile(files, path, zstd, (damage) => {
      if (isLast && damage.endOffset >= size && !damage.isUnreadable) torn.push(damage);
      else unmended.add(path, damage.offset, `${damage.reason}; a start passes over it`);
    });
    try {
      for (let bytes = file.next(size); bytes !== null; bytes = file.next(size)) {
        if (bytes === 'load') await file.loadZstd();
        await breathe();
      }
    } finally {
      file.close();
    }
    for (const damage of torn)
      act(state, path, `cut the torn end at ${damage.offset}`, () => cutTorn(files, damage));
  }
}

/** Head chunks are copies of what the log holds: a start takes from the log what is dropped here. */
async function repairHeadChunks(state: State, directory: string): Promise<void> {
  const { files, slices } = state;
  if (!files.exists(directory)) return;
  const scanned = await scanHeadChunks({ files, directory, slices, onChunk: () => {} });
  if (scanned.damage === null) return;
  act(state, directory, `drop what follows damage (${scanned.damage.message})`, () =>
    dropDamage(files, directory, scanned),
  );
}
