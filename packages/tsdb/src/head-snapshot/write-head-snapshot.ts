import { ByteWriter, type Clock, crc32c, type Files } from '@pollux/base';
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
import type { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import { Slices } from '../slices.ts';
import type { Expiries } from '../wal/expiries.ts';
import { segmentName, type WalPosition } from '../wal/segment.ts';
import type { Wal } from '../wal/wal.ts';
import { FRAME, FRAME_BYTES, FrameWriter } from './frames.ts';

export const HEAD_SNAPSHOT_FILE = 'head_snapshot';
export const HEAD_SNAPSHOT_TMP = 'head_snapshot.tmp';
/** Of the log before the position, by which a start sees that it is the same log. */
const FINGERPRINT_BYTES = 4096;
const RECORD_ENTRIES = 500;
export const SERIES_FLAG = { floats: 1, histograms: 2 } as const;

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

export type WrittenSnapshot = { readonly position: WalPosition; readonly bytes: number };

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
    });
    const bytes = writer.size;
    await writer.finish();
    files.rename(temporary, path);
    await files.datasyncDirectory(directory);
    return { position, bytes };
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
  });
}

async function writeSeries(source: HeadSnapshotSource, writer: FrameWriter): Promise<number> {
  const { head, clock, signal } = source;
  const { table } = head;
  const slices = new Slices(clock, signal);
  const symbols = new SymbolNumbers(head);
  const rows = new ByteWriter(FRAME_BYTES * 2);
  const payload = new ByteWriter(FRAME_BYTES * 2);
  let seriesCount = 0;
  const flush = (): void => {
    payload.reset();
    payload.u8(FRAME.series);
    symbols.take(payload);
    payload.raw(rows.bytes());
    rows.reset();
    writer.frame(payload.bytes());
  };
  for (let slot = 0; slot < table.slotLimit; slot++) {
    // A series without a record in the log has no samples, or gets a record before its next.
    if (table.refs[slot] === 0 || table.isLogged[slot] === 0) continue;
    encodeSeriesRow(rows, head, slot, symbols);
    seriesCount++;
    if (rows.size >= FRAME_BYTES) flush();
    if (slot % 64 === 0 && slices.isOver) await slices.pause();
  }
  flush();
  return seriesCount;
}

/** Numbers for the head's symbols, in the order of their first use. */
class SymbolNumbers {
  readonly #head: Head;
  readonly #texts = new ByteWriter(FRAME_BYTES);
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
    this.#texts.uvarintText(this.#head.table.symbols.text(symbol));
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

function encodeSeriesRow(target: ByteWriter, head: Head, slot: Slot, symbols: SymbolNumbers): void {
  const { table } = head;
  const open = head.openChunkOf(slot);
  const isFloats = open !== null && table.openRef[slot] !== 0;
  target.uvarint(table.refs[slot]!);
  target.u8(open === null ? 0 : isFloats ? SERIES_FLAG.floats : SERIES_FLAG.histograms);
  const labels = table.labelSymbols(slot);
  target.uvarint(labels.length / 2);
  for (let i = 0; i < labels.length; i++) target.uvarint(symbols.of(labels[i]!));
  if (open === null) return;
  const { encoding, bytes, start, length, minMs, maxMs } = open;
  if (isFloats) {
    const { xor } = table;
    target.varint(minMs);
    target.varint(table.openCutMs[slot]!);
    target.uvarint(maxMs - minMs);
    target.uvarint(xor.lastDeltaMs[slot]!);
    target.u32(xor.lastValueWords[slot * 2]!);
    target.u32(xor.lastValueWords[slot * 2 + 1]!);
    target.u16(xor.bitLength[slot]!);
    target.u8(xor.leading[slot]!);
    target.u8(xor.trailing[slot]!);
  } else {
    target.u8(encoding);
    target.varint(minMs);
    target.varint(maxMs);
  }
  target.uvarint(length);
  target.raw(bytes, start, start + length);
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
