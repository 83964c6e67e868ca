import { ByteCache, type Env, errorText, Slices, sleep } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Log, Registry } from '@pollux/telemetry';
import type { NanoRange } from './column-data.ts';
import { CommitQueue, type WriteTarget } from './commit-queue.ts';
import { ShardClosedError, ShardLimitError } from './errors.ts';
import {
  directoryName,
  type GroupIdentity,
  readIdentity,
  writeIdentity,
} from './group-identity.ts';
import { atOnce, inSlices } from './pieces.ts';
import type { PointColumns, WriteOutcome } from './point-columns.ts';
import { ShardGroup } from './shard-group.ts';
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
};

type Slot = {
  readonly identity: GroupIdentity;
  readonly directory: string;
  readonly walDirectory: string;
  group: ShardGroup | null;
  /** Under way, sliced. */
  opening: Promise<ShardGroup> | null;
  firstWriteMs: number | null;
  lastUseMs: number;
  /** What {@link ShardGroup.newestMs} was when the group was closed for want of use. */
  newestMs: ReadonlyMap<string, number>;
};

/** Go's year 1 in ms since 1970: where the spans of shard groups count from, so that weeks begin on Mondays. */
const YEAR_ONE_MS = -62_135_596_800_000;
const MAINTENANCE_MS = 1_000;
/** A group that nobody used for so long is closed. */
const UNUSED_MS = 10 * 60_000;
const TRASH = '.trash-';
/** Temporaries of `replaceFile`. */
const UNFINISHED = /\.tmp-/;
/** Memtables may grow to this many times their limit while flushes run; then writes are refused. */
const MEMORY_OVERDRAFT = 4;

/**
 * The store's engine: shard groups by database and retention policy. It owns which groups exist; who names databases, their
 * policies and spans is the caller. Groups are opened when first touched.
 */
export class ShardStore {
  readonly #options: Required<ShardStoreOptions>;
  readonly #env: Env;
  readonly #cache: ByteCache;
  readonly #metrics: StoreMetrics;
  readonly #commits: CommitQueue;
  /** database → retention policy → groups by time. */
  readonly #slots = new Map<string, Map<string, Slot[]>>();
  readonly #stop = new AbortController();
  /** Dropped groups whose files are still there. */
  readonly #trash = new Set<Slot>();
  /** Directories in which names have changed that a power loss could bring back. */
  readonly #unsynced = new Set<string>();
  #nextId = 1;
  #maintenance: Promise<void> | null = null;

  /** Reads which groups there are and opens the newest of each retention policy. */
  static async open(options: ShardStoreOptions): Promise<ShardStore> {
    const store = new ShardStore(options);
    try {
      store.#scan();
      for (const policies of store.#slots.values()) {
        for (const slots of policies.values()) {
          const newest = slots.at(-1);
          if (newest !== undefined) await store.#openInSlices(newest);
        }
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
      ...options,
    };
    this.#env = options.env;
    this.#cache = new ByteCache(this.#options.pageCacheBytes);
    this.#metrics = new StoreMetrics(options.registry, {
      memtableBytes: () => this.#memtableBytes(),
      pageCache: this.#cache,
      groups: () => this.groups().length,
      watermarks: () => this.watermarks(),
    });
    this.#commits = new CommitQueue(this.#env.clock, this.#metrics, (target, ms) =>
      this.#slotFor(target, ms),
    );
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
    if (this.#stop.signal.aborted) throw new ShardClosedError('the store');
    const limit = this.#options.memtableBytes * MEMORY_OVERDRAFT;
    if (this.#memtableBytes() > limit) {
      this.#metrics.refused.inc();
      const text = `cache-max-memory-size exceeded: (${this.#memtableBytes()}/${limit}); data files cannot be written fast enough`;
      throw new ShardLimitError('memtable-bytes', text);
    }
    const outcome = await this.#commits.write(target, batch);
    this.#relieveMemory();
    return outcome;
  }

  /** Opens the groups of a range without holding the thread, so that {@link view} finds them open. */
  async prepare(database: string, retentionPolicy: string, range: NanoRange): Promise<void> {
    for (const slot of [...this.#slotsOf(database, retentionPolicy)]) {
      if (slot.identity.startMs <= range.maxMs && slot.identity.endMs > range.minMs)
        await this.#openInSlices(slot);
    }
  }

  /** What a retention policy holds in a range, held still until `release`. Groups that are not open yet are opened here. */
  view(database: string, retentionPolicy: string, range: NanoRange): StoreView {
    const groups: ShardGroup[] = [];
    for (const slot of this.#slotsOf(database, retentionPolicy)) {
      if (slot.identity.startMs <= range.maxMs && slot.identity.endMs > range.minMs)
        groups.push(this.#groupOf(slot));
    }
    return new StoreView(groups, range);
  }

  /** Every shard group, in the order of ids. */
  groups(): GroupIdentity[] {
    const all: GroupIdentity[] = [];
    for (const policies of this.#slots.values()) {
      for (const slots of policies.values()) for (const slot of slots) all.push(slot.identity);
    }
    return all.sort((a, b) => a.id - b.id);
  }

  /** Removes rows of matching series in all retention policies of a database. */
  async deleteRows(
    database: string,
    matches: (measurement: string, tags: Labels) => boolean,
    range: NanoRange,
  ): Promise<void> {
    for (const slots of this.#slots.get(database)?.values() ?? []) {
      for (const slot of [...slots]) {
        if (slot.identity.startMs > range.maxMs || slot.identity.endMs <= range.minMs) continue;
        await this.#openInSlices(slot);
        const group = this.#groupOf(slot);
        await group.deleteRows(matches, range, (job) => this.#commits.between(job));
        slot.firstWriteMs = null;
      }
    }
  }

  async dropDatabase(database: string): Promise<void> {
    await this.#drop((identity) => identity.database === database);
  }

  async dropRetentionPolicy(database: string, retentionPolicy: string): Promise<void> {
    await this.#drop(
      (identity) => identity.database === database && identity.retentionPolicy === retentionPolicy,
    );
  }

  async dropGroup(id: number): Promise<void> {
    await this.#drop((identity) => identity.id === id);
  }

  /** Unlinks the groups that end at or before `beforeMs`; returns how many. */
  async expire(database: string, retentionPolicy: string, beforeMs: number): Promise<number> {
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
    for (const [database, policies] of this.#slots) {
      for (const [retentionPolicy, slots] of policies) {
        const newest = new Map<string, number>();
        for (const { group, newestMs } of slots) {
          for (const [replica, ms] of group?.newestMs ?? newestMs) {
            newest.set(replica, Math.max(ms, newest.get(replica) ?? Number.NEGATIVE_INFINITY));
          }
        }
        for (const [replica, newestMs] of newest)
          rows.push({ database, retentionPolicy, replica, newestMs });
      }
    }
    return rows;
  }

  /** Bytes on disk of the opened groups. */
  diskBytes(): number {
    let bytes = 0;
    for (const group of this.#opened()) bytes += group.diskBytes;
    return bytes;
  }

  /** Writes all memtables to files. */
  async flush(): Promise<void> {
    for (const slot of this.#openSlots()) await this.#flushSlot(slot);
  }

  /** Ends background work and closes all files. What is not in data files is in the logs. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await this.#commits.close();
    await this.#maintenance;
    for (const group of this.#opened()) await group.close();
    for (const { group } of this.#trash) await group?.close();
  }

  #scan(): void {
    const { files } = this.#env;
    const { directory } = this.#options;
    files.makeDirectory(directory);
    for (const database of files.list(directory)) {
      const databasePath = `${directory}/${database}`;
      if (database.startsWith(TRASH)) files.removeTree(databasePath);
      else if (files.stat(databasePath).isDirectory) this.#scanDatabase(database, databasePath);
    }
    const counter = `${directory}/next-group-id`;
    if (files.exists(counter)) {
      this.#nextId = Math.max(
        this.#nextId,
        Number(new TextDecoder().decode(files.readFile(counter))) || 1,
      );
    }
  }

  #scanDatabase(name: string, path: string): void {
    const { files } = this.#env;
    for (const policy of files.list(path)) {
      const policyPath = `${path}/${policy}`;
      if (!files.stat(policyPath).isDirectory) continue;
      for (const group of files.list(policyPath)) {
        const identity = readIdentity(this.#env, `${policyPath}/${group}`);
        if (identity === null) {
          this.#removeUnfinished(`${policyPath}/${group}`);
          continue;
        }
        const walDirectory = this.#walDirectory(
          `${name}/${policy}/${group}`,
          `${policyPath}/${group}`,
        );
        this.#addSlot({
          identity,
          directory: `${policyPath}/${group}`,
          walDirectory,
          group: null,
          opening: null,
          firstWriteMs: null,
          lastUseMs: 0,
          newestMs: new Map(),
        });
        this.#nextId = Math.max(this.#nextId, identity.id + 1);
      }
    }
  }

  /** Removes what a creation that was cut short has left, and nothing else. */
  #removeUnfinished(directory: string): void {
    const { files } = this.#env;
    if (!files.stat(directory).isDirectory) return;
    const isUnfinished = files.list(directory).every((name) => UNFINISHED.test(name));
    if (isUnfinished) files.removeTree(directory);
  }

  #walDirectory(relative: string, directory: string): string {
    const { walDirectory } = this.#options;
    return walDirectory === null ? `${directory}/wal` : `${walDirectory}/${relative}`;
  }

  #addSlot(slot: Slot): void {
    const { database, retentionPolicy } = slot.identity;
    let policies = this.#slots.get(database);
    if (policies === undefined) {
      policies = new Map();
      this.#slots.set(database, policies);
    }
    const slots = policies.get(retentionPolicy) ?? [];
    slots.push(slot);
    slots.sort((a, b) => a.identity.startMs - b.identity.startMs);
    policies.set(retentionPolicy, slots);
  }

  #slotsOf(database: string, retentionPolicy: string): readonly Slot[] {
    return this.#slots.get(database)?.get(retentionPolicy) ?? [];
  }

  #groupOf(slot: Slot): ShardGroup {
    slot.lastUseMs = this.#env.clock.monotonic();
    slot.group ??= atOnce(this.#opening(slot));
    return slot.group;
  }

  #opening(slot: Slot): Generator<void, ShardGroup, void> {
    return ShardGroup.open(slot.identity, {
      env: this.#env,
      log: this.#options.log,
      cache: this.#cache,
      directory: slot.directory,
      walDirectory: slot.walDirectory,
    });
  }

  /** Opens a group and lets others run meanwhile. */
  async #openInSlices(slot: Slot): Promise<void> {
    if (slot.group !== null) return;
    slot.opening ??= inSlices(this.#opening(slot), new Slices(this.#env.clock)).finally(() => {
      slot.opening = null;
    });
    let group: ShardGroup;
    try {
      group = await slot.opening;
    } catch (error) {
      // Somebody who could not wait has opened or dropped it meanwhile, and files may have changed under this attempt.
      const { database, retentionPolicy } = slot.identity;
      const isDropped = !this.#slotsOf(database, retentionPolicy).includes(slot);
      if (slot.group !== null || isDropped) return;
      throw error;
    }
    const { database, retentionPolicy } = slot.identity;
    const isWanted =
      !this.#stop.signal.aborted && this.#slotsOf(database, retentionPolicy).includes(slot);
    slot.lastUseMs = this.#env.clock.monotonic();
    if (slot.group === null && isWanted) slot.group = group;
    else if (slot.group !== group) await group.close();
  }

  /** The group that a time falls into, created when there is none yet. */
  #slotFor(target: WriteTarget, ms: number): ShardGroup {
    const slots = this.#slotsOf(target.database, target.retentionPolicy);
    let found: Slot | undefined;
    for (const slot of slots) {
      if (slot.identity.startMs <= ms && ms < slot.identity.endMs) found = slot;
    }
    found ??= this.#createSlot(target, ms, slots);
    found.firstWriteMs ??= this.#env.clock.now();
    return this.#groupOf(found);
  }

  #createSlot(target: WriteTarget, ms: number, slots: readonly Slot[]): Slot {
    const span = target.groupDurationMs;
    let startMs = Math.floor((ms - YEAR_ONE_MS) / span) * span + YEAR_ONE_MS;
    let endMs = startMs + span;
    // After a change of the span a new group must not overlap an old one.
    for (const { identity } of slots) {
      if (identity.endMs <= ms) startMs = Math.max(startMs, identity.endMs);
      if (identity.startMs > ms) endMs = Math.min(endMs, identity.startMs);
    }
    const { database, retentionPolicy } = target;
    const identity = { id: this.#nextId++, database, retentionPolicy, startMs, endMs };
    const relative = `${directoryName(database)}/${directoryName(retentionPolicy)}/${identity.id}`;
    const directory = `${this.#options.directory}/${relative}`;
    const walDirectory = this.#walDirectory(relative, directory);
    this.#env.files.replaceFile(`${this.#options.directory}/next-group-id`, String(this.#nextId));
    writeIdentity(this.#env, directory, identity);
    this.#env.files.makeDirectory(walDirectory);
    this.#syncParents(directory);
    if (this.#options.walDirectory !== null) this.#syncParents(walDirectory);
    const slot: Slot = {
      identity,
      directory,
      walDirectory,
      group: null,
      opening: null,
      firstWriteMs: null,
      lastUseMs: 0,
      newestMs: new Map(),
    };
    this.#addSlot(slot);
    return slot;
  }

  /** A new directory is durable only when the entries that lead to it are. */
  #syncParents(directory: string): void {
    let path = directory;
    for (let level = 0; level < 3; level++) {
      path = path.slice(0, path.lastIndexOf('/'));
      this.#env.files.syncDirectory(path);
    }
  }

  /** Gives up the matching groups for good; returns how many. What fails is done by the next call. */
  async #drop(matches: (identity: GroupIdentity) => boolean): Promise<number> {
    let dropped = 0;
    // No commit is on its way while the groups leave the table, so none is acknowledged into a group that is gone.
    await this.#commits.between(() => {
      for (const policies of [...this.#slots.values()]) {
        for (const slots of [...policies.values()]) {
          for (const slot of slots.filter(({ identity }) => matches(identity))) {
            this.#discard(slot);
            dropped++;
          }
        }
      }
      for (const directory of this.#unsynced) {
        this.#env.files.syncDirectory(directory);
        this.#unsynced.delete(directory);
      }
    });
    await this.#removeTrash();
    return dropped;
  }

  /** A rename is one step: a crash leaves the whole group or none, and the rest is swept at the next start. */
  #discard(slot: Slot): void {
    const { database, retentionPolicy, id } = slot.identity;
    this.#env.files.rename(slot.directory, `${this.#options.directory}/${TRASH}${id}`);
    this.#unsynced.add(this.#options.directory);
    this.#unsynced.add(slot.directory.slice(0, slot.directory.lastIndexOf('/')));
    this.#trash.add(slot);
    const policies = this.#slots.get(database);
    const kept = this.#slotsOf(database, retentionPolicy).filter((other) => other !== slot);
    if (kept.length > 0) policies?.set(retentionPolicy, kept);
    else policies?.delete(retentionPolicy);
    if (policies?.size === 0) this.#slots.delete(database);
  }

  async #removeTrash(): Promise<void> {
    for (const slot of this.#trash) {
      await slot.group?.close();
      try {
        await this.#removeTree(`${this.#options.directory}/${TRASH}${slot.identity.id}`);
        await this.#removeTree(slot.walDirectory);
        this.#trash.delete(slot);
      } catch (error) {
        // The group is dropped all the same; its files go with the next drop or the next start.
        this.#options.log.warn('cannot remove the files of a dropped shard group', {
          group: slot.identity.id,
          error: errorText(error),
        });
      }
    }
  }

  /** Files are removed without the thread, since to give back large ones takes the system a while. */
  async #removeTree(directory: string): Promise<void> {
    const { files } = this.#env;
    if (!files.exists(directory)) return;
    for (const name of files.list(directory)) {
      const path = `${directory}/${name}`;
      if (!files.stat(path).isDirectory) await files.unlink(path);
    }
    files.removeTree(directory);
  }

  *#openSlots(): Generator<Slot> {
    for (const policies of [...this.#slots.values()]) {
      for (const slots of [...policies.values()]) {
        for (const slot of [...slots]) if (slot.group !== null) yield slot;
      }
    }
  }

  *#opened(): Generator<ShardGroup> {
    for (const slot of this.#openSlots()) if (slot.group !== null) yield slot.group;
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
    for (const slot of this.#openSlots()) {
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
    if (this.#env.clock.monotonic() - slot.lastUseMs < UNUSED_MS) return;
    if (slot === this.#slotsOf(database, retentionPolicy).at(-1)) return;
    let closed: ShardGroup | null = null;
    await this.#commits.between(() => {
      if (slot.group?.isIdle !== true) return;
      closed = slot.group;
      slot.newestMs = new Map(slot.group.newestMs);
      slot.group = null;
    });
    await (closed as ShardGroup | null)?.close();
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
      for (const slot of this.#openSlots()) {
        const isOld = slot.firstWriteMs !== null && slot.firstWriteMs <= limitMs;
        if (isOld || slot.group?.isFlushing === true) await this.#flushInBackground(slot);
        else await this.#closeUnused(slot);
      }
    }
  }
}
