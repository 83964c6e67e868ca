import type { File, Files } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { segmentName, type WalPosition } from './segment.ts';
import type { Damage, SegmentReaderOptions } from './segment-reader.ts';
import { SegmentReader } from './segment-reader.ts';
import { lastCheckpoint, listSegments } from './wal.ts';
import { type Zstd, ZstdNotLoaded } from './zstd.ts';

/** A file of the log as a start finds it. */
export type LogSource = {
  readonly path: string;
  readonly size: number;
  /** −1: a file of the checkpoint. */
  readonly segment: number;
  /** Where to begin: the end of a record. */
  readonly offset: number;
};

/**
 * The newest checkpoint's files and the segments behind it, in order; with `from` only what may have records behind it.
 * Throws CorruptionError when a segment is missing.
 */
export function logSources(
  files: Files,
  walDirectory: string,
  from: WalPosition | null = null,
): LogSource[] {
  const checkpoint = lastCheckpoint(files, walDirectory);
  const segments = listSegments(files, walDirectory).filter(
    (index) => checkpoint === null || index > checkpoint.index,
  );
  checkContiguous(walDirectory, segments);
  const isCheckpointNews = from === null || (checkpoint?.index ?? -1) >= from.segment;
  const checkpointFiles = isCheckpointNews ? (checkpoint?.files ?? []) : [];
  const news = segments.filter((segment) => segment >= (from?.segment ?? 0));
  return [
    ...checkpointFiles.map((path) => ({
      path,
      size: files.stat(path).size,
      segment: -1,
      offset: 0,
    })),
    ...news.map((segment) => {
      const path = `${walDirectory}/${segmentName(segment)}`;
      const offset = segment === from?.segment ? from.offset : 0;
      return { path, size: files.stat(path).size, segment, offset };
    }),
  ];
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

/** Cuts off what a kill or a power loss left of the last write, durably. */
export function cutTorn(files: Files, torn: Damage): void {
  const file = files.open(torn.place, 'r+');
  try {
    file.truncate(torn.offset);
    file.sync();
  } finally {
    file.close();
  }
}

/** One file of the log read from an offset on, damage passed over, zstd loaded when the first record needs it. */
export class LogFile {
  readonly #file: File;
  readonly #reader: SegmentReader;
  readonly #zstd: Zstd;

  constructor(
    files: Files,
    /** A path stands for its beginning. */
    source: string | (Pick<LogSource, 'path' | 'offset'> & Pick<SegmentReaderOptions, 'only'>),
    zstd: Zstd,
    onDamage: (damage: Damage) => void,
  ) {
    const {
      path,
      offset,
      only = null,
    } = typeof source === 'string' ? { path: source, offset: 0 } : source;
    this.#file = files.open(path, 'r');
    this.#zstd = zstd;
    this.#reader = new SegmentReader(this.#file, path, { zstd, onDamage, offset, only });
  }

  /** The end of the last record. */
  get offset(): number {
    return this.#reader.offset;
  }

  /**
   * The next record up to `limit`, lent until the next call; null when there is none; `'load'` when {@link loadZstd} must be
   * awaited first. Not a promise: one for each record would cost more than reading it.
   */
  next(limit: number): Uint8Array | 'load' | null {
    try {
      return this.#reader.next(limit);
    } catch (error) {
      if (error instanceof ZstdNotLoaded) return 'load';
      throw error;
    }
  }

  loadZstd(): Promise<void> {
    return this.#zstd.load();
  }

  close(): void {
    this.#file.close();
  }
}
