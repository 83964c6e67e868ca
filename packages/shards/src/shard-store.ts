import { ByteCache, type Clock, type Env, errorText, type Files, sleep } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import type { Labels, Metadata } from '@pollux/model';
import type {
  GroupIdentity,
  MetricMetadata,
  NanoRange,
  PlacedSamples,
  PointColumns,
  SampleColumns,
  SampleOutcome,
  SampleRules,
  WriteOutcome,
  WriteTarget,
} from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { CommitQueue, type WaitingWrite } from './commit-queue.ts';
import { ShardClosedError, ShardLimitError } from './errors.ts';
import { Deletions } from './exchange/deletions.ts';
import { isSettledDirectory } from './group-files.ts';
import { GroupSlots, type Slot } from './group-slots.ts';
import { MetadataBook } from './metadata/metadata-book.ts';
import { PointsWrite } from './points-write.ts';
import { JointWrite } from './samples/joint-write.ts';
import { MAX_SPANNED_LABELS } from './samples/sample-index.ts';
import {
  type SampleBatch,
  SamplePlacer,
  type SamplePlacerOptions,
} from './samples/sample-placer.ts';
import { SampleRowsPool } from './samples/sample-rows.ts';
import { SampleWrite } from './samples/sample-write.ts';
import { type TextPoints, textPoints } from './samples/text-points.ts';
import { WINDOW_MS, windowOf } from './settle/window-arrivals.ts';
import type { ShardGroup } from './shard-group.ts';
import { StoreMetrics } from './store-metrics.ts';
import { StoreView } from './store-view.ts';

export type ShardStoreOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** Lock it first (`lockDirectory`): a second process on it would lose data. */
  readonly directory: string;
  /** For the logs, when they shall lie on another disk; null puts them beside the data. */
  readonly walDirectory: string | null;
  /** Memory of all memtables together at which the largest is flushed. */
  readonly memtableBytes?: number;
  /** Memory for inflated pages of data files. */
  readonly pageCacheBytes?: number;
  /** A memtable that old is flushed though it is small. */
  readonly flushAfterMs?: number;
  /**
   * When a window ended so long ago, and nothing was written to it for so long, copies of its replicas are given up that nobody
   * needs though not every replica has written behind it. 0 keeps all for ever.
   */
  readonly settleAfterMs?: number;
};

const MAINTENANCE_MS = 1_000;
/** A group that nobody used for so long is closed. */
const UNUSED_MS = 10 * 60_000;
const SETTLE_AGAIN_MS = 10 * 60_000;
/** Memtables may grow to this many times their limit while flushes run; then writes are refused. */
const MEMORY_OVERDRAFT = 4;

/**
 * The store's engine: shard groups by database and retention policy, written through one group commit and flushed, merged and
 * closed in the background. Who names databases, their policies and spans is the caller.
 */
export class ShardStore {
  readonly #options: Required<ShardStoreOptions>;
  readonly #env: Env;
  readonly #metrics: StoreMetrics;
  readonly #commits: CommitQueue;
  readonly #slots: GroupSlots;
  readonly #deletions: Deletions;
  /** Rows of a twin on their way into the log. */
  #taking: Promise<unknown> = Promise.resolve();
  readonly #metadata: MetadataBook;
  readonly #groupFor = (target: WriteTarget, ms: number): ShardGroup =>
    this.#slots.groupFor(target, ms);
  /** For samples between their placing and their commit. */
  readonly #pool = new SampleRowsPool();
  readonly #placing: SamplePlacerOptions;
  readonly #stop = new AbortController();
  #maintenance: Promise<void> | null = null;

  /** Reads which groups there are and opens the newest of each retention policy. */
  static async open(options: ShardStoreOptions): Promise<ShardStore> {
    const store = new ShardStore(options);
    try {
      store.#slots.scan();
      for (const { slots } of store.#slots.policies()) {
        const newest = slots.at(-1);
        if (newest !== undefined) await store.#slots.openInSlices(newest);
      }
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  private constructor(options: ShardStoreOptions) {
    this.#options = {
      memtableBytes: 128 * 1024 * 1024,
      pageCacheBytes: 64 * 1024 * 1024,
      flushAfterMs: 60_000,
      settleAfterMs: 2 * 3_600_000,
      ...options,
    };
    this.#env = options.env;
    this.#deletions = new Deletions(this.#env, this.#options.directory);
    const cache = new ByteCache(this.#options.pageCacheBytes);
    this.#slots = new GroupSlots({
      ...this.#options,
      cache,
      hashKey: createHashKey(this.#env.random),
      noteSettled: (rows) => this.#metrics.settled.inc(rows),
    });
    this.#metrics = new StoreMetrics(options.registry, {
      memtableBytes: () => this.#memtableBytes(),
      pageCache: cache,
      index: () => this.#indexSize(),
      groups: () => this.groups().length,
      metadataEntries: () => this.#metadata.count,
      watermarks: () => this.watermarks(),
    });
    this.#metadata = new MetadataBook(
      { env: this.#env, log: options.log, refused: this.#metrics.refusedMetadata },
      options.directory,
    );
    this.#commits = new CommitQueue(this.#env.clock, this.#metrics);
    this.#placing = {
      clock: this.#env.clock,
      pool: this.#pool,
      spans: new Uint32Array(MAX_SPANNED_LABELS * 4),
      groupFor: (target, ms) => {
        try {
          return this.#groupFor(target, ms);
        } catch (error) {
          this.#metrics.failures.inc();
          throw error;
        }
      },
    };
  }

  get clock(): Clock {
    return this.#env.clock;
  }

  /** Whether copies that nobody needs are given up. */
  get isSettling(): boolean {
    return this.#options.settleAfterMs > 0;
  }

  /** Starts flushing and merging in the background. */
  start(): void {
    this.#maintenance ??= this.#maintain();
  }

  /**
   * Stores a batch and resolves when it is synced and visible; points in conflict are left out and counted. Rejects with
   * ShardWriteError when the disk refuses (nothing of the batch is visible then) and LimitError when too much is waiting.
   */
  async write(target: WriteTarget, batch: PointColumns): Promise<WriteOutcome> {
    this.#admit();
    const write = new PointsWrite(target, batch, this.#groupFor);
    await this.#commit(write);
    return write.outcome;
  }

  /**
   * Finds the shard groups and columns of samples, creating what is new; nothing is stored before the outcome is committed.
   * The columns are lent until this resolves, and only one call may run at a time for one numbering. `writeTarget` is asked
   * when there is a sample that may be stored.
   */
  async placeSamples(
    writeTarget: () => WriteTarget,
    samples: SampleColumns,
    rules: SampleRules,
  ): Promise<PlacedSamples> {
    this.#admit();
    const batch = await new SamplePlacer(this.#placing, writeTarget, samples, rules).place();
    if (samples.histograms.length + samples.exemplars.length === 0)
      return { commit: () => this.#commitSamples(batch, null) };
    const target = writeTarget();
    const texts = textPoints(samples, rules, target.oldestMs);
    this.#metrics.refusedExemplars.inc(texts.refusedExemplars);
    return { commit: () => this.#commitSamples(batch, { ...texts, target }) };
  }

  /** As {@link write}, floats and texts together. Rejects with ShardClosedError when a group was dropped since. */
  async #commitSamples(
    batch: SampleBatch,
    texts: (TextPoints & { readonly target: WriteTarget }) | null,
  ): Promise<SampleOutcome> {
    const floats = new SampleWrite(batch, (group) => this.#slots.noteWrite(group));
    const points =
      texts === null ? null : new PointsWrite(texts.target, texts.points, this.#groupFor);
    const write = points === null ? floats : new JointWrite([floats, points]);
    try {
      if (write.rowCount > 0) await this.#commit(write);
    } finally {
      for (const { rows } of batch.parts) this.#pool.give(rows);
    }
    if (points === null || texts === null) return floats.outcome;
    const [one, other] = [floats.outcome, points.outcome];
    return {
      conflictPoints: one.conflictPoints + other.conflictPoints,
      firstConflict: one.firstConflict ?? other.firstConflict,
      expiredPoints: one.expiredPoints + other.expiredPoints,
      refusedSamples: one.refusedSamples + texts.refusedSamples,
      reservedMeasurement: one.reservedMeasurement ?? texts.reservedMeasurement,
    };
  }

  /** Resolves when durable; what is too much is left out and counted. Throws ShardWriteError. */
  writeMetadata(
    database: string,
    retentionPolicy: string,
    rows: readonly MetricMetadata[],
  ): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(new ShardClosedError('the store'));
    return this.#metadata.write(database, retentionPolicy, rows);
  }

  metadata(
    database: string,
    retentionPolicy: string,
  ): Iterable<readonly [name: string, metadata: Metadata]> {
    return this.#metadata.entries(database, retentionPolicy);
  }

  /** Throws when the store takes no writes now. */
  #admit(): void {
    if (this.#stop.signal.aborted) throw new ShardClosedError('the store');
    const limit = this.#options.memtableBytes * MEMORY_OVERDRAFT;
    if (this.#memtableBytes() > limit) {
      this.#metrics.refused.inc();
      const text = `cache-max-memory-size exceeded: (${this.#memtableBytes()}/${limit}); data files cannot be written fast enough`;
      throw new ShardLimitError('memtable-bytes', text);
    }
  }

  async #commit(write: WaitingWrite): Promise<void> {
    await this.#commits.write(write);
    this.#relieveMemory();
  }

  /** Opens the groups of a range without holding the thread, so that {@link view} finds them open. */
  async prepare(database: string, retentionPolicy: string, range: NanoRange): Promise<void> {
    for (const slot of [...this.#slots.of(database, retentionPolicy)]) {
      if (slot.identity.startMs <= range.maxMs && slot.identity.endMs > range.minMs)
        await this.#slots.openInSlices(slot);
    }
  }

  /** What a retention policy holds in a range, held still until `release`. Groups that are not open yet are opened here. */
  view(database: string, retentionPolicy: string, range: NanoRange): StoreView {
    const groups: ShardGroup[] = [];
    for (const slot of this.#slots.of(database, retentionPolicy)) {
      if (slot.identity.startMs <= range.maxMs && slot.identity.endMs > range.minMs)
        groups.push(this.#slots.groupOf(slot));
    }
    return new StoreView(groups, range);
  }

  /** Every shard group, in the order of ids. */
  groups(): GroupIdentity[] {
    const all: GroupIdentity[] = [];
    for (const { slots } of this.#slots.policies())
      for (const { identity } of slots) all.push(identity);
    return all.sort((a, b) => a.id - b.id);
  }

  /**
   * As {@link write}, of rows of one window that another store has sent; false when they may be older than the last deletion from
   * the database, and nothing is stored. Of them deletions that come meanwhile find all or none.
   */
  async writeCopies(target: WriteTarget, startMs: number, batch: PointColumns): Promise<boolean> {
    if (!this.#deletions.isBefore(target.database, startMs)) return false;
    const writing = this.write(target, batch);
    // Its failure is the caller's.
    this.#taking = writing.catch(() => {});
    await writing;
    return true;
  }

  /** Whether rows of a window may be taken from another store. */
  mayTake(database: string, startMs: number): boolean {
    return this.#deletions.isBefore(database, startMs);
  }

  /** Another text after each change of what a policy holds in a window, but for copies that were given up. */
  versionOf(database: string, retentionPolicy: string, startMs: number): string {
    const window = windowOf(startMs);
    return this.#slots
      .of(database, retentionPolicy)
      .filter(({ identity }) => identity.startMs < startMs + WINDOW_MS && identity.endMs > startMs)
      .map(({ identity, arrivals }) => `${identity.id}:${arrivals.versionOf(window)}`)
      .join(' ');
  }

  async #noteDeletion(database: string): Promise<void> {
    this.#deletions.note(database);
    await this.#taking;
  }

  /** Removes rows of matching series in all retention policies of a database. */
  async deleteRows(
    database: string,
    matches: (measurement: string, tags: Labels) => boolean,
    range: NanoRange,
  ): Promise<void> {
    await this.#noteDeletion(database);
    for (const policy of this.#slots.policies()) {
      if (policy.database !== database) continue;
      for (const slot of policy.slots) {
        if (slot.identity.startMs > range.maxMs || slot.identity.endMs <= range.minMs) continue;
        await this.#slots.openInSlices(slot);
        const group = this.#slots.groupOf(slot);
        await group.deleteRows(matches, range, (job) => this.#commits.between(job));
        slot.firstWriteMs = null;
      }
    }
  }

  async dropDatabase(database: string): Promise<void> {
    await this.#noteDeletion(database);
    await this.#metadata.dropDatabase(database);
    await this.#drop((identity) => identity.database === database);
  }

  async dropRetentionPolicy(database: string, retentionPolicy: string): Promise<void> {
    await this.#noteDeletion(database);
    await this.#metadata.dropRetentionPolicy(database, retentionPolicy);
    await this.#drop(
      (identity) => identity.database === database && identity.retentionPolicy === retentionPolicy,
    );
  }

  async dropGroup(id: number): Promise<void> {
    for (const group of this.groups())
      if (group.id === id) await this.#noteDeletion(group.database);
    await this.#drop((identity) => identity.id === id);
  }

  /** Unlinks the groups that end at or before `beforeMs`, and forgets metadata last seen before; returns how many groups. */
  async expire(database: string, retentionPolicy: string, beforeMs: number): Promise<number> {
    this.#metadata.expire(database, retentionPolicy, beforeMs);
    return this.#drop(
      (identity) =>
        identity.database === database &&
        identity.retentionPolicy === retentionPolicy &&
        identity.endMs <= beforeMs,
    );
  }

  /** Newest whole millisecond that each replica has written, of the groups opened so far. */
  watermarks(): { database: string; retentionPolicy: string; replica: string; newestMs: number }[] {
    const rows: { database: string; retentionPolicy: string; replica: string; newestMs: number }[] =
      [];
    for (const { database, retentionPolicy, slots } of this.#slots.policies()) {
      const newest = new Map<string, number>();
      for (const { group, newestMs } of slots) {
        for (const [replica, ms] of group?.newestMs ?? newestMs) {
          newest.set(replica, Math.max(ms, newest.get(replica) ?? Number.NEGATIVE_INFINITY));
        }
      }
      for (const [replica, newestMs] of newest)
        rows.push({ database, retentionPolicy, replica, newestMs });
    }
    return rows;
  }

  /** Bytes on disk of the opened groups. */
  diskBytes(): number {
    let bytes = 0;
    for (const group of this.#opened()) bytes += group.diskBytes;
    return bytes;
  }

  /** Bytes on disk of each group, by its id. Files of groups that are closed are asked for their size. */
  groupBytes(): ReadonlyMap<number, number> {
    const bytes = new Map<number, number>();
    for (const { slots } of this.#slots.policies()) {
      for (const { identity, directory, walDirectory, group } of slots) {
        const isApart = !walDirectory.startsWith(`${directory}/`);
        const closed = (): number =>
          treeBytes(this.#env.files, directory) +
          (isApart ? treeBytes(this.#env.files, walDirectory) : 0);
        bytes.set(identity.id, group?.diskBytes ?? closed());
      }
    }
    return bytes;
  }

  /** Writes all memtables to files. */
  async flush(): Promise<void> {
    for (const slot of this.#slots.open()) await this.#flushSlot(slot);
  }

  /** Ends background work and closes all files. What is not in data files is in the logs. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await this.#commits.close();
    await this.#maintenance;
    await this.#slots.close();
  }

  /** Gives up the matching groups for good; returns how many. What fails is done by the next call. */
  async #drop(matches: (identity: GroupIdentity) => boolean): Promise<number> {
    let dropped = 0;
    // No commit is on its way while the groups leave the table, so none is acknowledged into a group that is gone.
    await this.#commits.between(() => {
      for (const { slots } of this.#slots.policies()) {
        for (const slot of slots) {
          if (!matches(slot.identity)) continue;
          this.#slots.discard(slot);
          dropped++;
        }
      }
      this.#slots.syncRemovals();
    });
    await this.#slots.removeTrash();
    return dropped;
  }

  *#opened(): Generator<ShardGroup> {
    for (const slot of this.#slots.open()) if (slot.group !== null) yield slot.group;
  }

  #indexSize(): { readonly bytes: number; readonly series: number } {
    let bytes = 0;
    let series = 0;
    for (const { catalogue } of this.#opened()) {
      bytes += catalogue.bytes;
      series += catalogue.seriesCount;
    }
    return { bytes, series };
  }

  #memtableBytes(): number {
    let bytes = 0;
    for (const group of this.#opened()) bytes += group.memtableBytes;
    return bytes;
  }

  /** Flushes the largest memtable when all together are over the limit. */
  #relieveMemory(): void {
    if (this.#memtableBytes() < this.#options.memtableBytes) return;
    let largest: Slot | null = null;
    for (const slot of this.#slots.open()) {
      if (slot.group === null || slot.group.isFlushing) continue;
      if (largest === null || slot.group.memtableBytes > (largest.group?.memtableBytes ?? 0))
        largest = slot;
    }
    if (largest !== null) void this.#flushInBackground(largest);
  }

  async #flushInBackground(slot: Slot): Promise<void> {
    try {
      await this.#flushSlot(slot);
    } catch (error) {
      this.#metrics.flushFailures.inc();
      this.#options.log.error('cannot flush a memtable; it stays in memory and in the log', {
        group: slot.identity.id,
        error: errorText(error),
      });
    }
  }

  async #flushSlot(slot: Slot): Promise<void> {
    const { group } = slot;
    if (group === null) return;
    await this.#commits.between(() => {
      if (group.freeze()) slot.firstWriteMs = null;
    });
    await group.flush();
    await group.merge();
  }

  /** Gives the memory of a group back that nobody has written to or read for a while. The newest of a policy stays. */
  async #closeUnused(slot: Slot): Promise<void> {
    const { database, retentionPolicy } = slot.identity;
    const isUnused = (): boolean =>
      slot.group?.isIdle === true && this.#env.clock.monotonic() - slot.lastUseMs >= UNUSED_MS;
    if (!isUnused()) return;
    if (slot === this.#slots.of(database, retentionPolicy).at(-1)) return;
    let closed: ShardGroup | null = null;
    await this.#commits.between(() => {
      // Samples may have been placed in it meanwhile.
      if (slot.group === null || !isUnused()) return;
      closed = slot.group;
      slot.newestMs = new Map(slot.group.newestMs);
      slot.group = null;
    });
    await (closed as ShardGroup | null)?.close();
  }

  /**
   * Gives up the copies that nobody needs in the groups that were over `settleAfterMs` ago, when the last write to them is as long
   * ago. While a group is written to, merges of its files do so.
   */
  async settle(): Promise<void> {
    for (const slot of [...this.#dueToSettle()]) await this.#settleSlot(slot);
  }

  *#dueToSettle(): Generator<Slot> {
    const { settleAfterMs } = this.#options;
    if (settleAfterMs === 0) return;
    const limitMs = this.#env.clock.now() - settleAfterMs;
    for (const { slots } of this.#slots.policies()) {
      for (const slot of slots) {
        if (slot.isSettled === true || slot.identity.endMs > limitMs) continue;
        if (this.#env.clock.monotonic() < slot.settleAgainMs) continue;
        if (slot.arrivals.areQuiet(settleAfterMs)) yield slot;
      }
    }
  }

  async #settleSlot(slot: Slot): Promise<void> {
    const startMs = this.#env.clock.monotonic();
    try {
      if (slot.isSettled === null && isSettledDirectory(this.#env, slot.directory)) {
        slot.isSettled = true;
        return;
      }
      const wasOpen = slot.group !== null;
      await this.#slots.openInSlices(slot);
      if (slot.group === null) return;
      slot.isSettled = true;
      const isRewritten = await slot.group.settle((job) => this.#commits.between(job));
      if (!wasOpen) slot.lastUseMs = Number.NEGATIVE_INFINITY;
      if (!isRewritten) return;
      this.#options.log.info('gave up copies that other replicas cover', {
        group: slot.identity.id,
        duration_ms: Math.round(this.#env.clock.monotonic() - startMs),
      });
    } catch (error) {
      slot.isSettled = false;
      slot.settleAgainMs = this.#env.clock.monotonic() + SETTLE_AGAIN_MS;
      this.#metrics.settleFailures.inc();
      this.#options.log.error('cannot give up copies of a shard group; all stay', {
        group: slot.identity.id,
        error: errorText(error),
      });
    }
  }

  async #maintain(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await sleep(this.#env.clock, MAINTENANCE_MS, signal);
      } catch {
        return;
      }
      const limitMs = this.#env.clock.now() - this.#options.flushAfterMs;
      for (const slot of this.#slots.open()) {
        const isOld = slot.firstWriteMs !== null && slot.firstWriteMs <= limitMs;
        if (isOld || slot.group?.isFlushing === true) await this.#flushInBackground(slot);
        else await this.#closeUnused(slot);
      }
      // One a round: others wait for their flush.
      const [due] = this.#dueToSettle();
      if (due !== undefined) await this.#settleSlot(due);
    }
  }
}

function treeBytes(files: Files, directory: string): number {
  let bytes = 0;
  for (const name of files.list(directory)) {
    const path = `${directory}/${name}`;
    const stat = files.stat(path);
    bytes += stat.isDirectory ? treeBytes(files, path) : stat.size;
  }
  return bytes;
}
