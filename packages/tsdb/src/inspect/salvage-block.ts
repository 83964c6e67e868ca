import { DecodeError, type Files } from '@pollux/base';
import { NotSupportedError } from '../errors.ts';
import { isHistogramEncoding } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { type EncodedChunk, rewriteChunk } from '../format/rewrite-chunk.ts';
import type { Tombstones } from '../format/tombstones.ts';
import { ChunkChecker } from './chunk-checker.ts';
import { chunkTimes } from './chunk-times.ts';
import { Findings } from './finding.ts';
import { readIndexLayout } from './index-layout.ts';
import { SERIES_ALIGN, type WalkedSeries, walkSeries } from './series-walk.ts';
import { checkSymbols } from './symbol-table.ts';
import { WindowReader } from './window-reader.ts';

export type SalvagedSeries = {
  /** Numbers of the block's symbols: name, value, name, value … */
  readonly labels: Uint32Array;
  readonly chunks: readonly (EncodedChunk & { readonly count: number })[];
};

export type SalvageOptions = {
  readonly files: Files;
  /** Of the block. */
  readonly directory: string;
  /** Deleted samples are left out. */
  readonly tombstones: Tombstones;
  readonly breathe: () => Promise<void>;
};

/** What was saved, and what was not. */
export class Salvage {
  lostSeries = 0;
  lostChunks = 0;
  samples = 0;
  histogramSamples = 0;
}

/** All symbols of a block, ascending. Null when they cannot be trusted: then nothing of the block can be told. */
export function salvageSymbols(files: Files, directory: string): readonly string[] | null {
  const path = `${directory}/index`;
  const file = files.open(path, 'r');
  try {
    const reader = new WindowReader(file);
    const layout = readIndexLayout(reader, path);
    if (checkSymbols(reader, layout, path, new Findings()) === null) return null;
    reader.offset = layout.symbolsAt + 4;
    const symbols: string[] = [];
    for (let left = reader.u32(); left > 0; left--)
      symbols.push(Buffer.from(reader.bytes(reader.uvarint())).toString('utf8'));
    return symbols;
  } finally {
    file.close();
  }
}

/**
 * Reads what is sound of a block: series by their entries, without the postings; of each the chunks whose checksum and
 * content are right. Series come in order; one that is not behind those before it is lost. Throws CorruptionError when the
 * index's table of contents is damaged.
 */
export async function* salvageSeries(
  options: SalvageOptions,
  symbolCount: number,
  lost: Salvage,
): AsyncIterable<SalvagedSeries> {
  const { files, directory, tombstones, breathe } = options;
  const path = `${directory}/index`;
  const file = files.open(path, 'r');
  const checker = new ChunkChecker(files, directory, new Findings());
  try {
    const reader = new WindowReader(file);
    const layout = readIndexLayout(reader, path);
    let previous: Uint32Array | null = null;
    for (const entry of walkSeries(reader, layout.seriesAt, layout.labelIndicesAt)) {
      await breathe();
      if (entry.kind === 'fault' || !areLabels(entry.symbols, symbolCount, previous)) {
        lost.lostSeries++;
        continue;
      }
      const deleted = tombstones.get(entry.offset / SERIES_ALIGN) ?? [];
      const isDeleted = (timestampMs: number): boolean =>
        deleted.some(({ minMs, maxMs }) => timestampMs >= minMs && timestampMs <= maxMs);
      const chunks = soundChunks(entry, checker, isDeleted, lost);
      if (chunks.length === 0) {
        if (deleted.length === 0) lost.lostSeries++;
        continue;
      }
      previous = entry.symbols;
      yield { labels: entry.symbols, chunks };
    }
  } finally {
    checker.close();
    file.close();
  }
}

function areLabels(
  symbols: Uint32Array,
  symbolCount: number,
  previous: Uint32Array | null,
): boolean {
  if (symbols.length === 0) return false;
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i]! >= symbolCount) return false;
    if (i % 2 === 0 && i > 0 && symbols[i]! <= symbols[i - 2]!) return false;
  }
  return previous === null || isBehind(symbols, previous);
}

function isBehind(symbols: Uint32Array, previous: Uint32Array): boolean {
  const shared = Math.min(symbols.length, previous.length);
  for (let i = 0; i < shared; i++) {
    if (symbols[i] !== previous[i]) return symbols[i]! > previous[i]!;
  }
  return symbols.length > previous.length;
}

/** The chunks that decode, each behind the one before, without deleted samples. */
function soundChunks(
  { chunks }: WalkedSeries,
  checker: ChunkChecker,
  isDeleted: (timestampMs: number) => boolean,
  lost: Salvage,
): SalvagedSeries['chunks'] {
  const sound: (EncodedChunk & { readonly count: number })[] = [];
  let behindMs = Number.NEGATIVE_INFINITY;
  for (const chunk of chunks) {
    const saved = soundChunk(chunk, checker, (at) => at > behindMs && !isDeleted(at));
    if (saved === 'lost') lost.lostChunks++;
    if (saved === 'lost' || saved === null) continue;
    behindMs = saved.maxMs;
    lost.samples += saved.count;
    if (isHistogramEncoding(saved.encoding)) lost.histogramSamples += saved.count;
    sound.push(saved);
  }
  return sound;
}

/** Null when no sample is kept. */
function soundChunk(
  { ref }: ChunkMeta,
  checker: ChunkChecker,
  keeps: (timestampMs: number) => boolean,
): (EncodedChunk & { readonly count: number }) | 'lost' | null {
  const read = checker.read(ref);
  if (read === null) return 'lost';
  const { encoding } = read;
  const bytes = read.bytes.slice();
  try {
    const times = chunkTimes(encoding, bytes);
    if (times === null || times.count === 0) return 'lost';
    const { count, timestampsMs } = times;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (i > 0 && !(timestampsMs[i]! > timestampsMs[i - 1]!)) return 'lost';
      if (keeps(timestampsMs[i]!)) kept++;
    }
    if (kept === 0) return null;
    const minMs = timestampsMs[0]!;
    const maxMs = timestampsMs[count - 1]!;
    const whole = { encoding, bytes, start: 0, length: bytes.length, minMs, maxMs };
    if (kept === count) return { ...whole, count };
    const cut = rewriteChunk(whole, keeps);
    return cut === null ? null : { ...cut, count: kept };
  } catch (error) {
    if (error instanceof DecodeError || error instanceof NotSupportedError) return 'lost';
    throw error;
  }
}
