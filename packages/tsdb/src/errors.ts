import { OperatingError } from '@pollux/base';

/** Bytes on disk that do not have the form they must have; `place` names file and offset. */
export class CorruptionError extends OperatingError {
  readonly place: string;

  constructor(place: string, what: string, options?: { cause?: unknown }) {
    super('TSDB.CORRUPTION', `${place}: ${what}`, options);
    this.place = place;
  }
}

/** The log could not be written (disk full, I/O error): nothing of the commit is visible; a later commit may succeed. */
export class WalWriteError extends OperatingError {
  constructor(path: string, options: { cause: unknown }) {
    super(
      'TSDB.WAL_WRITE',
      `cannot write the log ${path}; nothing of this commit was stored; free space or repair the disk`,
      options,
    );
  }
}

/**
 * What was written to the log is not known to be on the disk. The samples are visible, as the log holds them; the log writes
 * them again elsewhere before it takes anything new. Under `fsync: 'always'` the commit is refused with this.
 */
export class WalSyncError extends OperatingError {
  constructor(path: string, options: { cause: unknown }) {
    super('TSDB.WAL_SYNC', `cannot sync the log ${path}`, options);
  }
}

/**
 * The log has taken the commit, the one of out-of-order samples has not: the samples that came in order are stored and
 * visible, late ones are neither. Only when what the log took cannot be cut off again; sending the commit again is safe.
 */
export class PartlyStoredError extends OperatingError {
  constructor(options: { cause: unknown }) {
    super(
      'TSDB.PARTLY_STORED',
      'the log of out-of-order samples cannot be written; of this commit only samples that came in order may be stored; free space or repair the disk',
      options,
    );
  }
}

/** So many head chunks wait for a disk that does not take them that the head must not grow. */
export class HeadChunkWriteError extends OperatingError {
  constructor(waitingBytes: number) {
    super(
      'TSDB.HEAD_CHUNK_WRITE',
      `${waitingBytes} bytes of head chunks cannot be written; nothing of this commit was stored; free space or repair the disk`,
    );
  }
}

/** The data directory cannot be used. */
export class DirectoryError extends OperatingError {
  constructor(directory: string, what: string, options?: { cause?: unknown }) {
    super('TSDB.DIRECTORY', `data directory ${directory}: ${what}`, options);
  }
}

/** Something needs a block that cannot be opened now. */
export class BlockUnavailableError extends OperatingError {
  constructor(block: string, reason: string) {
    super(
      'TSDB.BLOCK_UNAVAILABLE',
      `block ${block} cannot be opened, so nothing can be deleted from its time; repair or remove it: ${reason}`,
    );
  }
}

/** The worker that compacts blocks went without a result; the directory is as it was. */
export class CompactionWorkerError extends OperatingError {
  constructor(options: { cause: unknown }) {
    super(
      'TSDB.COMPACTION_WORKER',
      'the worker that compacts blocks was lost; the blocks are as they were and it is tried again later; see that the process may start threads and has memory to spare',
      options,
    );
  }
}

/** A door was used after `close`, or an appender after its end. */
export class ClosedError extends OperatingError {
  constructor(what: string) {
    super('TSDB.CLOSED', `${what} is closed`);
  }
}

/** Something of Prometheus' TSDB that this engine does not have. */
export class NotSupportedError extends OperatingError {
  constructor(what: string, options?: { cause?: unknown }) {
    super('TSDB.NOT_SUPPORTED', `${what} is not supported by this engine`, options);
  }
}

/** A query needs samples that were dropped; `resolution` is what down-sampled data of their time are of, as `5m`. */
export class RawDroppedError extends OperatingError {
  readonly resolution: string;

  constructor(resolution: string, what: string) {
    super('TSDB.RAW_DROPPED', what);
    this.resolution = resolution;
  }
}
