import { type Clock, errorText, type Files } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { CorruptionError } from '../errors.ts';
import type { HistogramRecord } from '../format/wal-histograms.ts';
import { createSampleColumns, RECORD, type SampleColumns } from '../format/wal-record.ts';
import type { Head } from '../head/head.ts';
import type { Slot } from '../head/series-table.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import { cutTorn, LogFile } from '../wal/log-sources.ts';
import { decodeRecord, type WalRecord } from '../wal/records.ts';
import { segmentName } from '../wal/segment.ts';
import type { Damage } from '../wal/segment-reader.ts';
import { listSegments } from '../wal/wal.ts';
import type { Zstd } from '../wal/zstd.ts';

export type OooReplayOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly directory: string;
  /** Holds the series already: the write-ahead log was replayed before. */
  readonly head: Head;
  readonly zstd: Zstd;
  /** The slot of the series that a reference in the write-ahead log stands for, −1 for none. */
  readonly slotOf: (ref: number) => Slot;
  /** Leaves the files as they are. */
  readonly isReadOnly?: boolean;
};

type ReplayState = {
  readonly options: OooReplayOptions;
  readonly columns: SampleColumns;
  unknownSamples: number;
  unknownHistograms: number;
  otherRecords: number;
  hasMarkers: boolean;
};

/**
 * Rebuilds the out-of-order samples from their log, whose every sample is in no block yet, or in one from which it was not
 * removed because the process ended: then both answer alike. Damage is passed over, a torn end is cut off. Returns whether
 * the log has markers.
 */
export async function replayOooLog(options: OooReplayOptions): Promise<boolean> {
  const { files, log, metrics, directory } = options;
  if (!files.exists(directory)) return false;
  const state: ReplayState = {
    options,
    columns: createSampleColumns(1024),
    unknownSamples: 0,
    unknownHistograms: 0,
    otherRecords: 0,
    hasMarkers: false,
  };
  const segments = listSegments(files, directory);
  for (const index of segments) {
    await replaySegment(state, `${directory}/${segmentName(index)}`, index === segments.at(-1));
  }
  const { unknownSamples, unknownHistograms } = state;
  metrics.oooUnknownRefs.with('samples').inc(unknownSamples);
  metrics.oooUnknownRefs.with('histograms').inc(unknownHistograms);
  if (unknownSamples + unknownHistograms > 0) {
    log.warn('out-of-order samples without a series were skipped', {
      samples: unknownSamples,
      histograms: unknownHistograms,
    });
  }
  if (state.otherRecords > 0) {
    log.warn('records of the out-of-order log of kinds that are not supported were skipped', {
      records: state.otherRecords,
    });
  }
  return state.hasMarkers;
}

async function replaySegment(state: ReplayState, path: string, isLast: boolean): Promise<void> {
  const { files, clock, zstd, isReadOnly } = state.options;
  const slices = new Slices(clock);
  const size = files.stat(path).size;
  let torn: Damage | null = null;
  const file = new LogFile(files, path, zstd, (damage) => {
    noteDamage(state.options, damage);
    if (damage.endOffset >= size && !damage.isUnreadable) torn = damage;
  });
  try {
    for (;;) {
      const { offset } = file;
      const bytes = file.next(size);
      if (bytes === null) break;
      if (bytes === 'load') {
        await file.loadZstd();
        continue;
      }
      try {
        applyRecord(state, decodeRecord(bytes, state.columns, path));
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        const endOffset = file.offset;
        const reason = errorText(error);
        noteDamage(state.options, { place: path, offset, endOffset, reason, isUnreadable: false });
      }
      if (slices.isOver) await slices.pause();
    }
  } finally {
    file.close();
  }
  if (torn !== null && isLast && isReadOnly !== true) cutTorn(files, torn);
}

function noteDamage({ log, metrics }: OooReplayOptions, damage: Damage): void {
  metrics.walCorruptions.inc();
  metrics.walLostBytes.inc(damage.endOffset - damage.offset);
  log.warn('damage in the out-of-order log was passed over', {
    file: damage.place,
    offset: damage.offset,
    bytes: damage.endOffset - damage.offset,
    err: damage.reason,
  });
}

function applyRecord(state: ReplayState, record: WalRecord): void {
  const { head } = state.options;
  switch (record.kind) {
    case 'samples':
      applySamples(state, record.samples);
      return;
    case 'histograms':
      for (const entry of record.histograms) applyHistogram(state, entry);
      return;
    case 'tombstones':
      for (const { ref, minMs, maxMs } of record.tombstones) {
        const slot = liveSlot(state, ref);
        if (slot >= 0) head.outOfOrder.samples.delete(slot, { minMs, maxMs });
      }
      return;
    case 'other':
      // A marker says that earlier samples of its series lie in a head chunk file too. They are all here as well.
      if (record.type === RECORD.mmapMarkers) state.hasMarkers = true;
      else state.otherRecords++;
      return;
    default:
      state.otherRecords++;
  }
}

function applySamples(state: ReplayState, samples: SampleColumns): void {
  const { head } = state.options;
  const { refs, timestampsMs, valueWords, startTimestampsMs, count } = samples;
  for (let i = 0; i < count; i++) {
    const slot = liveSlot(state, refs[i]!);
    if (slot < 0) {
      head.table.reserveRef(refs[i]!);
      state.unknownSamples++;
      continue;
    }
    const startMs = startTimestampsMs === null ? 0 : startTimestampsMs[i]!;
    head.appendLate(slot, timestampsMs[i]!, valueWords[i * 2]!, valueWords[i * 2 + 1]!, startMs);
  }
}

function applyHistogram(state: ReplayState, entry: HistogramRecord): void {
  const { head } = state.options;
  const slot = liveSlot(state, entry.ref);
  if (slot >= 0) head.appendLateHistogram(slot, entry);
  else {
    head.table.reserveRef(entry.ref);
    state.unknownHistograms++;
  }
}

/** The slot of the series that the reference stands for now, −1 when there is none. */
function liveSlot({ options: { head, slotOf } }: ReplayState, ref: number): Slot {
  const slot = slotOf(ref);
  return slot >= 0 ? slot : head.table.slotOf(ref);
}
