import type { Clock, Files } from '@pollux/base';
import { unlinkTree } from '@pollux/base';
import { WalSyncError, WalWriteError } from '../errors.ts';
import type { TsdbMetrics } from '../metrics.ts';
import {
  checkpointIndex,
  checkpointName,
  segmentIndex,
  segmentName,
  type WalPosition,
} from './segment.ts';
import { SegmentReader } from './segment-reader.ts';
import { SegmentWriter, type WalCompression } from './segment-writer.ts';
import type { Zstd } from './zstd.ts';

/** Ends the name of a checkpoint that is being written. */
export const CHECKPOINT_TMP = '.tmp';

/** A checkpoint on disk: all that is needed of the segments up to and including `index`. */
export type CheckpointInfo = {
  readonly index: number;
  readonly directory: string;
  /** Its segment files, as absolute or working-directory paths, in order. */
  readonly files: readonly string[];
};

/** What is about to be removed from the log's directory; hard links made in the listener keep it. */
export type WalDeletion = {
  readonly segments: readonly { readonly index: number; readonly path: string }[];
  readonly checkpoints: readonly CheckpointInfo[];
  /** The checkpoint that takes the place of the removed segments; it stays. */
  readonly replacement: CheckpointInfo | null;
};

export type WalListener = {
  /** The watermark has moved: {@link WalTail.position} says how far. Must return at once. */
  readonly onFlush?: () => void;
  /** Segment `finished` is complete and a new one begun. */
  readonly onCut?: (finished: number) => void;
  /** Synchronous, before the removal; an error is logged and does not hold it. */
  readonly beforeDelete?: (deletion: WalDeletion) => void;
};

/** The log as followers (remote write queues) see it. */
export interface WalTail {
  readonly walDirectory: string;
  /** Everything before it is in the files. */
  position(): WalPosition;
  /** Numbers of the oldest and the newest segment, both there. */
  segments(): { readonly first: number; readonly last: number };
  /** Path of a segment's file, or null when it has been removed. */
  segmentPath(index: number): string | null;
  /** The newest checkpoint, or null. Its samples need not be sent: it is there for its series records. */
  checkpoint(): CheckpointInfo | null;
  /** For reading records that were compressed with it; loaded when the log has or gets such. */
  readonly zstd: Zstd;
  /** The returned function ends it. */
  subscribe(listener: WalListener): () => void;
}

export type WalOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly compression: WalCompression;
  /** For reading back what was written. */
  readonly zstd: Zstd;
  readonly metrics: TsdbMetrics;
  readonly onListenerError: (error: unknown) => void;
};

/** A stretch of a segment file between two ends of records. */
type LogPart = { readonly path: string; readonly offset: number; readonly limit: number };

/** After a failed sync no more than this is written again: a disk that fails for long must not be filled with repeats. */
const MAX_REPEATED_BYTES = 64 * 1024 * 1024;

/** The numbered segments in one directory: writing, syncing, deleting. */
export class Wal implements WalTail {
  readonly walDirectory: string;
  readonly zstd: Zstd;
  readonly #options: WalOptions;
  readonly #writer: SegmentWriter;
  readonly #listeners = new Set<WalListener>();
  #first: number;
  #isDirty = false;
  #syncing: Promise<void> | null = null;
  /** Everything before it is on the disk, as far as it was written by this process. */
  #synced: WalPosition;
  /** After a failed sync: records from `#synced` up to here have to be written again before anything else. */
  #unsure: WalPosition | null = null;

  /** Begins a new segment behind the ones that are there; call after replay and repair. */
  constructor(options: WalOptions) {
    this.#options = options;
    this.walDirectory = options.directory;
    this.zstd = options.zstd;
    const present = listSegments(options.files, options.directory);
    const next =
      (present.at(-1) ?? lastCheckpoint(options.files, options.directory)?.index ?? -1) + 1;
    this.#first = present[0] ?? next;
    this.#writer = new SegmentWriter(
      {
        files: options.files,
        directory: options.directory,
        segmentBytes: options.segmentBytes,
        compression: options.compression,
        onCut: (finished) => this.#announceCut(finished),
        onSyncError: () => options.metrics.walFsyncFailures.inc(),
      },
      next,
    );
    this.#synced = this.#writer.position;
    options.metrics.walSegment.set(next);
  }

  position(): WalPosition {
    return this.#writer.position;
  }

  segments(): { first: number; last: number } {
    return { first: this.#first, last: this.#writer.position.segment };
  }

  segmentPath(index: number): string | null {
    const path = `${this.walDirectory}/${segmentName(index)}`;
    return this.#options.files.exists(path) ? path : null;
  }

  checkpoint(): CheckpointInfo | null {
    return lastCheckpoint(this.#options.files, this.walDirectory);
  }

  subscribe(listener: WalListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes records in one piece; throws WalWriteError, after which the log is as it was. */
  write(records: readonly Uint8Array[]): void {
    const { metrics } = this.#options;
    try {
      this.#repeatUnsure();
      this.#writer.write(records);
    } catch (cause) {
      metrics.walWriteFailures.inc();
      throw new WalWriteError(this.#writer.path, { cause });
    }
    this.#isDirty = true;
    for (const listener of this.#listeners) this.#call(() => listener.onFlush?.());
  }

  /**
   * Takes the last {@link write} out of the log again, in the turn in which it was written, so that nobody has read it.
   * False when that cannot be: then it stays.
   */
  takeBack(): boolean {
    return this.#writer.takeBack();
  }

  /**
   * Resolves when all that was written before the call is on the disk. Calls that come while a sync runs share the
   * next one. Rejects with WalSyncError.
   */
  sync(): Promise<void> {
    if (!this.#isDirty) return this.#syncing ?? Promise.resolve();
    const running = this.#syncing;
    if (running !== null) {
      return running.then(
        () => this.sync(),
        () => this.sync(),
      );
    }
    const { metrics, clock } = this.#options;
    const startedMs = clock.monotonic();
    const sync = this.#syncOnce().finally(() => {
      this.#syncing = null;
      metrics.walFsyncSeconds.observe((clock.monotonic() - startedMs) / 1000);
    });
    this.#syncing = sync;
    return sync;
  }

  async #syncOnce(): Promise<void> {
    this.#isDirty = false;
    const { path } = this.#writer;
    try {
      // A finished segment may have failed to reach the disk since: with its records written again this sync can be good.
      if (this.#writer.takeRetiredError() !== null) this.#unsure ??= this.#writer.position;
      this.#repeatUnsure();
      const upTo = this.#writer.position;
      await this.#writer.datasync();
      this.#synced = upTo;
    } catch (cause) {
      this.#isDirty = true;
      this.#options.metrics.walFsyncFailures.inc();
      this.#unsure ??= this.#writer.position;
      try {
        this.#repeatUnsure();
      } catch {
        // The disk takes nothing at all: the next write or sync tries again before anything else, and fails with its error.
      }
      throw new WalSyncError(path, { cause });
    }
  }

  /**
   * A failed sync may have lost any byte since the last good one, also if the next one succeeds. So the segment is left, and
   * its records since then are written again into a new one, before anything newer: samples have to stand in their order.
   */
  #repeatUnsure(): void {
    const end = this.#unsure;
    if (end === null) return;
    if (this.#writer.position.segment === end.segment) this.#writer.abandon();
    const begun = this.#writer.position;
    const parts = this.#partsBetween(this.#synced, end);
    const bytes = parts.reduce((sum, { offset, limit }) => sum + limit - offset, 0);
    if (bytes > MAX_REPEATED_BYTES) this.#options.metrics.walUnsureBytes.inc(bytes);
    else for (const part of parts) this.#copy(part);
    this.#unsure = null;
    this.#synced = begun;
    this.#isDirty = true;
  }

  #partsBetween(start: WalPosition, end: WalPosition): LogPart[] {
    const parts: LogPart[] = [];
    for (let segment = start.segment; segment <= end.segment; segment++) {
      const path = `${this.walDirectory}/${segmentName(segment)}`;
      const offset = segment === start.segment ? start.offset : 0;
      const { files } = this.#options;
      parts.push({
        path,
        offset,
        limit: segment === end.segment ? end.offset : files.stat(path).size,
      });
    }
    return parts;
  }

  #copy({ path, offset, limit }: LogPart): void {
    const file = this.#options.files.open(path, 'r');
    try {
      const reader = new SegmentReader(file, path, { offset, zstd: this.#options.zstd });
      for (;;) {
        const record = reader.next(limit);
        if (record === null) return;
        this.#writer.write([record]);
      }
    } finally {
      file.close();
    }
  }

  /** Ends the current segment. */
  cut(): void {
    try {
      this.#writer.cut();
    } catch (cause) {
      throw new WalWriteError(this.#writer.path, { cause });
    }
  }

  /**
   * Removes segments up to and including `last` and checkpoints older than `last`, after telling the listeners. Throws the
   * system's error; then some may be left.
   */
  truncate(last: number): void {
    const { files } = this.#options;
    const { segments, checkpoints } = this.#giveUp(last);
    for (const { path } of segments) files.remove(path);
    for (const { directory } of checkpoints) files.removeTree(directory);
    // What comes back after a power loss must not bring back what was deleted since.
    files.syncDirectory(this.walDirectory);
    this.#first = listSegments(files, this.walDirectory)[0] ?? this.#writer.position.segment;
  }

  /** As {@link truncate}, without holding the thread, as the removal of large segments would. */
  async shorten(last: number): Promise<void> {
    const { files } = this.#options;
    const { segments, checkpoints } = this.#giveUp(last);
    for (const { path } of segments) await files.unlink(path);
    for (const { directory } of checkpoints) await unlinkTree(files, directory);
    await files.datasyncDirectory(this.walDirectory);
    this.#first = listSegments(files, this.walDirectory)[0] ?? this.#writer.position.segment;
  }

  /** Tells the listeners what is about to be removed, and returns it. */
  #giveUp(last: number): WalDeletion {
    const { files } = this.#options;
    const segments = listSegments(files, this.walDirectory)
      .filter((index) => index <= last)
      .map((index) => ({ index, path: `${this.walDirectory}/${segmentName(index)}` }));
    const all = listCheckpoints(files, this.walDirectory);
    const checkpoints = all.filter((checkpoint) => checkpoint.index < last);
    const replacement = all.find((checkpoint) => checkpoint.index === last) ?? null;
    const deletion = { segments, checkpoints, replacement };
    for (const listener of this.#listeners) {
      this.#call(() => listener.beforeDelete?.(deletion));
    }
    this.#forgetUnsynced(last);
    return deletion;
  }

  /** What was in segments up to `last` is kept elsewhere now: it need not be synced or written again. */
  #forgetUnsynced(last: number): void {
    if (this.#unsure !== null && this.#unsure.segment <= last) this.#unsure = null;
    if (this.#synced.segment <= last) this.#synced = { segment: last + 1, offset: 0 };
  }

  /** Bytes of segments and checkpoints on disk. */
  sizeBytes(): number {
    const { files } = this.#options;
    let bytes = 0;
    for (const index of listSegments(files, this.walDirectory)) {
      bytes += files.stat(`${this.walDirectory}/${segmentName(index)}`).size;
    }
    for (const { files: paths } of listCheckpoints(files, this.walDirectory)) {
      for (const path of paths) bytes += files.stat(path).size;
    }
    return bytes;
  }

  async close(): Promise<void> {
    try {
      this.#repeatUnsure();
    } finally {
      await this.#writer.close();
    }
  }

  /** As {@link close} after a start that failed: an empty segment is not left behind for each try. */
  async closeUnused(): Promise<void> {
    const { segment, offset } = this.#writer.position;
    await this.close();
    if (offset === 0) this.#options.files.remove(`${this.walDirectory}/${segmentName(segment)}`);
  }

  #announceCut(finished: number): void {
    this.#options.metrics.walSegment.set(finished + 1);
    for (const listener of this.#listeners) this.#call(() => listener.onCut?.(finished));
  }

  /** A follower's fault must not fail the commit that woke it. */
  #call(notify: () => void): void {
    try {
      notify();
    } catch (error) {
      this.#options.onListenerError(error);
    }
  }
}

/** Numbers of the segment files in the directory, ascending. */
export function listSegments(files: Files, directory: string): number[] {
  return files
    .list(directory)
    .map(segmentIndex)
    .filter((index) => index >= 0)
    .sort((a, b) => a - b);
}

/** Complete checkpoints in the directory, oldest first. */
export function listCheckpoints(files: Files, directory: string): CheckpointInfo[] {
  return files
    .list(directory)
    .filter((name) => checkpointIndex(name) >= 0)
    .map((name) => {
      const path = `${directory}/${name}`;
      const segments = listSegments(files, path);
      return {
        index: checkpointIndex(name),
        directory: path,
        files: segments.map((index) => `${path}/${segmentName(index)}`),
      };
    })
    .sort((a, b) => a.index - b.index);
}

export function lastCheckpoint(files: Files, directory: string): CheckpointInfo | null {
  return listCheckpoints(files, directory).at(-1) ?? null;
}

export function checkpointPath(directory: string, index: number): string {
  return `${directory}/${checkpointName(index)}`;
}
