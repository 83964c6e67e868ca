import type { Clock, Files } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { CorruptionError } from '../errors.ts';
import { createSampleColumns, RECORD, type SampleColumns } from '../format/wal-record.ts';
import type { Head } from '../head/head.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import { decodeRecord, type WalRecord } from '../wal/records.ts';
import { segmentName } from '../wal/segment.ts';
import { SegmentReader } from '../wal/segment-reader.ts';
import { listSegments } from '../wal/wal.ts';

export type OooReplayOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly directory: string;
  /** Holds the series already: the write-ahead log was replayed before. */
  readonly head: Head;
  /** References of the write-ahead log under which a series does not live any more, and the one under which it does. */
  readonly aliases: ReadonlyMap<number, number>;
  /** Leaves the files as they are: damage ends the reading and is only reported. */
  readonly isReadOnly?: boolean;
};

type ReplayState = {
  readonly options: OooReplayOptions;
  readonly columns: SampleColumns;
  unknownSamples: number;
  otherRecords: number;
};

/**
 * Rebuilds the out-of-order samples from their log, whose every sample is in no block yet, or in one from which it was not
 * removed because the process ended: then both answer alike. A damaged end is cut off.
 */
export async function replayOooLog(options: OooReplayOptions): Promise<void> {
  const { files, log, metrics, directory } = options;
  if (!files.exists(directory)) return;
  const state: ReplayState = {
    options,
    columns: createSampleColumns(1024),
    unknownSamples: 0,
    otherRecords: 0,
  };
  const segments = listSegments(files, directory);
  for (const [position, index] of segments.entries()) {
    const path = `${directory}/${segmentName(index)}`;
    if (await replaySegment(state, path)) continue;
    if (options.isReadOnly === true) break;
    const dropped = segments.slice(position + 1);
    for (const later of dropped) files.remove(`${directory}/${segmentName(later)}`);
    if (dropped.length > 0) {
      log.error('later segments of the damaged out-of-order log were removed', {
        segments: dropped.length,
      });
    }
    break;
  }
  if (state.unknownSamples > 0) {
    metrics.oooUnknownSamples.inc(state.unknownSamples);
    log.warn('out-of-order samples without a series were skipped', {
      samples: state.unknownSamples,
    });
  }
  if (state.otherRecords > 0) {
    log.warn('records of the out-of-order log of kinds that are not supported were skipped', {
      records: state.otherRecords,
    });
  }
}

/** False when the segment was damaged; it is cut behind the last good record (unless read-only). */
async function replaySegment(state: ReplayState, path: string): Promise<boolean> {
  const { files, clock, log, metrics, isReadOnly } = state.options;
  const slices = new Slices(clock);
  const file = files.open(path, isReadOnly === true ? 'r' : 'r+');
  let goodBytes = 0;
  try {
    const size = file.size();
    const reader = new SegmentReader(file, path);
    for (;;) {
      goodBytes = reader.offset;
      const bytes = reader.next(size);
      if (bytes === null) return true;
      applyRecord(state, decodeRecord(bytes, state.columns, path));
      if (slices.isOver) await slices.pause();
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    metrics.walCorruptions.inc();
    log.warn('the out-of-order log is torn; what follows the last whole record is lost', {
      file: path,
      offset: goodBytes,
      err: error.message,
    });
    if (isReadOnly !== true) {
      file.truncate(goodBytes);
      file.sync();
    }
    return false;
  } finally {
    file.close();
  }
}

function applyRecord(state: ReplayState, record: WalRecord): void {
  const { head } = state.options;
  switch (record.kind) {
    case 'samples':
      applySamples(state, record.samples);
      return;
    case 'tombstones':
      for (const { ref, minMs, maxMs } of record.tombstones) {
        const slot = liveSlot(state, ref);
        if (slot >= 0) head.outOfOrder.samples.delete(slot, { minMs, maxMs });
      }
      return;
    case 'other':
      // A marker says that earlier samples of its series lie in a head chunk file too. They are all here as well.
      if (record.type !== RECORD.mmapMarkers) state.otherRecords++;
      return;
    default:
      state.otherRecords++;
  }
}

function applySamples(state: ReplayState, samples: SampleColumns): void {
  const { head } = state.options;
  const { refs, timestampsMs, valueWords, count } = samples;
  for (let i = 0; i < count; i++) {
    const slot = liveSlot(state, refs[i]!);
    if (slot < 0) {
      head.table.reserveRef(refs[i]!);
      state.unknownSamples++;
      continue;
    }
    head.appendLate(slot, timestampsMs[i]!, valueWords[i * 2]!, valueWords[i * 2 + 1]!);
  }
}

/** The slot of the series that the reference stands for now, −1 when there is none. */
function liveSlot({ options: { head, aliases } }: ReplayState, ref: number): number {
  return head.table.slotOf(aliases.get(ref) ?? ref);
}
