import { ByteWriter, Closer, InputError } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import type {
  Appendable,
  Appender,
  ChangeLog,
  ChangeWatch,
  ChunkSource,
  Engine,
  ExemplarQueryable,
  ExemplarSeries,
  IntervalSet,
  LocalAnswer,
  LocalStorage,
  NamesAnswer,
  RawSource,
  ReadContext,
  SelectRequest,
  SelectSize,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';
import { Background } from './background.ts';
import type { Block } from './block/block.ts';
import { addBlockLabelNames, addBlockLabelValues } from './block/block-labels.ts';
import type { BlockSet } from './block/block-set.ts';
import { DamageReport } from './block/damage-report.ts';
import {
  type CardinalityDimension,
  CardinalityHistory,
  type CardinalityReport,
  type HistoryPoint,
} from './cardinality/cardinality-history.ts';
import { SeriesGuard, type SeriesLimits } from './cardinality/series-guard.ts';
import { prepareDirectory } from './directory.ts';
import type { Downsampled } from './downsample/downsampled.ts';
import { DownsampledReading } from './downsample/reading.ts';
import type { DownsamplingRule } from './downsample/rule.ts';
import { ClosedError, HeadChunkWriteError } from './errors.ts';
import type { SampleColumns } from './format/wal-record.ts';
import { HeadAppender } from './head/appender.ts';
import { deleteHeadSamples } from './head/delete.ts';
import type { Head } from './head/head.ts';
import { headLabelNames, headLabelValues } from './head/read.ts';
import { SeriesRecords } from './head/series-records.ts';
import { type HeadStats, headStats } from './head/stats.ts';
import { MAX_CHUNK_SPAN_MS } from './head-chunks/entry.ts';
import type { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import { SnapshotSchedule } from './head-snapshot/snapshot-schedule.ts';
import type { TsdbInit } from './init.ts';
import { Maintenance } from './maintenance.ts';
import { type TsdbMetrics, tsdbMetrics } from './metrics.ts';
import { deleteOooSamples } from './ooo/delete.ts';
import type { OooWindow } from './ooo/window.ts';
import { openParts, openWal } from './open-parts.ts';
import { DEFAULT_TSDB_OPTIONS, type TsdbOptions } from './options.ts';
import { ChunkSelect, type ChunkSelectSource } from './query/chunk-select.ts';
import { ColumnPool } from './query/column-pool.ts';
import { LabelReading } from './query/label-reading.ts';
import { FailedSelect, MergeSelect } from './query/merge-select.ts';
import { openCursors, overlapsHead } from './query/open-cursors.ts';
import { RawBuffers } from './query/raw-buffers.ts';
import { RawSelect } from './query/raw-select.ts';
import { headSeriesAtMost, selectSize } from './query/select-size.ts';
import type { SparseRange } from './query/sparse-range.ts';
import { Recovery, type RecoveryStatus } from './recovery.ts';
import { Retention } from './retention/retention.ts';
import type { RetentionSettings } from './retention/settings.ts';
import { Slices } from './slices.ts';
import { exposeState } from './state-metrics.ts';
import type { Wal, WalTail } from './wal/wal.ts';

type Parts = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly chunkFiles: HeadChunkFiles;
  readonly wal: Wal;
  readonly window: OooWindow;
  readonly blocks: BlockSet;
  readonly changes: ChangeLog;
  readonly downsampled: Downsampled;
  readonly reading: DownsampledReading;
  readonly retention: Retention;
  readonly maintenance: Maintenance;
  readonly guard: SeriesGuard;
  readonly history: CardinalityHistory;
  readonly recovery: Recovery;
  /** Of all that is open; also when the start fails half-way. */
  readonly closer: Closer;
};

/** How much a database holds, in figures that are at hand. */
type TsdbExtent = {
  readonly headSeries: number;
  /** Of blocks and head. */
  readonly oldestMs: number;
  /** Of down-sampled data. */
  readonly oldestBucketMs: number;
  readonly headNewestMs: number;
  /** End of the newest block, exclusive: what the retention time counts from. */
  readonly newestBlockMs: number;
};

/** A Prometheus-format database in one directory. */
export class Tsdb implements Engine, LocalStorage, ExemplarQueryable {
  readonly semantics = 'append';
  /** For followers of the log: see README.md. */
  readonly walTail: WalTail;
  readonly #parts: Parts;
  readonly #spareColumns: SampleColumns[] = [];
  readonly #rawBuffers = new RawBuffers();
  readonly #columnPool = new ColumnPool();
  readonly #scratch = new ByteWriter(64 * 1024);
  readonly #seriesRecords: SeriesRecords;
  readonly #background: Background;
  readonly #closer: Closer;
  #isStarted = false;
  #isClosed = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.walTail = parts.wal;
    this.#seriesRecords = new SeriesRecords(parts.head.table);
    this.#background = new Background(parts);
    this.#closer = parts.closer;
  }

  /**
   * Takes the directory, opens the blocks and replays the log; all is there when it resolves. Throws DirectoryError,
   * CorruptionError or a lock's error.
   */
  static async open(init: TsdbInit): Promise<Tsdb> {
    const db = await Tsdb.#prepare(init, false);
    try {
      await db.recovered();
      return db;
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /**
   * As {@link open}, without waiting for the replay: it goes on in slices, {@link recovered} tells its end. Until then blocks
   * are answered, all else fails with UnavailableError; batches are taken, acknowledged when they are in the log, and
   * visible with all else at the end.
   */
  static async begin(init: TsdbInit): Promise<Tsdb> {
    return Tsdb.#prepare(init, true);
  }

  static async #prepare(init: TsdbInit, takesBatches: boolean): Promise<Tsdb> {
    const options: TsdbOptions = { ...DEFAULT_TSDB_OPTIONS, ...init.options };
    if (!(options.minBlockDurationMs <= MAX_CHUNK_SPAN_MS)) {
      const what = 'is longer than 49 days, the most that a chunk may span';
      throw new InputError('TSDB.BAD_OPTION', 'minBlockDurationMs', what);
    }
    const startedMs = init.env.clock.monotonic();
    const metrics = tsdbMetrics(init.registry);
    const closer = new Closer(init.env.clock);
    closer.defer('directory lock', prepareDirectory(init, options));
    try {
      const parts = await openParts({ init, options, metrics, startedMs, closer });
      closer.defer('reading of the log', async () => parts.abort.abort());
      if (takesBatches) await parts.replay.reserveRefs();
      const { head, window, blocks, changes, downsampled, chunkFiles } = parts;
      const wal = openWal(parts);
      const { clock } = init.env;
      const guard = new SeriesGuard(
        head.table,
        { clock, log: init.log, metrics },
        options.seriesLimits,
      );
      const history = new CardinalityHistory(head, guard);
      const recovery = new Recovery({ ...parts, wal, guard });
      closer.defer('write-ahead log', () =>
        recovery.status.state === 'ready' ? wal.close() : wal.closeUnused(),
      );
      const retention = new Retention(init.env.files, init.directory, {
        timeMs: options.retentionMs,
        bytes: options.retentionBytes,
        percentage: options.retentionPercentage,
        rules: options.retentionRules,
      });
      exposeState(init.registry, { ...parts, retention, wal, recovery });
      metrics.cleanStart.set(options.lockDirectory === null ? -1 : 1);
      const snapshots = new SnapshotSchedule({
        source: { ...parts, ...init.env, directory: init.directory, wal },
        options,
        metrics,
        log: init.log,
        loaded: parts.snapshot,
      });
      const maintenance = new Maintenance({ ...parts, wal, guard, retention, snapshots });
      closer.defer('maintenance', () => maintenance.close(recovery.status.state === 'ready'));
      closer.defer('replay', () => recovery.close());
      const { allowApproximate } = options;
      const reading = new DownsampledReading({
        head,
        blocks,
        downsampled,
        clock,
        allowApproximate,
      });
      const own = { init, options, metrics, head, window, blocks, chunkFiles, retention, closer };
      const added = { changes, downsampled, reading };
      return new Tsdb({ ...own, ...added, wal, guard, history, recovery, maintenance });
    } catch (error) {
      await closer.close();
      throw error;
    }
  }

  /** Resolves when every acknowledged sample answers; rejects when the log cannot be replayed. */
  recovered(): Promise<void> {
    return this.#parts.recovery.run();
  }

  get recovery(): RecoveryStatus {
    return this.#parts.recovery.status;
  }

  /** Begins syncing and maintenance. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return;
    this.#isStarted = true;
    this.#background.startSyncs();
    // Who waits for the replay hears of its failure; here there is nothing left to maintain.
    this.recovered().then(
      () => this.#background.startMaintenance(),
      () => {},
    );
  }

  /** One round of maintenance now: blocks from the head, log, compaction, retention. The loop of `start` calls it too. */
  async tick(): Promise<void> {
    this.#checkOpen();
    this.#parts.recovery.checkReady();
    await this.#parts.maintenance.run();
  }

  appender(): Appender {
    return this.#appender(null);
  }

  /**
   * For batches that their senders send again when they get UnavailableError, which they do while the log is replayed for
   * samples that are not newer than all of the log: whether those are in order is not known before. What the log's newest
   * time is, is looked for when the first batch comes; until it is found all are refused so.
   */
  readonly forResenders: Appendable = {
    appender: () => {
      const { recovery } = this.#parts;
      recovery.seekLogEnd();
      return this.#appender(() => recovery.unavailable());
    },
  };

  #appender(unsure: (() => Error) | null): Appender {
    const { head, wal, metrics, options, guard, recovery } = this.#parts;
    recovery.checkTaking();
    return new HeadAppender({
      unsure,
      head,
      wal,
      metrics,
      isSynced: options.fsync === 'always',
      guard,
      keepsStartTimes: options.startTimestamps,
      spareColumns: this.#spareColumns,
      seriesRecords: this.#seriesRecords,
      scratch: this.#scratch,
      gate: recovery.gate,
      changes: this.#parts.changes,
      refusal: () => this.#refusal(),
    });
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    try {
      this.#checkRange(request.range);
      const planned = this.#parts.reading.select(request, context);
      if (planned !== null) return planned;
      const { range, windows, matchers } = request;
      const source = this.#sourceOf(
        { minMs: range.minMs, maxMs: range.maxMs, windows: windows ?? null },
        matchers,
      );
      return new MergeSelect(source, request, context, {
        clock: this.#parts.init.env.clock,
        columns: this.#columnPool,
      });
    } catch (error) {
      return new FailedSelect(error);
    }
  }

  /** Undecoded, where only samples answer and none are cut off by a limit; see {@link rawSamplesOpener}. */
  selectRaw(request: SelectRequest, context: ReadContext): RawSource | null {
    const { range, windows, matchers, hints } = request;
    this.#checkRange(range);
    const { downsampled, init } = this.#parts;
    if (hints.func === 'series' || hints.limit > 0) return null;
    if (downsampled.sets.some((set) => set.in(range).length > 0)) return null;
    const source = this.#sourceOf(
      { minMs: range.minMs, maxMs: range.maxMs, windows: windows ?? null },
      matchers,
    );
    const world = { clock: init.env.clock, buffers: this.#rawBuffers };
    return new RawSelect(source, range, context, world);
  }

  /** Chunks as they are stored, where {@link selectRaw} answers. */
  selectChunks(request: SelectRequest, context: ReadContext): ChunkSource | null {
    const { range, matchers, hints } = request;
    this.#checkRange(range);
    const { downsampled, init } = this.#parts;
    if (hints.func === 'series' || hints.limit > 0) return null;
    if (downsampled.sets.some((set) => set.in(range).length > 0)) return null;
    const source = this.#sourceOf({ ...range, windows: null }, matchers);
    const world = { clock: init.env.clock, pool: this.#columnPool };
    return new ChunkSelect(source, range, context, world);
  }

  /** Known while no down-sampled data may answer. */
  sizeAtMost(
    range: TimeRange,
    matchers: readonly Matcher[],
    mostSamples: number,
  ): SelectSize | null {
    const { head, blocks, downsampled, recovery } = this.#parts;
    if (this.#isClosed || recovery.status.state !== 'ready') return null;
    if (downsampled.sets.some((set) => set.in(range).length > 0)) return null;
    return selectSize({ head, blocks: blocks.blocks }, { range, matchers }, mostSamples);
  }

  /** Those that the head has now stand for those of blocks. */
  likelySeries(range: TimeRange, matchers: readonly Matcher[]): number {
    const { head, downsampled, recovery } = this.#parts;
    if (this.#isClosed || recovery.status.state !== 'ready') return 0;
    if (downsampled.sets.some((set) => set.in(range).length > 0)) return 0;
    return headSeriesAtMost(head, matchers);
  }

  /** For who asks remotes, too: see {@link LocalStorage}. */
  async selectBeside(
    request: SelectRequest,
    lacking: IntervalSet,
    context: ReadContext,
  ): Promise<LocalAnswer> {
    this.#checkRange(request.range);
    return this.#parts.reading.selectBeside(request, lacking, context);
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    this.#checkRange(range);
    const { head, blocks } = this.#parts;
    const reading = new LabelReading(range, context, this.#parts);
    const names = overlapsHead(head, range)
      ? await reading.ofHead((hidden) => headLabelNames(head, matchers, hidden))
      : new Set<string>();
    await reading.eachBlock(this.#labelBlocksIn(range), (block, hidden) =>
      addBlockLabelNames(names, block, matchers, hidden),
    );
    return reading.answer(names, limit, blocks.warningsIn(range));
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    this.#checkRange(range);
    const { head, blocks } = this.#parts;
    const reading = new LabelReading(range, context, this.#parts);
    const values = overlapsHead(head, range)
      ? await reading.ofHead((hidden) => headLabelValues(head, name, matchers, hidden))
      : new Set<string>();
    await reading.eachBlock(this.#labelBlocksIn(range), (block, hidden) =>
      addBlockLabelValues(values, block, name, { matchers, hidden }),
    );
    return reading.answer(values, limit, blocks.warningsIn(range));
  }

  async selectExemplars(
    range: TimeRange,
    matcherSets: readonly (readonly Matcher[])[],
    _context: ReadContext,
  ): Promise<readonly ExemplarSeries[]> {
    this.#checkRange(range);
    return this.#parts.head.options.exemplars.select(range, matcherSets);
  }

  async deleteSamples(range: TimeRange, matchers: readonly Matcher[]): Promise<void> {
    this.#checkOpen();
    this.#parts.recovery.checkReady();
    const { head, wal, window, blocks, downsampled, maintenance, options } = this.#parts;
    await blocks.retry();
    await downsampled.retry(range);
    const found = blocks.forDeletion(range);
    this.#parts.changes.note(range.minMs);
    downsampled.deleteSamples(range, matchers, blocks.blocks);
    for (const block of found) block.deleteSamples(range, matchers);
    deleteHeadSamples(head, wal, range, matchers);
    deleteOooSamples(head, range, matchers);
    maintenance.noteDeletion(range, matchers);
    if (options.fsync === 'always') await Promise.all([wal.sync(), window.sync()]);
  }

  /** Frees the space of deleted samples in all blocks now, instead of in the background. */
  async cleanTombstones(): Promise<void> {
    this.#checkOpen();
    this.#parts.recovery.checkReady();
    await this.#parts.maintenance.cleanTombstones();
  }

  /** Shows a block that {@link writeRangeAsBlock} has put into the directory; a later round would find it as well. */
  async adoptBlock(path: string, signal: AbortSignal): Promise<void> {
    this.#checkOpen();
    await this.#parts.blocks.adopt(path, new Slices(this.#parts.init.env.clock, signal));
  }

  /** Makes `snapshots/<name>` below the data directory, a data directory of its own; gives the name. */
  async snapshot(skipHead: boolean): Promise<string> {
    this.#checkOpen();
    this.#parts.recovery.checkReady();
    return this.#parts.maintenance.snapshot(skipHead);
  }

  /** Holds from the next round of maintenance on. */
  set retention(settings: RetentionSettings) {
    this.#parts.retention.settings = settings;
  }

  get retention(): RetentionSettings {
    return this.#parts.retention.settings;
  }

  /** Holds from the next round of maintenance on. Resolutions that are left out are read as before, and kept. */
  set downsampling(rules: readonly DownsamplingRule[]) {
    this.#parts.downsampled.rules = rules;
  }

  /**
   * The first half of a change of `outOfOrderWindowMs`: everything that can fail. The returned function makes it hold for
   * batches that begin later. With 0, samples that are there are answered and go to blocks all the same.
   */
  prepareOutOfOrderWindow(windowMs: number): () => void {
    this.#checkOpen();
    return this.#parts.recovery.prepareWindow(windowMs);
  }

  /** Changes `maxExemplars`; the newest that came are kept. Cannot fail. */
  resizeExemplars(maxExemplars: number): void {
    this.#parts.head.options.exemplars.resize(maxExemplars);
  }

  /** Without looking through anything. Times in ms; infinite while there is no sample. */
  get extent(): TsdbExtent {
    const { head, blocks, downsampled } = this.#parts;
    const headMinMs = head.isEmpty ? Number.POSITIVE_INFINITY : head.minMs;
    return {
      headSeries: head.table.count,
      oldestMs: Math.min(
        blocks.blocks[0]?.meta.minTime ?? Number.POSITIVE_INFINITY,
        headMinMs,
        head.outOfOrder.minMs,
      ),
      oldestBucketMs: downsampled.oldestMs,
      headNewestMs: head.isEmpty ? Number.NEGATIVE_INFINITY : head.maxMs,
      newestBlockMs: blocks.maxTime,
    };
  }

  /**
   * Times, end exclusive, in which samples are known to be missing because blocks or the log are damaged: who promises to
   * cover a time must leave them out. A block whose time is unknown may have been any before the head.
   */
  lostTimes(): { readonly startMs: number; readonly endMs: number }[] {
    const { blocks, head, recovery } = this.#parts;
    const headMs = head.isEmpty ? Number.MAX_SAFE_INTEGER : head.minMs;
    const ofBlocks = blocks.damagedTimes().map((time) => ({
      startMs: time?.minTime ?? 0,
      endMs: time?.maxTime ?? headMs,
    }));
    return [...ofBlocks, ...recovery.lostTimes];
  }

  /** Figures for `/api/v1/status/tsdb`; `top` names a list. Time is proportional to the label index. */
  headStats(top = 10): HeadStats {
    return headStats(this.#parts.head, top);
  }

  /** For who keeps answers: what has changed since. Of a log that is being replayed it tells nothing before the end. */
  get changes(): ChangeWatch {
    return this.#parts.changes;
  }

  /** How the head grew over the last day. */
  get cardinalityHistory(): readonly HistoryPoint[] {
    return this.#parts.history.points();
  }

  /**
   * The `limit` names with the most series (of `label`: values); given `sinceMs`, those that have grown most since then. Time
   * is proportional to the number of names.
   */
  cardinality(
    dimension: CardinalityDimension,
    limit: number,
    sinceMs: number | null,
  ): CardinalityReport {
    return this.#parts.history.report(dimension, limit, sinceMs);
  }

  get seriesLimits(): SeriesLimits {
    return this.#parts.guard.limits;
  }

  /** Takes effect at once; series that are there stay. */
  setSeriesLimits(limits: SeriesLimits): void {
    this.#parts.guard.setLimits(limits);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#background.close();
    const failures = await this.#closer.close();
    for (const failure of failures) this.#parts.init.log.error('closing failed', { err: failure });
  }

  #refusal(): Error | null {
    if (this.#isClosed) return new ClosedError('the database');
    const { chunkFiles } = this.#parts;
    return chunkFiles.isStuck ? new HeadChunkWriteError(chunkFiles.waitingBytes) : null;
  }

  /** Blocks, and slices of down-sampled data that are all that is left of some series. */
  #labelBlocksIn(range: TimeRange): Block[] {
    const { blocks, downsampled } = this.#parts;
    return [
      ...blocks.blocks.filter((block) => block.overlaps(range)),
      ...downsampled.droppedIn(range).map(({ slice }) => slice.block),
    ];
  }

  /** Cursors in the order in which they answer, and what is known to be missing; what is found missing on the way is added. */
  #sourceOf(range: SparseRange, matchers: readonly Matcher[]): ChunkSelectSource {
    const { head, blocks } = this.#parts;
    const damage = new DamageReport(blocks);
    damage.warnings.push(...blocks.warningsIn(range));
    const parts = { blocks: blocks.blocks, head, onDamage: damage.note };
    const cursors = openCursors(parts, range, matchers);
    return { cursors, warnings: damage.warnings, onDamage: damage.note };
  }

  #checkRange(range: TimeRange): void {
    this.#checkOpen();
    this.#parts.recovery.checkRange(range);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError('the database');
  }
}
