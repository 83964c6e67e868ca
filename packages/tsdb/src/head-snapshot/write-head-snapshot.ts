import { ByteWriter, type Clock, crc32c, type Files } from '@pollux/base';
import { xorByteLength } from '@pollux/kernels';
import {
  type ExemplarRecord,
  encodeExemplars,
  encodeMetadata,
  encodeTombstones,
  type MetadataRecord,
  type TombstoneRecord,
} from '../format/wal-record.ts';
import type { StoredExemplar } from '../head/exemplar-ring.ts';
import type { Head } from '../head/head.ts';
import type { Slot } from '../head/series-table.ts';
import { offsetOf } from '../head/slabs.ts';
import type { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import { Slices } from '../slices.ts';
import type { Expiries } from '../wal/expiries.ts';
import { segmentName, type WalPosition } from '../wal/segment.ts';
import type { Wal } from '../wal/wal.ts';
import { BYTE_ORDER, FRAME, FRAME_BYTES, FrameWriter } from './frames.ts';
import { SERIES_FLAG, SeriesRows } from './series-rows.ts';

export const HEAD_SNAPSHOT_FILE = 'head_snapshot';
export const HEAD_SNAPSHOT_TMP = 'head_snapshot.tmp';
/** Of the log before the position, by which a start sees that it is the same log. */
const FINGERPRINT_BYTES = 4096;
const RECORD_ENTRIES = 500;

export type HeadSnapshotSource = {
  readonly files: Files;
  readonly clock: Clock;
  /** The data directory. */
  readonly directory: string;
  readonly head: Head;
  readonly chunkFiles: HeadChunkFiles;
  readonly wal: Wal;
  readonly expiries: Expiries;
  readonly signal: AbortSignal;
};

export type WrittenSnapshot = {
  readonly position: WalPosition;
  readonly bytes: number;
  readonly seriesCount: number;
};

/**
 * Replaces the head snapshot. The caller sees to it that at the call no commit is logged but not visible yet, and that the
 * head is not truncated before the end. Yields between slices; after an error the old snapshot is there.
 */
export async function writeHeadSnapshot(source: HeadSnapshotSource): Promise<WrittenSnapshot> {
  const { files, directory, wal, chunkFiles } = source;
  const path = `${directory}/${HEAD_SNAPSHOT_FILE}`;
  const temporary = `${directory}/${HEAD_SNAPSHOT_TMP}`;
  const position = wal.position();
  const exemplars = source.head.options.exemplars.inOrderOfArrival();
  files.remove(temporary);
  const writer = new FrameWriter(files, temporary);
  try {
    writeStart(source, writer, position);
    const seriesCount = await writeSeries(source, writer);
    await writeRest(source, writer, exemplars);
    // What the snapshot leaves to the other files must be on the disk before it is.
    const end = chunkFiles.lastPlace();
    await chunkFiles.flush();
    await wal.sync();
    await files.datasyncDirectory(wal.walDirectory);
    writer.small(FRAME.end, (target) => {
      target.uvarint(seriesCount);
      target.uvarint(source.head.table.lastRef);
      target.uvarint(end.file);
      target.uvarint(end.offset);
      target.uvarint(source.head.table.symbols.count);
    });
    const bytes = writer.size;
    await writer.finish();
    files.rename(temporary, path);
    await files.datasyncDirectory(directory);
    return { position, bytes, seriesCount };
  } catch (error) {
    writer.abandon();
    files.remove(temporary);
    throw error;
  }
}

/** The bytes of the log before the position that tell one log from another. */
export function logFingerprint(
  files: Files,
  walDirectory: string,
  { segment, offset }: WalPosition,
  length = Math.min(offset, FINGERPRINT_BYTES),
): { readonly length: number; readonly crc: number } {
  const bytes = new Uint8Array(length);
  if (length > 0) {
    const file = files.open(`${walDirectory}/${segmentName(segment)}`, 'r');
    try {
      file.read(bytes, 0, length, offset - length);
    } finally {
      file.close();
    }
  }
  return { length, crc: crc32c(bytes) };
}

function writeStart(
  { files, wal }: HeadSnapshotSource,
  writer: FrameWriter,
  position: WalPosition,
): void {
  const { length, crc } = logFingerprint(files, wal.walDirectory, position);
  writer.small(FRAME.start, (target) => {
    target.uvarint(position.segment);
    target.uvarint(position.offset);
    target.uvarint(length);
    target.u32(crc);
    target.u8(BYTE_ORDER);
  });
}

async function writeSeries(source: HeadSnapshotSource, writer: FrameWriter): Promise<number> {
  const { head, clock, signal } = source;
  const { table } = head;
  const slices = new Slices(clock, signal);
  const symbols = new SymbolNumbers(head);
  const numberOf = (symbol: number): number => symbols.of(symbol);
  const rows = new SeriesRows();
  const histograms = new ByteWriter();
  const payload = new ByteWriter(FRAME_BYTES * 4);
  let seriesCount = 0;
  const flush = (): void => {
    payload.reset();
    payload.u8(FRAME.series);
    symbols.take(payload);
    rows.encode(payload);
    payload.raw(histograms.bytes());
    writer.frame(payload.bytes());
    rows.clear();
    histograms.reset();
  };
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (slot % 256 === 0 && slices.isOver) await slices.pause();
    // A series without a record in the log has no samples, or gets a record before its next.
    if (table.refs[slot] === 0 || table.isLogged[slot] === 0) continue;
    const row = rows.put(table.refs[slot]!, table.labelSymbols(slot), numberOf);
    putChunk(rows, row, head, slot, histograms);
    seriesCount++;
    if (rows.isFull || rows.dataBytes + histograms.size >= FRAME_BYTES * 4) flush();
  }
  flush();
  return seriesCount;
}

/** Numbers for the head's symbols, in the order of their first use. */
class SymbolNumbers {
  readonly #head: Head;
  readonly #texts = new ByteWriter(FRAME_BYTES);
  #text = new Uint8Array(256);
  #textView = new DataView(this.#text.buffer);
  #numbers: Uint32Array;
  #last = 0;
  #pending = 0;

  constructor(head: Head) {
    this.#head = head;
    this.#numbers = new Uint32Array(head.table.symbols.limit + 1024);
  }

  of(symbol: number): number {
    if (symbol >= this.#numbers.length) {
      const grown = new Uint32Array(this.#head.table.symbols.limit * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    const known = this.#numbers[symbol]!;
    if (known !== 0) return known;
    const { symbols } = this.#head.table;
    if (symbols.mostWrittenBytes > this.#text.length) {
      this.#text = new Uint8Array(symbols.mostWrittenBytes * 2);
      this.#textView = new DataView(this.#text.buffer);
    }
    this.#texts.raw(this.#text, 0, symbols.write(symbol, this.#textView, 0));
    this.#pending++;
    this.#numbers[symbol] = ++this.#last;
    return this.#last;
  }

  /** Moves the texts of numbers that are new since the last call to the target. */
  take(target: ByteWriter): void {
    target.uvarint(this.#pending);
    target.raw(this.#texts.bytes());
    this.#texts.reset();
    this.#pending = 0;
  }
}

/** Puts the open chunk of a series into the row that was begun for it. */
function putChunk(
  rows: SeriesRows,
  row: number,
  head: Head,
  slot: Slot,
  histograms: ByteWriter,
): void {
  const { table, pool } = head;
  const { xor, starts } = table;
  const ref = table.openRef[slot]!;
  const bitLength = ref === 0 ? 0 : xor.bitLength[slot]!;
  rows.bitLengths[row] = bitLength;
  const floats = starts === null ? SERIES_FLAG.floats : SERIES_FLAG.floatsWithStart;
  rows.flags[row] = bitLength > 0 ? floats : 0;
  if (bitLength > 0) {
    rows.minMs[row] = table.openMinMs[slot]!;
    rows.cutMs[row] = table.openCutMs[slot]!;
    rows.newestMs[row] = table.maxMs[slot]!;
    rows.deltaMs[row] = xor.lastDeltaMs[slot]!;
    rows.valueWords[row * 2] = xor.lastValueWords[slot * 2]!;
    rows.valueWords[row * 2 + 1] = xor.lastValueWords[slot * 2 + 1]!;
    rows.leading[row] = xor.leading[slot]!;
    rows.trailing[row] = xor.trailing[slot]!;
    rows.putData(pool.slabOf(ref).bytes, offsetOf(ref), xorByteLength(xor, slot));
    if (starts !== null) {
      const [startMs, distanceMs] = [starts.startMs[slot]!, starts.distanceMs[slot]!];
      rows.putStartState({ startMs, distanceMs, isStale: starts.isStale[slot] === 1 });
    }
    return;
  }
  const open = ref === 0 ? head.histograms.chunkOf(slot) : null;
  if (open === null) return;
  rows.flags[row] = SERIES_FLAG.histograms;
  histograms.u8(open.encoding);
  histograms.varint(open.minMs);
  histograms.varint(open.maxMs);
  histograms.uvarint(open.length);
  histograms.raw(open.bytes, open.start, open.start + open.length);
}

async function writeRest(
  { head, expiries, clock, signal }: HeadSnapshotSource,
  writer: FrameWriter,
  exemplars: readonly StoredExemplar[],
): Promise<void> {
  const slices = new Slices(clock, signal);
  const record = (encode: (target: ByteWriter) => void): void => {
    writer.small(FRAME.record, encode);
  };
  await inParts(metadataOf(head), slices, (part) => record((to) => encodeMetadata(to, part)));
  await inParts(stonesOf(head), slices, (part) => record((to) => encodeTombstones(to, part)));
  await inParts(exemplarsOf(head, exemplars), slices, (part) =>
    record((to) => encodeExemplars(to, part)),
  );
  await inParts(expiries.entries(), slices, (part) =>
    writer.small(FRAME.expiries, (target) => {
      for (const { ref, segment, maxMs, standsFor } of part) {
        target.uvarint(ref);
        target.uvarint(segment);
        target.f64(maxMs);
        target.uvarint(standsFor);
      }
    }),
  );
}

function* metadataOf({ metadata }: Head): Generator<MetadataRecord> {
  for (const [ref, entry] of metadata) yield { ref, metadata: entry };
}

function* stonesOf({ tombstones }: Head): Generator<TombstoneRecord> {
  for (const [ref, intervals] of tombstones) {
    for (const { minMs, maxMs } of intervals) yield { ref, minMs, maxMs };
  }
}

function* exemplarsOf(
  { table }: Head,
  exemplars: readonly StoredExemplar[],
): Generator<ExemplarRecord> {
  for (const { seriesLabels, exemplar, timestampMs } of exemplars) {
    const slot = table.find(seriesLabels);
    if (slot < 0) continue;
    const { value, labels } = exemplar;
    yield { ref: table.refs[slot]!, timestampMs, value, labels };
  }
}

async function inParts<T>(
  items: Iterable<T>,
  slices: Slices,
  write: (part: readonly T[]) => void,
): Promise<void> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length < RECORD_ENTRIES) continue;
    write(part);
    part = [];
    if (slices.isOver) await slices.pause();
  }
  if (part.length > 0) write(part);
}
