import { type ByteReader, type Clock, DecodeError, errorText, type Files } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { CorruptionError } from '../errors.ts';
import { createSampleColumns } from '../format/wal-record.ts';
import type { FoundChunks } from '../head/found-chunks.ts';
import type { Head } from '../head/head.ts';
import { LogRefs } from '../head/log-refs.ts';
import type { HeadChunkPlace } from '../head-chunks/place.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import type { Expiries } from '../wal/expiries.ts';
import { decodeRecord } from '../wal/records.ts';
import { segmentName, type WalPosition } from '../wal/segment.ts';
import { lastCheckpoint } from '../wal/wal.ts';
import { BYTE_ORDER, decodingFrames, FRAME, FrameReader } from './frames.ts';
import { SERIES_FLAG, SeriesRows } from './series-rows.ts';
import { HEAD_SNAPSHOT_FILE, HEAD_SNAPSHOT_TMP, logFingerprint } from './write-head-snapshot.ts';

export type LoadOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  /** The data directory. */
  readonly directory: string;
  readonly walDirectory: string;
  /** Empty, but for the time before which samples are in blocks. */
  readonly head: Head;
  readonly found: FoundChunks;
  readonly expiries: Expiries;
  readonly signal: AbortSignal;
};

/** The head is as a snapshot has it; the log is to be read from the position on. */
export type LoadedSnapshot = {
  readonly position: WalPosition;
  /** What references in the log mean. */
  readonly refs: LogRefs;
  readonly bytes: number;
  readonly seriesCount: number;
};

type End = {
  readonly lastRef: number;
  readonly chunkEnd: HeadChunkPlace;
  readonly seriesCount: number;
  readonly symbolCount: number;
};

type Summary = End & { readonly position: WalPosition };

/**
 * Fills the head from its snapshot. Null, and nothing done, when there is none or it does not go with the other files: then
 * it is removed, and the whole log tells. Yields between slices.
 */
export async function loadHeadSnapshot(options: LoadOptions): Promise<LoadedSnapshot | null> {
  const { files, clock, log, metrics, directory, signal } = options;
  files.remove(`${directory}/${HEAD_SNAPSHOT_TMP}`);
  const path = `${directory}/${HEAD_SNAPSHOT_FILE}`;
  if (!files.exists(path)) return null;
  const slices = new Slices(clock, signal);
  const file = files.open(path, 'r');
  try {
    // All is read once before anything is applied: the head cannot be emptied again.
    const summary = await checkFrames(new FrameReader(file, path), options, slices);
    const { position, seriesCount } = summary;
    checkLog(options, position);
    const { table } = options.head;
    table.reserveRef(summary.lastRef);
    table.expect(seriesCount, summary.symbolCount);
    const firstSlot = table.slotLimit;
    const loader = new Loader(options, path);
    const frames = new FrameReader(file, path, true);
    try {
      for (let frame = frames.next(); frame !== null; frame = frames.next()) {
        const { kind, body } = frame;
        decodingFrames(path, () => loader.apply(kind, body));
        if (slices.isOver) await slices.pause();
      }
    } finally {
      // Also when a frame did not decode: the log then goes on with the series that are there.
      await table.indexRestored(firstSlot, slices);
    }
    return { position, refs: loader.refs, bytes: file.size(), seriesCount };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    metrics.snapshotErrors.inc();
    log.warn('the head snapshot is not used and removed; the whole log is replayed', {
      err: errorText(error),
    });
    files.remove(path);
    return null;
  } finally {
    file.close();
  }
}

async function checkFrames(
  frames: FrameReader,
  { found, directory }: LoadOptions,
  slices: Slices,
): Promise<Summary> {
  const path = `${directory}/${HEAD_SNAPSHOT_FILE}`;
  let position: WalPosition | null = null;
  let summary: Summary | null = null;
  for (let frame = frames.next(); frame !== null; frame = frames.next()) {
    if (summary !== null) throw new CorruptionError(path, 'goes on behind its end');
    const { kind, body } = frame;
    if (kind === FRAME.start) {
      position = decodingFrames(path, () => readStart(body, path));
    } else if (position === null) {
      throw new CorruptionError(path, 'does not begin with its start');
    } else if (kind === FRAME.end) {
      const end = decodingFrames(path, () => readEnd(body));
      if (!isBehind(found.end, end.chunkEnd)) {
        throw new CorruptionError(path, 'head chunks that it needs are missing');
      }
      summary = { ...end, position };
    }
    if (slices.isOver) await slices.pause();
  }
  if (summary === null) throw new CorruptionError(path, 'has no end');
  return summary;
}

function readStart(body: ByteReader, path: string): WalPosition {
  const position = { segment: body.uvarint(), offset: body.uvarint() };
  body.uvarint();
  body.u32();
  if (body.u8() !== BYTE_ORDER) {
    throw new CorruptionError(path, 'was written by a machine with another order of bytes');
  }
  return position;
}

function readEnd(body: ByteReader): End {
  const seriesCount = body.uvarint();
  const lastRef = body.uvarint();
  if (lastRef >= 2 ** 32) throw new DecodeError('reference out of range', body.offset);
  const chunkEnd = { file: body.uvarint(), offset: body.uvarint() };
  return { seriesCount, lastRef, chunkEnd, symbolCount: body.uvarint() };
}

function isBehind(place: HeadChunkPlace, other: HeadChunkPlace): boolean {
  return place.file > other.file || (place.file === other.file && place.offset >= other.offset);
}

/** Throws CorruptionError when the log is not the one that the snapshot is of, or has lost what is needed of it. */
function checkLog({ files, directory, walDirectory }: LoadOptions, position: WalPosition): void {
  const path = `${directory}/${HEAD_SNAPSHOT_FILE}`;
  const checkpoint = lastCheckpoint(files, walDirectory);
  // A checkpoint that reaches over the position has all that matters of what lies between.
  if (checkpoint !== null && checkpoint.index >= position.segment) return;
  const segment = `${walDirectory}/${segmentName(position.segment)}`;
  if (!files.exists(segment) || files.stat(segment).size < position.offset) {
    throw new CorruptionError(path, 'the log does not reach its position');
  }
  const file = files.open(path, 'r');
  try {
    const start = new FrameReader(file, path).next();
    const isSame = decodingFrames(path, () => {
      if (start === null) return false;
      start.body.uvarint();
      start.body.uvarint();
      const length = start.body.uvarint();
      if (length > position.offset) return false;
      return logFingerprint(files, walDirectory, position, length).crc === start.body.u32();
    });
    if (!isSame) throw new CorruptionError(path, 'it is of another log');
  } finally {
    file.close();
  }
}

/** Applies checked frames to the head. */
class Loader {
  readonly refs = new LogRefs();
  readonly #options: LoadOptions;
  readonly #path: string;
  readonly #columns = createSampleColumns(0);
  /** The head's symbols by the snapshot's numbers. */
  #symbols = new Uint32Array(4096);
  #symbolCount = 0;
  readonly #rows = new SeriesRows();

  constructor(options: LoadOptions, path: string) {
    this.#options = options;
    this.#path = path;
  }

  apply(kind: number, body: ByteReader): void {
    switch (kind) {
      case FRAME.series:
        this.#applySymbols(body);
        this.#applySeries(body);
        return;
      case FRAME.record:
        this.#applyRecord(body.raw(body.remaining));
        return;
      case FRAME.expiries:
        this.#applyExpiries(body);
        return;
    }
  }

  #applySymbols(body: ByteReader): void {
    const { symbols } = this.#options.head.table;
    const count = body.uvarint();
    if (count > body.remaining) throw new DecodeError('more texts than bytes', body.offset);
    if (this.#symbolCount + count >= this.#symbols.length) {
      const grown = new Uint32Array((this.#symbolCount + count) * 2);
      grown.set(this.#symbols);
      this.#symbols = grown;
    }
    for (let i = 0; i < count; i++) {
      const length = body.uvarint();
      const start = body.offset;
      body.skip(length);
      this.#symbols[++this.#symbolCount] = symbols.idOfBytes(body.data, start, body.offset);
    }
  }

  #applySeries(body: ByteReader): void {
    const { head, found } = this.#options;
    const { table } = head;
    const rows = this.#rows;
    rows.decode(body);
    let at = 0;
    for (let row = 0; row < rows.count; row++) {
      rows.readLabels(row, this.#symbols, this.#symbolCount);
      const ref = rows.refs[row]!;
      if (ref === 0) throw new DecodeError('a series without a reference', row);
      const slot = table.restore(rows.labels, rows.sizes[row]!, ref);
      table.isLogged[slot] = 1;
      this.refs.set(ref, slot);
      found.claim(ref, slot);
      const dataBytes = rows.dataBytesOf(row);
      if (dataBytes > 0) {
        const isPlain = rows.flags[row] === SERIES_FLAG.floats;
        if (!this.#isNews(slot, rows.minMs[row]!, rows.newestMs[row]!)) {
          // It is known.
        } else if (isPlain === (table.starts === null)) {
          head.restoreOpen(slot, rows, row, rows.data, at);
        } else head.restoreEnded(slot, rows, row, rows.data, at);
        at += dataBytes;
      } else if (rows.flags[row] === SERIES_FLAG.histograms) this.#applyHistograms(body, slot);
      // A deletion must find it, also without samples in the head: the log may have late samples of it that are in blocks by now.
      if (table.isIndexed[slot] === 0) table.index(slot);
    }
  }

  #applyHistograms(body: ByteReader, slot: number): void {
    const encoding = body.u8();
    const minMs = body.varint();
    const maxMs = body.varint();
    const bytes = body.raw(body.uvarint());
    if (!this.#isNews(slot, minMs, maxMs)) return;
    const { head } = this.#options;
    head.restoreCompleted(slot, { encoding, bytes, start: 0, length: bytes.length, minMs, maxMs });
  }

  /** False when blocks have the chunk, or it was completed later and found in the head chunk files. */
  #isNews(slot: number, minMs: number, maxMs: number): boolean {
    const { head } = this.#options;
    return maxMs >= head.minValidMs && minMs > head.table.maxMs[slot]!;
  }

  #applyRecord(bytes: Uint8Array): void {
    const { head } = this.#options;
    const record = decodeRecord(bytes, this.#columns, this.#path);
    switch (record.kind) {
      case 'metadata':
        for (const { ref, metadata } of record.metadata) head.metadata.set(ref, metadata);
        return;
      case 'tombstones':
        for (const { ref, minMs, maxMs } of record.tombstones) {
          if (maxMs >= head.minValidMs) head.addTombstone(ref, { minMs, maxMs });
        }
        return;
      case 'exemplars':
        for (const { ref, timestampMs, value, labels } of record.exemplars) {
          const slot = head.table.slotOf(ref);
          if (slot < 0) continue;
          const seriesLabels = head.table.labelsOf(slot);
          const exemplar = { labels, value, timestampMs };
          const item = { seriesLabels, exemplar, timestampMs };
          // Each was taken once, by the window of its time.
          head.options.exemplars.add(item, Number.POSITIVE_INFINITY);
        }
        return;
      default:
        throw new DecodeError(`record of kind ${record.kind}`, 0);
    }
  }

  #applyExpiries(body: ByteReader): void {
    const { head, expiries, found } = this.#options;
    while (body.remaining > 0) {
      const ref = body.uvarint();
      const segment = body.uvarint();
      const maxMs = body.f64();
      const standsFor = body.uvarint();
      expiries.note(ref, segment, maxMs, standsFor);
      const slot = standsFor === 0 ? -1 : head.table.slotOf(standsFor);
      if (slot < 0) continue;
      this.refs.set(ref, slot);
      // Its completed chunks bear the reference that the series had when it filled them.
      found.claim(ref, slot);
    }
  }
}
