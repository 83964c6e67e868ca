import type { Clock, Files } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { CorruptionError } from '../errors.ts';
import type { HistogramRecord } from '../format/wal-histograms.ts';
import { createSampleColumns, type SampleColumns } from '../format/wal-record.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { sampleOf } from '../query/histogram-values.ts';
import { Slices } from '../slices.ts';
import type { Expiries } from '../wal/expiries.ts';
import { decodeRecord, type WalRecord } from '../wal/records.ts';
import { segmentName } from '../wal/segment.ts';
import { SegmentReader } from '../wal/segment-reader.ts';
import { lastCheckpoint, listSegments } from '../wal/wal.ts';
import type { Head } from './head.ts';

export type ReplayOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly walDirectory: string;
  readonly head: Head;
  /** Takes the references that are not used any more but stand in records. */
  readonly expiries: Expiries;
  /** Leaves the files as they are: damage ends the reading and is only reported. */
  readonly isReadOnly?: boolean;
};

type ReplayState = {
  readonly options: ReplayOptions;
  readonly columns: SampleColumns;
  /** A series that was logged under several references lives under the first. */
  readonly aliases: Map<number, number>;
  readonly lastSegment: number;
  unknownRefs: number;
  otherRecords: number;
};

/**
 * Rebuilds the head from the newest checkpoint and the segments behind it, one page at a time. A torn or damaged end is
 * cut off; damage further in drops what follows it, as Prometheus does, and says so. Returns the references that stand in
 * the log for a series which lives under another one, with that one.
 */
export async function replayWal(options: ReplayOptions): Promise<ReadonlyMap<number, number>> {
  const { files, log, walDirectory } = options;
  const checkpoint = lastCheckpoint(files, walDirectory);
  const segments = listSegments(files, walDirectory).filter(
    (index) => checkpoint === null || index > checkpoint.index,
  );
  checkContiguous(walDirectory, segments);
  const state: ReplayState = {
    options,
    columns: createSampleColumns(4096),
    aliases: new Map(),
    lastSegment: segments.at(-1) ?? checkpoint?.index ?? 0,
    unknownRefs: 0,
    otherRecords: 0,
  };
  for (const path of checkpoint?.files ?? []) await replayCheckpoint(state, path);
  for (const [position, index] of segments.entries()) {
    const path = `${walDirectory}/${segmentName(index)}`;
    const error = await replayRepairing(state, path);
    if (error === null) continue;
    if (options.isReadOnly === true) break;
    const dropped = segments.slice(position + 1);
    for (const later of dropped) files.remove(`${walDirectory}/${segmentName(later)}`);
    if (dropped.length > 0) {
      log.error('later segments of the damaged log were removed', { segments: dropped.length });
    }
    break;
  }
  for (const alias of state.aliases.keys()) {
    options.expiries.note(alias, state.lastSegment, options.head.maxMs);
  }
  if (state.unknownRefs > 0) {
    log.warn('log records without a series were skipped', { records: state.unknownRefs });
  }
  if (state.otherRecords > 0) {
    log.warn('log records of kinds that are not supported were skipped', {
      records: state.otherRecords,
    });
  }
  return state.aliases;
}

/** A hole between segments would silently lose what was in it. */
function checkContiguous(directory: string, segments: readonly number[]): void {
  for (let i = 1; i < segments.length; i++) {
    if (segments[i] !== segments[i - 1]! + 1) {
      throw new CorruptionError(
        directory,
        `segment ${segmentName(segments[i - 1]! + 1)} of the log is missing; restore it, or remove the later ones to go on without them`,
      );
    }
  }
}

/** A checkpoint was complete when it got its name, so damage in it is not a torn end: nothing is cut, the user decides. */
async function replayCheckpoint(state: ReplayState, path: string): Promise<void> {
  try {
    await replayFile(state, path);
  } catch (error) {
    throw error instanceof DamagedFile ? error.corruption : error;
  }
}

/** Replays a segment; on damage cuts the file behind the last good record (unless read-only) and returns the error. */
async function replayRepairing(state: ReplayState, path: string): Promise<CorruptionError | null> {
  const { files, log, metrics } = state.options;
  try {
    await replayFile(state, path);
    return null;
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    metrics.walCorruptions.inc();
    if (state.options.isReadOnly === true) {
      log.warn('the log ends in a torn record', { file: path, offset: error.goodBytes });
      return error.corruption;
    }
    log.warn('the log is torn; cutting off what follows the last whole record', {
      file: path,
      offset: error.goodBytes,
      err: error.corruption.message,
    });
    const file = files.open(path, 'r+');
    try {
      file.truncate(error.goodBytes);
      file.sync();
    } finally {
      file.close();
    }
    return error.corruption;
  }
}

/** Carries how much of the file is good; never leaves this module. */
class DamagedFile extends Error {
  readonly corruption: CorruptionError;
  readonly goodBytes: number;

  constructor(corruption: CorruptionError, goodBytes: number) {
    super(corruption.message);
    this.corruption = corruption;
    this.goodBytes = goodBytes;
  }
}

async function replayFile(state: ReplayState, path: string): Promise<void> {
  const { files, clock } = state.options;
  const slices = new Slices(clock);
  const file = files.open(path, 'r');
  try {
    const size = file.size();
    const reader = new SegmentReader(file, path);
    for (;;) {
      const goodBytes = reader.offset;
      let record: WalRecord;
      try {
        const bytes = reader.next(size);
        if (bytes === null) return;
        record = decodeRecord(bytes, state.columns, path);
      } catch (error) {
        if (error instanceof CorruptionError) throw new DamagedFile(error, goodBytes);
        throw error;
      }
      // What a whole record says is never a reason to cut the log.
      applyRecord(state, record);
      if (slices.isOver) await slices.pause();
    }
  } finally {
    file.close();
  }
}

function applyRecord(state: ReplayState, record: WalRecord): void {
  const { head } = state.options;
  switch (record.kind) {
    case 'series':
      for (const { ref, labels } of record.series) applySeries(state, ref, labels);
      return;
    case 'samples':
      applySamples(state, record.samples);
      return;
    case 'tombstones':
      for (const { ref, minMs, maxMs } of record.tombstones) {
        const live = liveRef(state, ref);
        if (live !== 0 && maxMs >= head.minValidMs) head.addTombstone(live, { minMs, maxMs });
      }
      return;
    case 'metadata':
      for (const { ref, metadata } of record.metadata) {
        const live = liveRef(state, ref);
        if (live !== 0) head.metadata.set(live, metadata);
      }
      return;
    case 'exemplars':
      for (const { ref, timestampMs, value, labels } of record.exemplars) {
        const slot = head.table.slotOf(liveRef(state, ref));
        if (slot < 0) continue;
        const exemplar = { labels, value, timestampMs };
        const seriesLabels = head.table.labelsOf(slot);
        head.options.exemplars.add({ seriesLabels, exemplar, timestampMs });
      }
      return;
    case 'histograms':
      for (const entry of record.histograms) applyHistogram(state, entry);
      return;
    case 'other':
      state.otherRecords++;
      return;
  }
}

function applySeries(state: ReplayState, ref: number, labels: Labels): void {
  const { table } = state.options.head;
  if (ref <= 0 || ref >= 2 ** 32) {
    throw new CorruptionError(
      state.options.walDirectory,
      `series reference ${ref} is out of range; the log is not of this program or of Prometheus`,
    );
  }
  table.reserveRef(ref);
  const holder = table.slotOf(ref);
  let slot = table.find(labels);
  if (slot < 0) slot = holder < 0 ? table.create(labels, ref) : table.create(labels);
  const live = table.refs[slot]!;
  // The last record of a reference says what it means from here on.
  if (live === ref) {
    state.aliases.delete(ref);
    table.isLogged[slot] = 1;
    return;
  }
  state.aliases.set(ref, live);
  // The series that had the reference needs a new record before its next sample.
  if (holder >= 0) table.isLogged[holder] = 0;
}

function applySamples(state: ReplayState, samples: SampleColumns): void {
  const { head } = state.options;
  const { refs, timestampsMs, valueWords, count } = samples;
  for (let i = 0; i < count; i++) {
    if (timestampsMs[i]! < head.minValidMs) continue;
    const slot = head.table.slotOf(liveRef(state, refs[i]!));
    if (slot < 0) {
      head.table.reserveRef(refs[i]!);
      state.unknownRefs++;
      continue;
    }
    head.append(slot, timestampsMs[i]!, valueWords[i * 2]!, valueWords[i * 2 + 1]!);
  }
}

function applyHistogram(state: ReplayState, entry: HistogramRecord): void {
  const { head } = state.options;
  const { ref, timestampMs, startTimestampMs, histogram } = entry;
  if (timestampMs < head.minValidMs) return;
  const slot = head.table.slotOf(liveRef(state, ref));
  if (slot < 0) {
    head.table.reserveRef(ref);
    state.unknownRefs++;
    return;
  }
  head.appendHistogram(slot, sampleOf(histogram, timestampMs, startTimestampMs));
}

/** The reference under which the series lives now, 0 when it is unknown. */
function liveRef(state: ReplayState, ref: number): number {
  const alias = state.aliases.size === 0 ? undefined : state.aliases.get(ref);
  if (alias !== undefined) return alias;
  return state.options.head.table.slotOf(ref) >= 0 ? ref : 0;
}
