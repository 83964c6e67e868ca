import {
  atOnce,
  type ByteCache,
  type Env,
  errorText,
  inSlices,
  Slices,
  unlinkTree,
} from '@pollux/base';
import type { HashKey } from '@pollux/index';
import type { GroupIdentity, WriteTarget } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { removeSettledMark } from './group-files.ts';
import { directoryName, readIdentity, writeIdentity } from './group-identity.ts';
import { WindowArrivals } from './settle/window-arrivals.ts';
import { ShardGroup } from './shard-group.ts';

/** A shard group that there is on disk, and the group itself while it is open. */
export type Slot = {
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
  readonly arrivals: WindowArrivals;
  /** Whether copies that nobody needs were given up since the last write; null when nobody has looked since the start. */
  isSettled: boolean | null;
  /** Not before this time of the monotonic clock, after a failure. */
  settleAgainMs: number;
};

export type SlotsPlace = {
  readonly env: Env;
  readonly log: Log;
  readonly cache: ByteCache;
  readonly hashKey: HashKey;
  readonly directory: string;
  /** Null puts logs beside the data. */
  readonly walDirectory: string | null;
  /** As in the store's options. */
  readonly settleAfterMs: number;
  /** Told of rows that were given up. */
  readonly noteSettled: (rows: number) => void;
};

/** Go's year 1 in ms since 1970: where the spans of shard groups count from, so that weeks begin on Mondays. */
const YEAR_ONE_MS = -62_135_596_800_000;
const TRASH = '.trash-';
/** Temporaries of `replaceFile`. */
const UNFINISHED = /\.tmp-/;

/** Which shard groups there are: found, created, opened, dropped, with their directories. */
export class GroupSlots {
  readonly #place: SlotsPlace;
  /** database → retention policy → groups by time. */
  readonly #slots = new Map<string, Map<string, Slot[]>>();
  /** Dropped groups whose files are still there. */
  readonly #trash = new Set<Slot>();
  /** Directories in which names have changed that a power loss could bring back. */
  readonly #unsynced = new Set<string>();
  #nextId = 1;
  #isClosed = false;

  constructor(place: SlotsPlace) {
    this.#place = place;
  }

  /** All of them, by database and retention policy. */
  policies(): { database: string; retentionPolicy: string; slots: readonly Slot[] }[] {
    const found: { database: string; retentionPolicy: string; slots: readonly Slot[] }[] = [];
    for (const [database, policies] of this.#slots) {
      for (const [retentionPolicy, slots] of policies)
        found.push({ database, retentionPolicy, slots: [...slots] });
    }
    return found;
  }

  /** Reads which groups there are. */
  scan(): void {
    const { files } = this.#place.env;
    const { directory } = this.#place;
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
    const { files } = this.#place.env;
    for (const policy of files.list(path)) {
      const policyPath = `${path}/${policy}`;
      if (!files.stat(policyPath).isDirectory) continue;
      for (const group of files.list(policyPath)) {
        const identity = readIdentity(this.#place.env, `${policyPath}/${group}`);
        if (identity === null) {
          this.#removeUnfinished(`${policyPath}/${group}`);
          continue;
        }
        const walDirectory = this.#walDirectory(
          `${name}/${policy}/${group}`,
          `${policyPath}/${group}`,
        );
        this.#addSlot(identity, `${policyPath}/${group}`, walDirectory);
        this.#nextId = Math.max(this.#nextId, identity.id + 1);
      }
    }
  }

  /** Removes what a creation that was cut short has left, and nothing else. */
  #removeUnfinished(directory: string): void {
    const { files } = this.#place.env;
    if (!files.stat(directory).isDirectory) return;
    const isUnfinished = files.list(directory).every((name) => UNFINISHED.test(name));
    if (isUnfinished) files.removeTree(directory);
  }

  #walDirectory(relative: string, directory: string): string {
    const { walDirectory } = this.#place;
    return walDirectory === null ? `${directory}/wal` : `${walDirectory}/${relative}`;
  }

  /** Notes a group that is there and closed. */
  #addSlot(identity: GroupIdentity, directory: string, walDirectory: string): Slot {
    const slot: Slot = {
      identity,
      directory,
      walDirectory,
      group: null,
      opening: null,
      firstWriteMs: null,
      lastUseMs: 0,
      newestMs: new Map(),
      arrivals: new WindowArrivals(this.#place.env.clock),
      isSettled: null,
      settleAgainMs: 0,
    };
    const { database, retentionPolicy } = identity;
    let policies = this.#slots.get(database);
    if (policies === undefined) {
      policies = new Map();
      this.#slots.set(database, policies);
    }
    const slots = policies.get(retentionPolicy) ?? [];
    slots.push(slot);
    slots.sort((a, b) => a.identity.startMs - b.identity.startMs);
    policies.set(retentionPolicy, slots);
    return slot;
  }

  /** Groups of a policy by time. */
  of(database: string, retentionPolicy: string): readonly Slot[] {
    return this.#slots.get(database)?.get(retentionPolicy) ?? [];
  }

  /** The group, opened at once if need be. */
  groupOf(slot: Slot): ShardGroup {
    slot.lastUseMs = this.#place.env.clock.monotonic();
    slot.group ??= atOnce(this.#opening(slot));
    return slot.group;
  }

  #opening(slot: Slot): Generator<void, ShardGroup, void> {
    return ShardGroup.open(slot.identity, {
      env: this.#place.env,
      log: this.#place.log,
      cache: this.#place.cache,
      hashKey: this.#place.hashKey,
      directory: slot.directory,
      walDirectory: slot.walDirectory,
      arrivals: slot.arrivals,
      settleAfterMs: this.#place.settleAfterMs,
      noteSettled: this.#place.noteSettled,
    });
  }

  /** Opens a group and lets others run meanwhile. */
  async openInSlices(slot: Slot): Promise<void> {
    if (slot.group !== null) return;
    slot.opening ??= inSlices(this.#opening(slot), new Slices(this.#place.env.clock)).finally(
      () => {
        slot.opening = null;
      },
    );
    let group: ShardGroup;
    try {
      group = await slot.opening;
    } catch (error) {
      // Somebody who could not wait has opened or dropped it meanwhile, and files may have changed under this attempt.
      const { database, retentionPolicy } = slot.identity;
      const isDropped = !this.of(database, retentionPolicy).includes(slot);
      if (slot.group !== null || isDropped) return;
      throw error;
    }
    const { database, retentionPolicy } = slot.identity;
    const isWanted = !this.#isClosed && this.of(database, retentionPolicy).includes(slot);
    slot.lastUseMs = this.#place.env.clock.monotonic();
    if (slot.group === null && isWanted) slot.group = group;
    else if (slot.group !== group) await group.close();
  }

  /** Notes a write to a group that {@link groupFor} gave; false when it was dropped, or closed and opened anew, since. */
  noteWrite(group: ShardGroup): boolean {
    const { database, retentionPolicy } = group.identity;
    const slot = this.of(database, retentionPolicy).find((one) => one.group === group);
    if (slot === undefined) return false;
    this.#noteUnsettled(slot);
    // It may have been flushed since.
    slot.firstWriteMs ??= this.#place.env.clock.now();
    return true;
  }

  /** Also on disk, for what is written may be in the log only when the next start looks. */
  #noteUnsettled(slot: Slot): void {
    if (slot.isSettled === false) return;
    removeSettledMark(this.#place.env, slot.directory);
    slot.isSettled = false;
  }

  /** The group that a time falls into, created when there is none yet. */
  groupFor(target: WriteTarget, ms: number): ShardGroup {
    const slots = this.of(target.database, target.retentionPolicy);
    let found: Slot | undefined;
    for (const slot of slots) {
      if (slot.identity.startMs <= ms && ms < slot.identity.endMs) found = slot;
    }
    found ??= this.#createSlot(target, ms, slots);
    found.firstWriteMs ??= this.#place.env.clock.now();
    this.#noteUnsettled(found);
    return this.groupOf(found);
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
    const directory = `${this.#place.directory}/${relative}`;
    const walDirectory = this.#walDirectory(relative, directory);
    this.#place.env.files.replaceFile(
      `${this.#place.directory}/next-group-id`,
      String(this.#nextId),
    );
    writeIdentity(this.#place.env, directory, identity);
    this.#place.env.files.makeDirectory(walDirectory);
    this.#syncParents(directory);
    if (this.#place.walDirectory !== null) this.#syncParents(walDirectory);
    return this.#addSlot(identity, directory, walDirectory);
  }

  /** A new directory is durable only when the entries that lead to it are. */
  #syncParents(directory: string): void {
    let path = directory;
    for (let level = 0; level < 3; level++) {
      path = path.slice(0, path.lastIndexOf('/'));
      this.#place.env.files.syncDirectory(path);
    }
  }

  /** A rename is one step: a crash leaves the whole group or none, and the rest is swept at the next start. */
  discard(slot: Slot): void {
    const { database, retentionPolicy, id } = slot.identity;
    this.#place.env.files.rename(slot.directory, `${this.#place.directory}/${TRASH}${id}`);
    this.#unsynced.add(this.#place.directory);
    this.#unsynced.add(slot.directory.slice(0, slot.directory.lastIndexOf('/')));
    this.#trash.add(slot);
    const policies = this.#slots.get(database);
    const kept = this.of(database, retentionPolicy).filter((other) => other !== slot);
    if (kept.length > 0) policies?.set(retentionPolicy, kept);
    else policies?.delete(retentionPolicy);
    if (policies?.size === 0) this.#slots.delete(database);
  }

  /** Removes the files of dropped groups; what fails is tried again by the next call. */
  async removeTrash(): Promise<void> {
    for (const slot of this.#trash) {
      await slot.group?.close();
      try {
        const { env, directory } = this.#place;
        await unlinkTree(env.files, `${directory}/${TRASH}${slot.identity.id}`);
        await unlinkTree(env.files, slot.walDirectory);
        this.#trash.delete(slot);
      } catch (error) {
        // The group is dropped all the same; its files go with the next drop or the next start.
        this.#place.log.warn('cannot remove the files of a dropped shard group', {
          group: slot.identity.id,
          error: errorText(error),
        });
      }
    }
  }

  /** Makes the removals of {@link discard} durable. */
  syncRemovals(): void {
    for (const directory of this.#unsynced) {
      this.#place.env.files.syncDirectory(directory);
      this.#unsynced.delete(directory);
    }
  }

  /** Those whose groups are open. */
  *open(): Generator<Slot> {
    for (const policies of [...this.#slots.values()]) {
      for (const slots of [...policies.values()]) {
        for (const slot of [...slots]) if (slot.group !== null) yield slot;
      }
    }
  }

  /** Closes all groups; none is opened afterwards but at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { group } of this.open()) await group?.close();
    for (const { group } of this.#trash) await group?.close();
  }
}
