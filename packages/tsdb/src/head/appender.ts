import { type ByteWriter, InputError } from '@pollux/base';
import {
  type Exemplar,
  type FloatHistogram,
  histogramFault,
  type Labels,
  type Metadata,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  wordsOf,
} from '@pollux/model';
import {
  APPEND_OUTCOME,
  type Appender,
  type ChangeLog,
  labelsOfUtf8,
  type SeriesRef,
  sampleOf,
  staleHistogram,
} from '@pollux/storage';
import type { SeriesGuard, SeriesLimitName } from '../cardinality/series-guard.ts';
import { ClosedError, PartlyStoredError, WalWriteError } from '../errors.ts';
import {
  encodeHistograms,
  type HistogramRecord,
  histogramRecordsOf,
} from '../format/wal-histograms.ts';
import {
  createSampleColumns,
  type ExemplarRecord,
  encodeExemplars,
  encodeMetadata,
  encodeSamples,
  growSampleColumns,
  type MetadataRecord,
  type SampleColumns,
} from '../format/wal-record.ts';
import type { SampleMetrics, TsdbMetrics } from '../metrics.ts';
import { LateSamples } from '../ooo/late-samples.ts';
import type { Wal } from '../wal/wal.ts';
import { type AppendBounds, appendBounds, LATE } from './append-bounds.ts';
import type { Head, ValueWords } from './head.ts';
import type { ReplayGate } from './replay-gate.ts';
import type { SeriesRecords } from './series-records.ts';
import type { Slot } from './series-table.ts';

export type AppenderOptions = {
  readonly head: Head;
  readonly wal: Wal;
  readonly metrics: TsdbMetrics;
  /** Whether a commit waits until its records are on the disk. */
  readonly isSynced: boolean;
  readonly guard: SeriesGuard;
  /** Whether start timestamps are kept. */
  readonly keepsStartTimes: boolean;
  /** Staging memory of appenders that have ended, for the next ones. */
  readonly spareColumns: SampleColumns[];
  /** Shared by all appenders: a batch is encoded and written in one go. */
  readonly scratch: ByteWriter;
  /** Shared as well. */
  readonly seriesRecords: SeriesRecords;
  readonly gate: ReplayGate;
  /**
   * Given for batches that their sender sends again: while the log is replayed a sample of which nobody can tell whether it is
   * in order throws this error, instead of being left out by the replay perhaps.
   */
  readonly unsure: (() => Error) | null;
  /** Noted as the batch becomes visible. */
  readonly changes: ChangeLog;
  /** Null while the database takes writes, else the error to give. */
  readonly refusal: () => Error | null;
};

/** Samples of one log record; keeps a record far below a segment's size. */
const SAMPLES_PER_RECORD = 100_000;
const MAX_SPARE_COLUMNS = 8;
/** Staging memory larger than this is not kept. */
const MAX_SPARE_SAMPLES = 1_000_000;
/** Prometheus' bound on an exemplar's label set, in characters. */
const MAX_EXEMPLAR_CHARACTERS = 128;

type Failure = { readonly error: unknown };

/** One batch for the head: staged in columns, then logged, then published. */
export class HeadAppender implements Appender {
  refusesOutOfOrder = false;
  readonly #options: AppenderOptions;
  readonly #id: number;
  readonly #staged: SampleColumns;
  readonly #histograms: HistogramRecord[] = [];
  /** Of series with a staged histogram, whether the last one is of integers. */
  readonly #histogramKinds = new Map<SeriesRef, boolean>();
  /** With each exemplar as it was given: whether it had a time is not logged. */
  readonly #exemplars: (ExemplarRecord & { readonly exemplar: Exemplar })[] = [];
  readonly #metadata: MetadataRecord[] = [];
  /** False while every float was of a series that the log knows: the usual batch is not searched for new ones. */
  #mayHaveUnlogged = false;
  /** Null until the first sample. */
  #bounds: AppendBounds | null = null;
  #isEnded = false;
  /** For counting new series; null until the first. */
  #creationStamp: number | null = null;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#id = options.head.beginAppender();
    this.#staged = options.spareColumns.pop() ?? createSampleColumns(256);
    this.#staged.count = 0;
    this.#staged.startTimestampsMs = null;
  }

  series(labels: Labels): SeriesRef {
    const { labelBytes } = this.#options.head.table;
    labelBytes.set(labels);
    return this.seriesOfUtf8(labelBytes.data, labelBytes.spans, labels.size);
  }

  seriesOfUtf8(data: Uint8Array, spans: Uint32Array, count: number): SeriesRef {
    this.#checkOpen();
    const { table } = this.#options.head;
    let slot = table.findUtf8(data, spans, count);
    if (slot < 0) slot = this.#createSeries(data, spans, count);
    if (slot < 0) return 0;
    table.touchedBy[slot] = this.#id;
    return table.refs[slot]!;
  }

  /** The slot of a series that was just not found; −1 when a limit refuses it. */
  #createSeries(data: Uint8Array, spans: Uint32Array, count: number): Slot {
    const { head, guard, metrics, gate } = this.#options;
    const { table } = head;
    validate(data, spans, count);
    if (!table.isSoughtUtf8(data, spans, count)) {
      const labels = labelsOfUtf8(data, spans, count).toString();
      throw new InputError('TSDB.INVALID_LABELS', labels, 'text is not valid UTF-8');
    }
    // While the log is replayed nobody can tell which series are new.
    const isGuarded = !gate.isReplaying;
    if (isGuarded) {
      const limit = guard.isLimiting ? this.#limitOf(count) : null;
      if (limit !== null) {
        guard.noteRefused(limit, labelsOfUtf8(data, spans, count));
        return -1;
      }
    }
    const slot = table.createUtf8(data, spans, count);
    if (isGuarded) {
      const job = table.soughtValue(guard.jobName, count);
      const instance = table.soughtValue(guard.instanceName, count);
      this.#creationStamp ??= guard.creationStamp();
      guard.noteCreated(job, instance, this.#creationStamp);
    }
    metrics.seriesCreated.inc();
    return slot;
  }

  /** The limit that the series of `count` labels which was just not found would exceed. */
  #limitOf(count: number): SeriesLimitName | null {
    const { head, guard } = this.#options;
    const job = head.table.soughtValue(guard.jobName, count);
    return guard.reached(job, head.table.soughtValue(guard.instanceName, count));
  }

  appendFloats(
    refs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    startTimestampsMs: Float64Array | null,
    count: number,
    outcomes: Uint8Array,
  ): number {
    this.#checkOpen();
    const { head, metrics, gate } = this.#options;
    const { table } = head;
    const id = this.#id;
    const kinds = this.#histogramKinds;
    const words = wordsOf(values);
    const staged = this.#staged;
    growSampleColumns(staged, staged.count + count);
    if (count === 0) return 0;
    if (this.#options.gate.isReplaying) this.#passReplay(refs, timestampsMs, count);
    this.#bounds ??= appendBounds(head, timestampsMs[0]!);
    const bounds = this.#bounds;
    const starts = this.#startColumn(startTimestampsMs);
    // A replay may find that another series holds a reference, which is then not logged after all.
    let mayHaveUnlogged = this.#mayHaveUnlogged || gate.isReplaying;
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot < 0) {
        outcomes[i] = refs[i] === 0 ? APPEND_OUTCOME.seriesLimit : APPEND_OUTCOME.unknownRef;
        continue;
      }
      table.touchedBy[slot] = id;
      if (table.isLogged[slot] === 0) mayHaveUnlogged = true;
      const timestampMs = timestampsMs[i]!;
      const low = words[i * 2]!;
      const high = words[i * 2 + 1]!;
      if (kinds.size > 0 && kinds.has(refs[i]!)) {
        outcomes[i] = this.#stageBehindHistogram(refs[i]!, timestampMs, { low, high });
        if (outcomes[i] === APPEND_OUTCOME.ok) taken++;
        continue;
      }
      // The usual sample is newer than the series and the bound: no call for it.
      if (!(timestampMs > table.maxMs[slot]!) || timestampMs < bounds.minValidMs) {
        const words = { low, high };
        const outcome = this.#refine(head.check(slot, bounds, timestampMs, words), timestampMs);
        if (outcome === LATE && isStaleMarker(words) && head.endsInHistogram(slot)) {
          // As one in order: what ends a series of histograms is a histogram.
          const stale = staleHistogram(head.histograms.isInteger(slot));
          outcomes[i] = this.appendHistogram(refs[i]!, timestampMs, stale, 0);
          if (outcomes[i] === APPEND_OUTCOME.ok) taken++;
          continue;
        }
        if (outcome !== LATE) {
          outcomes[i] = outcome;
          if (outcome === APPEND_OUTCOME.ok) taken++;
          else countRefusal(metrics, outcome);
          continue;
        }
      }
      outcomes[i] = APPEND_OUTCOME.ok;
      taken++;
      const at = staged.count++;
      staged.refs[at] = refs[i]!;
      staged.timestampsMs[at] = timestampMs;
      staged.valueWords[at * 2] = low;
      staged.valueWords[at * 2 + 1] = high;
      if (starts !== null) starts[at] = startTimestampsMs?.[i] ?? 0;
    }
    this.#mayHaveUnlogged = mayHaveUnlogged;
    return taken;
  }

  /** Notes samples that go behind a log that is being replayed, or throws when they may not. */
  #passReplay(refs: Uint32Array, timestampsMs: Float64Array, count: number): void {
    const { head, gate, unsure } = this.#options;
    for (let i = 0; i < count; i++) {
      const slot = head.table.slotOf(refs[i]!);
      if (slot < 0) continue;
      if (unsure !== null && !gate.isNewest(slot, timestampsMs[i]!)) throw unsure();
      gate.pass(slot, timestampsMs[i]!);
    }
  }

  /** Where start timestamps are staged; null while there are none, or none are kept. */
  #startColumn(given: Float64Array | null): Float64Array | null {
    const staged = this.#staged;
    if (given !== null && this.#options.keepsStartTimes) {
      staged.startTimestampsMs ??= new Float64Array(staged.refs.length);
    }
    return staged.startTimestampsMs;
  }

  appendHistogram(
    ref: SeriesRef,
    timestampMs: number,
    histogram: FloatHistogram,
    startTimestampMs: number,
  ): number {
    this.#checkOpen();
    const { head, metrics, keepsStartTimes } = this.#options;
    const fault = histogramFault(histogram);
    if (fault !== null) throw new InputError('TSDB.INVALID_HISTOGRAM', '', fault);
    const slot = head.table.slotOf(ref);
    if (slot < 0) return APPEND_OUTCOME.unknownRef;
    head.table.touchedBy[slot] = this.#id;
    if (this.#options.gate.isReplaying) {
      this.#passReplay(Uint32Array.of(ref), Float64Array.of(timestampMs), 1);
    }
    const startMs = keepsStartTimes ? startTimestampMs : 0;
    this.#bounds ??= appendBounds(head, timestampMs);
    const bounds = this.#bounds;
    if (!(timestampMs > head.table.maxMs[slot]!) || timestampMs < bounds.minValidMs) {
      const sample = sampleOf(histogram, timestampMs, startMs);
      const outcome = this.#refine(head.checkHistogram(slot, bounds, sample), timestampMs);
      const isTooLarge = outcome === LATE && !head.outOfOrder.samples.histograms.fits(histogram);
      if (outcome !== LATE || isTooLarge) {
        const refusal = isTooLarge ? APPEND_OUTCOME.outOfOrder : outcome;
        countRefusal(metrics.histograms, refusal);
        return refusal;
      }
    } else this.#histogramKinds.set(ref, histogram.isInteger);
    this.#histograms.push({ ref, timestampMs, startTimestampMs: startMs, histogram });
    return APPEND_OUTCOME.ok;
  }

  /**
   * A float of a series that has a histogram staged. The log has a batch's floats before its histograms, so it is refused
   * as out of order, unless it ends the series: that is told by a histogram.
   */
  #stageBehindHistogram(ref: SeriesRef, timestampMs: number, words: ValueWords): number {
    if (!isStaleMarker(words)) {
      this.#options.metrics.outOfOrderSamples.inc();
      return APPEND_OUTCOME.outOfOrder;
    }
    const histogram = staleHistogram(this.#histogramKinds.get(ref) ?? true);
    return this.appendHistogram(ref, timestampMs, histogram, 0);
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void {
    this.#checkOpen();
    const { head, metrics } = this.#options;
    if (head.options.exemplars.capacity === 0) return;
    const slot = head.table.slotOf(ref);
    if (slot < 0) return;
    let characters = 0;
    for (const [name, value] of exemplar.labels) characters += [...name].length + [...value].length;
    if (characters > MAX_EXEMPLAR_CHARACTERS) {
      throw new InputError(
        'TSDB.EXEMPLAR_TOO_LONG',
        '',
        `label length for exemplar exceeds maximum of ${MAX_EXEMPLAR_CHARACTERS} UTF-8 characters`,
      );
    }
    head.table.touchedBy[slot] = this.#id;
    const { value, labels } = exemplar;
    const timestampMs = exemplar.timestampMs ?? Math.max(0, head.maxMs);
    const item = { seriesLabels: head.table.labelsOf(slot), exemplar, timestampMs };
    const outcome = head.options.exemplars.check(item, head.outOfOrder.windowMs);
    if (outcome === 'out-of-order') metrics.outOfOrderExemplars.inc();
    if (outcome === 'taken') this.#exemplars.push({ ref, timestampMs, value, labels, exemplar });
  }

  setMetadata(ref: SeriesRef, metadata: Metadata): void {
    this.#checkOpen();
    const { head } = this.#options;
    const slot = head.table.slotOf(ref);
    if (slot < 0) return;
    head.table.touchedBy[slot] = this.#id;
    const known = head.metadata.get(ref);
    if (
      known !== undefined &&
      known.type === metadata.type &&
      known.help === metadata.help &&
      known.unit === metadata.unit
    ) {
      return;
    }
    this.#metadata.push({ ref, metadata });
  }

  async commit(): Promise<void> {
    this.#checkOpen();
    this.#isEnded = true;
    const { wal, refusal, isSynced, head } = this.#options;
    try {
      const error = refusal();
      if (error !== null) throw error;
      if (!head.isLive(this.#id)) throw new ClosedError('this appender, held for too long,');
      const records = this.#encode();
      if (records.length === 0) {
        // All of it is stored already, but perhaps by a commit whose sync failed.
        if (isSynced) await Promise.all([wal.sync(), head.outOfOrder.log?.sync()]);
        return;
      }
      this.#write(records);
      head.openCommits++;
      try {
        await this.#showLogged(isSynced);
      } finally {
        head.openCommits--;
      }
    } finally {
      this.#release();
    }
  }

  #write(records: readonly Uint8Array[]): void {
    const { wal, seriesRecords } = this.#options;
    try {
      wal.write(records);
    } catch (error) {
      seriesRecords.settle(false);
      throw error;
    }
  }

  /** Makes the batch visible, whose records are in the log. Waits only when it is to be synced first. */
  async #showLogged(isSynced: boolean): Promise<void> {
    const { gate, wal, seriesRecords } = this.#options;
    if (gate.isReplaying) {
      seriesRecords.settle(true);
      return await this.#leaveToReplay();
    }
    const late = this.#lateSamples();
    let failure = this.#logLate(late);
    const isTakenBack = failure !== null && wal.takeBack();
    // Before anything is awaited: the next batch uses the records again.
    seriesRecords.settle(!isTakenBack);
    if (isTakenBack) throw failure?.error;
    if (isSynced) failure = (await this.#sync(late)) ?? failure;
    late?.dropUnlogged();
    // Also after a failure: what is in the log must be in the head, or a restart would show what was not there.
    this.#publish(late);
    if (failure === null) return;
    const { error } = failure;
    throw error instanceof WalWriteError ? new PartlyStoredError({ cause: error }) : error;
  }

  /** Puts the samples that are late by now into their log; returns why that failed. */
  #logLate(late: LateSamples | null): Failure | null {
    try {
      while (late?.part()) late.log();
      return null;
    } catch (error) {
      return { error };
    }
  }

  /** Waits until the batch is on the disk; returns why it may not be, or is not whole. */
  async #sync(late: LateSamples | null): Promise<Failure | null> {
    try {
      await Promise.all([this.#options.wal.sync(), late?.sync()]);
    } catch (error) {
      this.#logLate(late);
      return { error };
    }
    // Batches that were published meanwhile may have made more samples late.
    while (late?.part()) {
      try {
        late.log();
        await late.sync();
      } catch (error) {
        return { error };
      }
    }
    return null;
  }

  rollback(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#release();
  }

  #lateSamples(): LateSamples | null {
    const bounds = this.#bounds;
    if (bounds === null || bounds.windowMs === 0) return null;
    const { head, metrics, scratch } = this.#options;
    const batch = { staged: this.#staged, stagedHistograms: this.#histograms };
    return new LateSamples({ head, metrics, scratch, ...batch, bounds });
  }

  /** Notes by how much a sample is late; one that may be taken out of order is {@link LATE} only if this batch allows it. */
  #refine(outcome: number, timestampMs: number): number {
    const { metrics } = this.#options;
    const newestMs = this.#bounds?.newestMs ?? timestampMs;
    const isBehind = outcome !== APPEND_OUTCOME.ok && outcome !== APPEND_OUTCOME.duplicate;
    if (isBehind && newestMs > timestampMs) {
      metrics.outOfOrderDelta.observe((newestMs - timestampMs) / 1000);
    }
    return outcome === LATE && this.refusesOutOfOrder ? APPEND_OUTCOME.outOfOrder : outcome;
  }

  /** The records of the batch; lent until the scratch is used again. */
  #encode(): Uint8Array[] {
    const staged = this.#staged;
    const { scratch: target, seriesRecords } = this.#options;
    target.reset();
    const ends: number[] = [];
    const encode = (write: () => void): void => {
      write();
      ends.push(target.size);
    };
    if (this.#metadata.length > 0) encode(() => encodeMetadata(target, this.#metadata));
    for (let start = 0; start < staged.count; start += SAMPLES_PER_RECORD) {
      const end = Math.min(staged.count, start + SAMPLES_PER_RECORD);
      encode(() => encodeSamples(target, staged, start, end));
    }
    for (const { type, histograms } of histogramRecordsOf(this.#histograms)) {
      encode(() => encodeHistograms(target, type, histograms));
    }
    if (this.#exemplars.length > 0) {
      encode(() => encodeExemplars(target, this.#exemplars));
    }
    const bytes = target.bytes();
    const records = ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end));
    this.#collectUnlogged();
    return seriesRecords.count > 0 ? [seriesRecords.record(), ...records] : records;
  }

  /** The staged series that have no record in the log yet: the record must stand before their first sample. */
  #collectUnlogged(): void {
    const { head, seriesRecords } = this.#options;
    const { table } = head;
    const staged = this.#staged;
    seriesRecords.begin();
    const count = this.#mayHaveUnlogged ? staged.count : 0;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(staged.refs[i]!);
      if (slot >= 0 && table.isLogged[slot] === 0) seriesRecords.add(slot);
    }
    for (const others of [this.#histograms, this.#exemplars, this.#metadata]) {
      for (const { ref } of others) {
        const slot = table.slotOf(ref);
        if (slot >= 0) seriesRecords.add(slot);
      }
    }
  }

  /** The batch is in the log: its replay makes it visible. */
  async #leaveToReplay(): Promise<void> {
    const { gate, wal, isSynced, metrics } = this.#options;
    metrics.samplesAppended.inc(this.#staged.count);
    metrics.histograms.samplesAppended.inc(this.#histograms.length);
    if (isSynced) await gate.await(wal.sync());
  }

  #publish(late: LateSamples | null): void {
    const { head, metrics } = this.#options;
    const { table } = head;
    const { refs, timestampsMs, valueWords, startTimestampsMs, count } = this.#staged;
    this.#options.changes.note(this.#leastMs());
    let appended = 0;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot < 0 || late?.isInOrder(i) === false) continue;
      // A sample of the same series that another batch, or this one, brought first wins, as in Prometheus.
      const high = valueWords[i * 2 + 1]!;
      const startMs = startTimestampsMs === null ? 0 : startTimestampsMs[i]!;
      if (head.append(slot, timestampsMs[i]!, valueWords[i * 2]!, high, startMs)) appended++;
      else if (timestampsMs[i]! < table.maxMs[slot]!) metrics.outOfOrderSamples.inc();
    }
    const taken = late?.publish() ?? { floats: 0, histograms: 0 };
    metrics.samplesAppended.inc(appended + taken.floats);
    let { histograms } = taken;
    for (const [i, entry] of this.#histograms.entries()) {
      const { ref, timestampMs, startTimestampMs, histogram } = entry;
      const slot = table.slotOf(ref);
      if (slot < 0 || late?.isHistogramInOrder(i) === false) continue;
      const sample = sampleOf(histogram, timestampMs, startTimestampMs);
      if (head.appendHistogram(slot, sample)) histograms++;
      else if (timestampMs < table.maxMs[slot]!) metrics.histograms.outOfOrderSamples.inc();
    }
    metrics.histograms.samplesAppended.inc(histograms);
    for (const { ref, metadata } of this.#metadata) head.metadata.set(ref, metadata);
    for (const { ref, timestampMs, exemplar } of this.#exemplars) {
      const slot = table.slotOf(ref);
      if (slot < 0) continue;
      const item = { seriesLabels: table.labelsOf(slot), exemplar, timestampMs };
      const outcome = head.options.exemplars.add(item, head.outOfOrder.windowMs);
      if (outcome === 'taken') metrics.exemplarsAppended.inc();
      else if (outcome === 'out-of-order') metrics.outOfOrderExemplars.inc();
    }
  }

  /** Of the batch, late samples included. */
  #leastMs(): number {
    const { timestampsMs, count } = this.#staged;
    let leastMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) if (timestampsMs[i]! < leastMs) leastMs = timestampsMs[i]!;
    for (const { timestampMs } of this.#histograms) leastMs = Math.min(leastMs, timestampMs);
    return leastMs;
  }

  #release(): void {
    const { head, spareColumns } = this.#options;
    head.endAppender(this.#id);
    if (spareColumns.length < MAX_SPARE_COLUMNS && this.#staged.refs.length <= MAX_SPARE_SAMPLES) {
      spareColumns.push(this.#staged);
    }
  }

  #checkOpen(): void {
    if (this.#isEnded) throw new ClosedError('this appender');
  }
}

function countRefusal(metrics: SampleMetrics, outcome: number): void {
  if (outcome === APPEND_OUTCOME.outOfOrder) metrics.outOfOrderSamples.inc();
  else if (outcome === APPEND_OUTCOME.outOfBounds) metrics.outOfBoundsSamples.inc();
  else if (outcome === APPEND_OUTCOME.tooOld) metrics.tooOldSamples.inc();
  else if (outcome === APPEND_OUTCOME.duplicate) metrics.duplicateSamples.inc();
}

function isStaleMarker({ low, high }: ValueWords): boolean {
  return high === STALE_NAN_HIGH && low === STALE_NAN_LOW;
}

function validate(data: Uint8Array, spans: Uint32Array, count: number): void {
  if (count === 0) {
    throw new InputError('TSDB.INVALID_LABELS', '', 'empty labelset: a series needs a label');
  }
  if (spans[0] === spans[1]) {
    const labels = labelsOfUtf8(data, spans, count).toString();
    throw new InputError('TSDB.INVALID_LABELS', labels, 'a label has no name');
  }
}
