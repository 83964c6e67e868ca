import { assert, type ByteWriter } from '@pollux/base';
import {
  encodeHistograms,
  type HistogramRecord,
  histogramRecordsOf,
} from '../format/wal-histograms.ts';
import {
  createSampleColumns,
  encodeSamples,
  growSampleColumns,
  type SampleColumns,
} from '../format/wal-record.ts';
import type { AppendBounds } from '../head/append-bounds.ts';
import type { Head } from '../head/head.ts';
import type { Slot } from '../head/series-table.ts';
import type { SampleMetrics, TsdbMetrics } from '../metrics.ts';

export type LateSamplesOptions = {
  readonly head: Head;
  readonly metrics: TsdbMetrics;
  /** The batch; its order is the order of arrival, floats before histograms as in the log. */
  readonly staged: SampleColumns;
  readonly stagedHistograms: readonly HistogramRecord[];
  readonly bounds: AppendBounds;
  /** Where records are encoded before they are written. */
  readonly scratch: ByteWriter;
};

/** Samples of one log record. */
const SAMPLES_PER_RECORD = 100_000;
/** What becomes of a staged sample. */
const FATE = { inOrder: 0, late: 1, dropped: 2 } as const;

/**
 * Parts one batch, at its commit, into samples that go on in order and samples that are late, and logs those before they
 * can be seen. A sample may have become late since it was staged: by an earlier one of the batch or by another batch.
 */
export class LateSamples {
  readonly #options: LateSamplesOptions;
  readonly #fates: Uint8Array;
  readonly #histogramFates: Uint8Array;
  readonly #late: SampleColumns = createSampleColumns(0);
  readonly #lateHistograms: HistogramRecord[] = [];
  #logged = 0;
  #loggedHistograms = 0;

  constructor(options: LateSamplesOptions) {
    this.#options = options;
    this.#fates = new Uint8Array(options.staged.count);
    this.#histogramFates = new Uint8Array(options.stagedHistograms.length);
  }

  /** Decides about the samples that were in order so far; returns true when some are late and not logged yet. */
  part(): boolean {
    const { head, staged, stagedHistograms } = this.#options;
    const { table, outOfOrder } = head;
    const { refs, count } = staged;
    const pendingMs = outOfOrder.pendingMs(table.slotLimit);
    this.#partFloats(pendingMs);
    if (stagedHistograms.length > 0) this.#partHistograms(pendingMs);
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot >= 0) pendingMs[slot] = Number.NEGATIVE_INFINITY;
    }
    for (const { ref } of stagedHistograms) {
      const slot = table.slotOf(ref);
      if (slot >= 0) pendingMs[slot] = Number.NEGATIVE_INFINITY;
    }
    return this.#hasUnlogged;
  }

  isInOrder(index: number): boolean {
    return this.#fates[index] === FATE.inOrder;
  }

  isHistogramInOrder(index: number): boolean {
    return this.#histogramFates[index] === FATE.inOrder;
  }

  /** Writes the late samples that {@link part} has found since the last call. Throws WalWriteError. */
  log(): void {
    const { head, scratch } = this.#options;
    const { log } = head.outOfOrder;
    assert(log !== null, 'an open window has a log');
    if (!this.#hasUnlogged) return;
    scratch.reset();
    const ends: number[] = [];
    for (let start = this.#logged; start < this.#late.count; start += SAMPLES_PER_RECORD) {
      const end = Math.min(this.#late.count, start + SAMPLES_PER_RECORD);
      encodeSamples(scratch, this.#late, start, end);
      ends.push(scratch.size);
    }
    const unlogged = this.#lateHistograms.slice(this.#loggedHistograms);
    for (const { type, histograms } of histogramRecordsOf(unlogged)) {
      encodeHistograms(scratch, type, histograms);
      ends.push(scratch.size);
    }
    const bytes = scratch.bytes();
    log.write(ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end)));
    this.#logged = this.#late.count;
    this.#loggedHistograms = this.#lateHistograms.length;
  }

  /** Resolves when what was logged is on the disk, also what an earlier batch logged of the same samples. */
  async sync(): Promise<void> {
    await this.#options.head.outOfOrder.log?.sync();
  }

  /** Gives up late samples that their log did not take. */
  dropUnlogged(): void {
    this.#late.count = this.#logged;
    this.#lateHistograms.length = this.#loggedHistograms;
  }

  /** Makes the late samples visible; returns how many floats and histograms. */
  publish(): { readonly floats: number; readonly histograms: number } {
    const { head, metrics } = this.#options;
    const { table } = head;
    const { refs, timestampsMs, valueWords, startTimestampsMs, count } = this.#late;
    const chunks = head.outOfOrder.samples.chunkCount;
    let floats = 0;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot < 0) continue;
      const low = valueWords[i * 2]!;
      const high = valueWords[i * 2 + 1]!;
      const startMs = startTimestampsMs === null ? 0 : startTimestampsMs[i]!;
      if (head.appendLate(slot, timestampsMs[i]!, low, high, startMs)) floats++;
    }
    let histograms = 0;
    for (const record of this.#lateHistograms) {
      const slot = table.slotOf(record.ref);
      if (slot >= 0 && head.appendLateHistogram(slot, record)) histograms++;
    }
    metrics.chunksCreated.inc(head.outOfOrder.samples.chunkCount - chunks);
    metrics.outOfOrderAppended.inc(floats);
    metrics.histograms.outOfOrderAppended.inc(histograms);
    return { floats, histograms };
  }

  get #hasUnlogged(): boolean {
    return this.#late.count > this.#logged || this.#lateHistograms.length > this.#loggedHistograms;
  }

  #partFloats(pendingMs: Float64Array): void {
    const { head, staged, metrics } = this.#options;
    const { refs, timestampsMs, valueWords, startTimestampsMs, count } = staged;
    const late = this.#late;
    if (startTimestampsMs !== null) late.startTimestampsMs ??= new Float64Array(late.refs.length);
    for (let i = 0; i < count; i++) {
      if (this.#fates[i] !== FATE.inOrder) continue;
      const at = timestampsMs[i]!;
      const fate = this.#fateOf(head.table.slotOf(refs[i]!), at, pendingMs, metrics);
      this.#fates[i] = fate;
      if (fate !== FATE.late) continue;
      const next = late.count++;
      growSampleColumns(late, late.count);
      late.refs[next] = refs[i]!;
      late.timestampsMs[next] = at;
      late.valueWords[next * 2] = valueWords[i * 2]!;
      late.valueWords[next * 2 + 1] = valueWords[i * 2 + 1]!;
      if (late.startTimestampsMs !== null) {
        late.startTimestampsMs[next] = startTimestampsMs?.[i] ?? 0;
      }
    }
  }

  #partHistograms(pendingMs: Float64Array): void {
    const { head, stagedHistograms, metrics } = this.#options;
    const { table, outOfOrder } = head;
    for (const [i, record] of stagedHistograms.entries()) {
      if (this.#histogramFates[i] !== FATE.inOrder) continue;
      const { ref, timestampMs, histogram } = record;
      let fate = this.#fateOf(table.slotOf(ref), timestampMs, pendingMs, metrics.histograms);
      if (fate === FATE.late && !outOfOrder.samples.histograms.fits(histogram)) {
        fate = FATE.dropped;
        metrics.histograms.outOfOrderSamples.inc();
      }
      this.#histogramFates[i] = fate;
      if (fate === FATE.late) this.#lateHistograms.push(record);
    }
  }

  /** `pendingMs`: the newest time of each series in the batch so far, to which a sample that is in order is added. */
  #fateOf(slot: Slot, atMs: number, pendingMs: Float64Array, metrics: SampleMetrics): number {
    const { head, bounds } = this.#options;
    if (slot < 0) return FATE.dropped;
    const newestMs = Math.max(head.table.maxMs[slot]!, pendingMs[slot]!);
    if (atMs >= bounds.minValidMs && atMs >= newestMs) {
      // The same time once more adds nothing: the first sample of a time stays.
      if (atMs === newestMs) return FATE.dropped;
      pendingMs[slot] = atMs;
      return FATE.inOrder;
    }
    if (atMs < bounds.newestMs - bounds.windowMs) {
      metrics.tooOldSamples.inc();
      return FATE.dropped;
    }
    return head.outOfOrder.samples.isKnown(slot, atMs) ? FATE.dropped : FATE.late;
  }
}
