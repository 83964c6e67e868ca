import { ByteReader, crc32c, DecodeError, type Files } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { TOMBSTONES_MAGIC, TOMBSTONES_VERSION } from '../format/tombstones.ts';
import { addInterval, type Interval } from '../head/intervals.ts';
import { type CheckedMeta, checkMeta, checkStats } from './check-meta.ts';
import { checkPostings } from './check-postings.ts';
import { ChunkChecker } from './chunk-checker.ts';
import { type ChunkContent, SAMPLE_CONTENT } from './chunk-content.ts';
import type { Findings } from './finding.ts';
import { Fingerprint } from './fingerprint.ts';
import { type IndexLayout, readIndexLayout } from './index-layout.ts';
import { SeriesSet } from './series-set.ts';
import { SERIES_ALIGN, type WalkedSeries, walkSeries } from './series-walk.ts';
import { checkSymbols, type SymbolTable } from './symbol-table.ts';
import { WindowReader } from './window-reader.ts';

export type VerifyBlockOptions = {
  readonly files: Files;
  readonly directory: string;
  readonly findings: Findings;
  /** Lets other work run; rejects when the verification is given up. */
  readonly breathe: () => Promise<void>;
  /** Of what the chunks are when the block is a slice of down-sampled data; null for samples. Default null. */
  readonly slice?: ChunkContent | null;
};

/** What was found of a block that could be read so far. */
export type VerifiedBlock = {
  readonly meta: CheckedMeta['meta'];
  readonly seriesCount: number;
};

/**
 * Checks every byte of a block that anybody reads, and the padding that nobody reads: checksums, order, references between
 * the files, times, statistics. Memory: 4 bytes a symbol, a bit for 16 bytes of series entries, and windows.
 */
export async function verifyBlock(options: VerifyBlockOptions): Promise<VerifiedBlock | null> {
  const { files, directory, findings, breathe, slice = null } = options;
  const meta = checkMeta(files, directory, findings, slice !== null);
  const chunks = new ChunkChecker(files, directory, findings, slice ?? SAMPLE_CONTENT);
  try {
    const faultsBefore = findings.count;
    await chunks.walk(breathe);
    const series = await verifyIndex(options, meta, chunks);
    // Where the index is damaged, some series were not seen, so chunks without one mean nothing.
    if (findings.count === faultsBefore) chunks.finish();
    const tombstones = verifyTombstones(options, series);
    if (meta === null || series === null) return null;
    const counted = {
      numSamples: chunks.samples,
      numFloatSamples: chunks.floatSamples,
      numHistogramSamples: chunks.samples - chunks.floatSamples,
      numSeries: series.count,
      numChunks: chunks.chunks,
      numTombstones: tombstones,
    };
    if (findings.count === faultsBefore) checkStats(meta, counted, directory, findings);
    return { meta: meta.meta, seriesCount: series.count };
  } finally {
    chunks.close();
  }
}

/** The series of the index; null when they could not be read. */
async function verifyIndex(
  { files, directory, findings, breathe }: VerifyBlockOptions,
  meta: CheckedMeta | null,
  chunks: ChunkChecker,
): Promise<SeriesSet | null> {
  const path = `${directory}/index`;
  if (!files.exists(path)) {
    findings.add(path, null, 'is missing');
    return null;
  }
  const file = files.open(path, 'r');
  try {
    const reader = new WindowReader(file);
    let layout: IndexLayout;
    try {
      layout = readIndexLayout(reader, path);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const [, offset, text] = / at (\d+): (.*)$/s.exec(error.message) ?? [];
      findings.add(path, offset === undefined ? null : Number(offset), text ?? error.message);
      return null;
    }
    const symbols = checkSymbols(reader, layout, path, findings);
    const check = new SeriesCheck(path, layout, symbols, meta, findings);
    for (const entry of walkSeries(reader, layout.seriesAt, layout.labelIndicesAt)) {
      if (entry.kind === 'fault') findings.add(path, entry.offset, entry.text);
      else check.entry(entry, chunks);
      await breathe();
    }
    const { series, pairs } = check;
    const listed = new Fingerprint();
    const lists = new WindowReader(file);
    await checkPostings(reader, lists, { layout, path, findings, series, pairs, listed, breathe });
    return series;
  } finally {
    file.close();
  }
}

/** What must hold of each series entry and between neighbours. */
class SeriesCheck {
  readonly series: SeriesSet;
  readonly pairs = new Fingerprint();
  readonly #path: string;
  readonly #symbols: SymbolTable | null;
  readonly #meta: CheckedMeta | null;
  readonly #findings: Findings;
  #previous: Uint32Array | null = null;

  constructor(
    path: string,
    layout: IndexLayout,
    symbols: SymbolTable | null,
    meta: CheckedMeta | null,
    findings: Findings,
  ) {
    this.#path = path;
    this.#symbols = symbols;
    this.#meta = meta;
    this.#findings = findings;
    const end = Math.ceil(layout.labelIndicesAt / SERIES_ALIGN);
    this.series = new SeriesSet(Math.floor(layout.seriesAt / SERIES_ALIGN), end);
  }

  entry({ offset, symbols, chunks }: WalkedSeries, checker: ChunkChecker): void {
    const ref = offset / SERIES_ALIGN;
    this.series.add(ref);
    this.#labels(offset, symbols, ref);
    if (chunks.length === 0) this.#tell(offset, 'a series has no chunk');
    for (const [i, chunk] of chunks.entries()) {
      if (i > 0 && chunk.minMs <= chunks[i - 1]!.maxMs)
        this.#tell(offset, `chunk ${i} of the series overlaps the one before`);
      if (this.#meta !== null) {
        const { minTime, maxTime } = this.#meta.meta;
        if (chunk.minMs < minTime || chunk.maxMs >= maxTime)
          this.#tell(offset, `chunk ${i} of the series lies outside of the block's time`);
      }
      checker.check(chunk, `the series at ${offset} of the index`);
    }
  }

  #labels(offset: number, symbols: Uint32Array, ref: number): void {
    const table = this.#symbols;
    if (table === null) return;
    if (symbols.length === 0) this.#tell(offset, 'a series has no label');
    // Symbols are sorted, so their numbers order as their texts do.
    for (let i = 0; i < symbols.length; i += 2) {
      const name = symbols[i]!;
      const value = symbols[i + 1]!;
      if (name >= table.count || value >= table.count) {
        this.#tell(offset, 'a label of the series names a symbol that is not there');
        continue;
      }
      if (i > 0 && name <= symbols[i - 2]!)
        this.#tell(offset, 'labels of the series are not in order');
      if (name === table.empty || value === table.empty)
        this.#tell(offset, 'a label of the series is empty');
      this.pairs.add(table.hashes[name]!, table.hashes[value]!, ref);
    }
    if (this.#previous !== null && compareSymbols(this.#previous, symbols) >= 0)
      this.#tell(offset, 'the series is not behind the one before it in order');
    this.#previous = symbols;
  }

  #tell(offset: number, text: string): void {
    this.#findings.add(this.#path, offset, text);
  }
}

function compareSymbols(a: Uint32Array, b: Uint32Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Checks the deletions; gives how many there are. */
function verifyTombstones(
  { files, directory, findings }: VerifyBlockOptions,
  series: SeriesSet | null,
): number {
  const path = `${directory}/tombstones`;
  if (!files.exists(path)) return 0;
  const bytes = files.readFile(path);
  const bySeries = new Map<number, Interval[]>();
  try {
    const end = bytes.length - 4;
    const source = new ByteReader(bytes, 0, end);
    if (source.u32() !== TOMBSTONES_MAGIC) findings.add(path, 0, 'is no tombstones file');
    if (source.u8() !== TOMBSTONES_VERSION) findings.add(path, 4, 'has an unknown version');
    if (crc32c(bytes, source.offset, end) !== new ByteReader(bytes, end).u32()) {
      findings.add(path, end, 'wrong checksum of the tombstones');
      return 0;
    }
    while (source.remaining > 0) {
      const at = source.offset;
      const ref = source.uvarint();
      const minMs = source.varint();
      const maxMs = source.varint();
      if (minMs > maxMs) findings.add(path, at, 'a deleted interval ends before it begins');
      if (series !== null && !series.has(ref))
        findings.add(path, at, `series ${ref} of a deletion is not there`);
      bySeries.set(ref, addInterval(bySeries.get(ref) ?? [], { minMs, maxMs }));
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, error.offset, 'the tombstones do not decode');
  }
  let count = 0;
  for (const intervals of bySeries.values()) count += intervals.length;
  return count;
}
