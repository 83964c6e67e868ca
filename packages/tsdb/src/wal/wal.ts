import type { Clock, Files } from '@pollux/base';
import { WalSyncError, WalWriteError } from '../errors.ts';
import type { TsdbMetrics } from '../metrics.ts';
import {
  checkpointIndex,
  checkpointName,
  segmentIndex,
  segmentName,
  type WalPosition,
} from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';

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
  /** The returned function ends it. */
  subscribe(listener: WalListener): () => void;
}

export type WalOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly compress: boolean;
  readonly metrics: TsdbMetrics;
  readonly onListenerError: (error: unknown) => void;
};

/** The numbered segments in one directory: writing, syncing, deleting. */
export class Wal implements WalTail {
  readonly walDirectory: string;
  readonly #options: WalOptions;
  readonly #writer: SegmentWriter;
  readonly #listeners = new Set<WalListener>();
  #first: number;
  #isDirty = false;
  #syncing: Promise<void> | null = null;

  /** Begins a new segment behind the ones that are there; call after replay and repair. */
  constructor(options: WalOptions) {
    this.#options = options;
    this.walDirectory = options.directory;
    const present = listSegments(options.files, options.directory);
    const next =
      (present.at(-1) ?? lastCheckpoint(options.files, options.directory)?.index ?? -1) + 1;
    this.#first = present[0] ?? next;
    this.#writer = new SegmentWriter(
      {
        files: options.files,
        directory: options.directory,
        segmentBytes: options.segmentBytes,
        compress: options.compress,
        onCut: (finished) => this.#announceCut(finished),
        onSyncError: () => options.metrics.walFsyncFailures.inc(),
      },
      next,
    );
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
      this.#writer.write(records);
    } catch (cause) {
      metrics.walWriteFailures.inc();
      throw new WalWriteError(this.#writer.path, { cause });
    }
    this.#isDirty = true;
    for (const listener of this.#listeners) this.#call(() => listener.onFlush?.());
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
    this.#isDirty = false;
    const { metrics, clock } = this.#options;
    const startedMs = clock.monotonic();
    const sync = this.#writer
      .datasync()
      .catch((cause: unknown) => {
        this.#isDirty = true;
        metrics.walFsyncFailures.inc();
        throw new WalSyncError(this.#writer.path, { cause });
      })
      .finally(() => {
        this.#syncing = null;
        metrics.walFsyncSeconds.observe((clock.monotonic() - startedMs) / 1000);
      });
    this.#syncing = sync;
    return sync;
  }

  /** Ends the current segment. */
  cut(): void {
    try {
      this.#writer.cut();
    } catch (cause) {
      throw new WalWriteError(this.#writer.path, { cause });
    }
  }

  /** Removes segments up to and including `last` and checkpoints older than `last`, after telling the listeners. */
  truncate(last: number): void {
    const { files } = this.#options;
    const segments = listSegments(files, this.walDirectory)
      .filter((index) => index <= last)
      .map((index) => ({ index, path: `${this.walDirectory}/${segmentName(index)}` }));
    const all = listCheckpoints(files, this.walDirectory);
    const checkpoints = all.filter((checkpoint) => checkpoint.index < last);
    const replacement = all.find((checkpoint) => checkpoint.index === last) ?? null;
    for (const listener of this.#listeners) {
      this.#call(() => listener.beforeDelete?.({ segments, checkpoints, replacement }));
    }
    for (const { path } of segments) files.remove(path);
    for (const { directory } of checkpoints) files.removeTree(directory);
    this.#first = listSegments(files, this.walDirectory)[0] ?? this.#writer.position.segment;
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

  close(): Promise<void> {
    return this.#writer.close();
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
