import { ByteReader } from '@pollux/base';
import { sampleOf } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { NotSupportedError } from '../errors.ts';
import type { HistogramRecord } from '../format/wal-histograms.ts';
import { createSampleColumns, RECORD, type SampleColumns } from '../format/wal-record.ts';
import type { TsdbMetrics } from '../metrics.ts';
import type { Expiries } from '../wal/expiries.ts';
import { decodeRecord, type WalRecord } from '../wal/records.ts';
import type { FoundChunks } from './found-chunks.ts';
import type { Head } from './head.ts';
import type { LogRefs } from './log-refs.ts';
import type { LostTimes } from './lost-times.ts';
import { OrphanSamples } from './orphan-samples.ts';
import { createSymbolLabels, readSymbolLabels, type SymbolLabels } from './series-record.ts';

export type LogApplierOptions = {
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  readonly walDirectory: string;
  readonly head: Head;
  readonly found?: FoundChunks;
  readonly expiries: Expiries;
  readonly refs: LogRefs;
  readonly lost: LostTimes;
};

/** Brings records of the log into the head, in their order. */
export class LogApplier {
  readonly #options: LogApplierOptions;
  readonly #refs: LogRefs;
  readonly #lost: LostTimes;
  readonly #orphans = new OrphanSamples();
  readonly #columns: SampleColumns = createSampleColumns(4096);
  readonly #labels = createSymbolLabels();
  #otherRecords = 0;

  constructor(options: LogApplierOptions) {
    this.#options = options;
    this.#refs = options.refs;
    this.#lost = options.lost;
  }

  /** One record of the file `path`. Throws CorruptionError or DecodeError when it does not decode. */
  apply(bytes: Uint8Array, path: string): void {
    if (bytes[0] === RECORD.series) this.#applySeries(bytes);
    else this.#applyRecord(decodeRecord(bytes, this.#columns, path));
  }

  #applyRecord(record: WalRecord): void {
    const { head } = this.#options;
    switch (record.kind) {
      case 'series':
        // Read without making labels, above.
        return;
      case 'samples':
        this.applySamples(record.samples, 0, record.samples.count);
        return;
      case 'tombstones':
        for (const { ref, minMs, maxMs } of record.tombstones) {
          const live = this.#liveRef(ref, 'tombstones');
          if (live !== 0 && maxMs >= head.minValidMs) head.addTombstone(live, { minMs, maxMs });
        }
        return;
      case 'metadata':
        for (const { ref, metadata } of record.metadata) {
          const live = this.#liveRef(ref, 'metadata');
          if (live !== 0) head.metadata.set(live, metadata);
        }
        return;
      case 'exemplars':
        for (const { ref, timestampMs, value, labels } of record.exemplars) {
          const slot = head.table.slotOf(this.#liveRef(ref, 'exemplars'));
          if (slot < 0) continue;
          // The log does not tell whether the time was given.
          const exemplar = { labels, value, timestampMs: null };
          const item = { seriesLabels: head.table.labelsOf(slot), exemplar, timestampMs };
          head.options.exemplars.add(item, head.outOfOrder.windowMs);
        }
        return;
      case 'histograms':
        for (const entry of record.histograms) this.#applyHistogram(entry);
        return;
      case 'other':
        this.#otherRecords++;
        return;
    }
  }

  #applySeries(bytes: Uint8Array): void {
    const { head, walDirectory } = this.#options;
    const source = new ByteReader(bytes);
    source.skip(1);
    while (source.remaining > 0) {
      const ref = source.i64();
      if (ref <= 0 || ref >= 2 ** 32) {
        // References are held in 32 bits: going on would give the samples of one series to another.
        throw new NotSupportedError(`${walDirectory} with series reference ${ref}`);
      }
      readSymbolLabels(source, head.table.symbols, this.#labels);
      this.applySeries(ref, this.#labels);
    }
  }

  applySeries(ref: number, { symbols, size }: SymbolLabels): void {
    const { head, found } = this.#options;
    const { table } = head;
    table.reserveRef(ref);
    const holder = table.slotOf(ref);
    const slot =
      holder < 0 ? table.slotOfSymbols(symbols, size, ref) : table.slotOfSymbols(symbols, size);
    this.#refs.set(ref, slot);
    found?.claim(ref, slot);
    if (table.refs[slot] === ref) table.isLogged[slot] = 1;
    // The series that had the reference needs a new record before its next sample.
    else if (holder >= 0) table.isLogged[holder] = 0;
    if (this.#orphans.refCount > 0) this.#adopt(ref);
  }

  /** Samples that stood before the record of their series. */
  #adopt(ref: number): void {
    const { head } = this.#options;
    const slot = this.#refs.get(ref);
    this.#orphans.take(ref, (timestampMs, low, high, startMs) =>
      head.append(slot, timestampMs, low, high, startMs),
    );
  }

  /** The samples `[from, to)` of one record. */
  applySamples(samples: SampleColumns, from: number, to: number): void {
    const { head } = this.#options;
    const { refs, timestampsMs, valueWords, startTimestampsMs } = samples;
    if (from === to) return;
    this.#lost.passSamples(timestampsMs[from]!, timestampsMs[to - 1]!);
    const minMs = head.minValidMs;
    for (let i = from; i < to; i++) {
      const timestampMs = timestampsMs[i]!;
      if (timestampMs < minMs) continue;
      const slot = this.#refs.get(refs[i]!);
      const low = valueWords[i * 2]!;
      const high = valueWords[i * 2 + 1]!;
      const startMs = startTimestampsMs === null ? 0 : startTimestampsMs[i]!;
      if (slot >= 0) head.append(slot, timestampMs, low, high, startMs);
      else this.#setAside(refs[i]!, timestampMs, low, high, startMs);
    }
  }

  #applyHistogram(entry: HistogramRecord): void {
    const { head } = this.#options;
    const { ref, timestampMs, startTimestampMs, histogram } = entry;
    if (timestampMs < head.minValidMs) return;
    const slot = this.#refs.get(ref);
    if (slot >= 0) {
      head.appendHistogram(slot, sampleOf(histogram, timestampMs, startTimestampMs));
      return;
    }
    head.table.reserveRef(ref);
    this.#options.metrics.unknownRefs.with('histograms').inc();
  }

  #setAside(ref: number, timestampMs: number, low: number, high: number, startMs: number): void {
    const { head, metrics } = this.#options;
    head.table.reserveRef(ref);
    metrics.unknownRefs.with('samples').inc();
    this.#lost.passOrphan(timestampMs);
    this.#orphans.add(ref, timestampMs, low, high, startMs);
  }

  /** The reference under which the series lives now, 0 when it is unknown. */
  #liveRef(ref: number, type: string): number {
    const { head, metrics } = this.#options;
    const slot = this.#refs.get(ref);
    if (slot >= 0) return head.table.refs[slot]!;
    metrics.unknownRefs.with(type).inc();
    return 0;
  }

  /** The log is read, up to this segment. */
  finish(lastSegment: number): void {
    const { head, expiries, log, metrics, found } = this.#options;
    const strangers = found?.dropRest() ?? 0;
    if (strangers > 0) log.warn('head chunks without a series in the log', { series: strangers });
    this.#refs.forEach((ref, slot) => {
      const live = head.table.refs[slot]!;
      if (live !== ref) expiries.note(ref, lastSegment, head.maxMs, live);
    });
    if (this.#orphans.refCount > 0) {
      this.#lost.loseOrphans();
      metrics.lostSeries.inc(this.#orphans.refCount);
      log.warn('samples of the log belong to series that it does not name; they are left out', {
        series: this.#orphans.refCount,
      });
    }
    if (this.#otherRecords > 0) {
      log.warn('log records of kinds that are not supported were skipped', {
        records: this.#otherRecords,
      });
    }
  }
}
