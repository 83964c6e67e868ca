import { ByteWriter, type Clock, errorText, type Files } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { encodeHistograms } from '../format/wal-histograms.ts';
import {
  createSampleColumns,
  encodeExemplars,
  encodeMetadata,
  encodeSamples,
  encodeSeries,
  encodeTombstones,
  type MetadataRecord,
  type SampleColumns,
} from '../format/wal-record.ts';
import { Slices } from '../slices.ts';
import { decodeRecord } from './records.ts';
import { segmentName } from './segment.ts';
import { type Damage, SegmentReader } from './segment-reader.ts';
import { SegmentWriter, type WalCompression } from './segment-writer.ts';
import { CHECKPOINT_TMP, checkpointPath, lastCheckpoint } from './wal.ts';
import type { Zstd } from './zstd.ts';

export type CheckpointOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly walDirectory: string;
  /** First and last segment that the checkpoint replaces. */
  readonly first: number;
  readonly last: number;
  readonly segmentBytes: number;
  readonly compression: WalCompression;
  readonly zstd: Zstd;
  /** Samples, exemplars and tombstones that end before it are left out. */
  readonly minMs: number;
  readonly signal: AbortSignal;
  /** Whether records of the series are still needed. */
  readonly keepSeries: (ref: number) => boolean;
  /** Told of bytes that give no record and are left out. */
  readonly onDamage: (damage: Damage) => void;
};

const MAX_METADATA_PER_RECORD = 10_000;

/**
 * Writes `checkpoint.<last>`: what is still needed of the previous checkpoint and of the segments. It gets its name only
 * when it is complete and synced. Layout in `wal.md`.
 */
export async function writeCheckpoint(options: CheckpointOptions): Promise<void> {
  const { files, clock, walDirectory, last } = options;
  // A crash came between writing it and removing the segments. Replacing it would leave, for a moment, neither.
  if ((lastCheckpoint(files, walDirectory)?.index ?? -1) >= last) return;
  const path = checkpointPath(walDirectory, last);
  const temporary = `${path}${CHECKPOINT_TMP}`;
  files.removeTree(temporary);
  files.makeDirectory(temporary);
  const writer = new SegmentWriter(
    {
      files,
      directory: temporary,
      segmentBytes: options.segmentBytes,
      compression: options.compression,
    },
    0,
  );
  try {
    const slices = new Slices(clock, options.signal);
    const columns = createSampleColumns(4096);
    /** The newest of each series: earlier ones need not be kept. */
    const metadata = new Map<number, MetadataRecord>();
    for (const source of sources(options)) {
      await copyKept({ options, source, writer, columns, metadata, slices });
    }
    const records = [...metadata.values()];
    for (let i = 0; i < records.length; i += MAX_METADATA_PER_RECORD) {
      const part = records.slice(i, i + MAX_METADATA_PER_RECORD);
      writer.write([encoded((target) => encodeMetadata(target, part))]);
    }
  } finally {
    await writer.close();
  }
  await files.datasyncDirectory(temporary);
  files.rename(temporary, path);
  await files.datasyncDirectory(walDirectory);
}

/** Files of the previous checkpoint, then the segments behind it. */
function sources(options: CheckpointOptions): string[] {
  const { files, walDirectory, first, last } = options;
  const previous = lastCheckpoint(files, walDirectory);
  const from = Math.max(first, (previous?.index ?? -1) + 1);
  const paths = [...(previous?.files ?? [])];
  for (let index = from; index <= last; index++) {
    paths.push(`${walDirectory}/${segmentName(index)}`);
  }
  return paths;
}

async function copyKept(work: {
  readonly options: CheckpointOptions;
  readonly source: string;
  readonly writer: SegmentWriter;
  readonly columns: SampleColumns;
  readonly metadata: Map<number, MetadataRecord>;
  readonly slices: Slices;
}): Promise<void> {
  const { options, source, writer, columns, metadata, slices } = work;
  const file = options.files.open(source, 'r');
  try {
    const size = file.size();
    const { onDamage, zstd } = options;
    const reader = new SegmentReader(file, source, { onDamage, zstd });
    for (;;) {
      const offset = reader.offset;
      const bytes = reader.next(size);
      if (bytes === null) return;
      try {
        const kept = keepOf(options, bytes, columns, metadata, source);
        if (kept !== null) writer.write([kept]);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        const reason = errorText(error);
        const { offset: endOffset } = reader;
        onDamage({ place: source, offset, endOffset, reason, isUnreadable: false });
      }
      if (slices.isOver) await slices.pause();
    }
  } finally {
    file.close();
  }
}

/** The record with only what is needed, or null when that is nothing. */
function keepOf(
  { keepSeries, minMs }: CheckpointOptions,
  bytes: Uint8Array,
  columns: SampleColumns,
  metadata: Map<number, MetadataRecord>,
  place: string,
): Uint8Array | null {
  const record = decodeRecord(bytes, columns, place);
  switch (record.kind) {
    case 'series': {
      const series = record.series.filter(({ ref }) => keepSeries(ref));
      return series.length === 0 ? null : encoded((target) => encodeSeries(target, series));
    }
    case 'samples': {
      const { refs, timestampsMs, valueWords, startTimestampsMs } = columns;
      let count = 0;
      for (let i = 0; i < columns.count; i++) {
        if (timestampsMs[i]! < minMs) continue;
        refs[count] = refs[i]!;
        timestampsMs[count] = timestampsMs[i]!;
        valueWords[count * 2] = valueWords[i * 2]!;
        valueWords[count * 2 + 1] = valueWords[i * 2 + 1]!;
        if (startTimestampsMs !== null) startTimestampsMs[count] = startTimestampsMs[i]!;
        count++;
      }
      return count === 0 ? null : encoded((target) => encodeSamples(target, columns, 0, count));
    }
    case 'tombstones': {
      const stones = record.tombstones.filter(({ maxMs }) => maxMs >= minMs);
      return stones.length === 0 ? null : encoded((target) => encodeTombstones(target, stones));
    }
    case 'histograms': {
      const histograms = record.histograms.filter(({ timestampMs }) => timestampMs >= minMs);
      // The type stays: what it says of integers and start timestamps is in its first byte.
      return histograms.length === 0
        ? null
        : encoded((target) => encodeHistograms(target, bytes[0]!, histograms));
    }
    case 'exemplars': {
      const exemplars = record.exemplars.filter(({ timestampMs }) => timestampMs >= minMs);
      return exemplars.length === 0
        ? null
        : encoded((target) => encodeExemplars(target, exemplars));
    }
    case 'metadata':
      for (const entry of record.metadata) {
        if (keepSeries(entry.ref)) metadata.set(entry.ref, entry);
      }
      return null;
    case 'other':
      // What this program does not understand it keeps.
      return bytes;
  }
}

function encoded(encode: (target: ByteWriter) => void): Uint8Array {
  const target = new ByteWriter(4096);
  encode(target);
  return target.bytes();
}
