import { errorText, OperatingError } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { PinnedLog } from './pinned-log.ts';
import type { SeriesTable } from './series-table.ts';
import type { WalPort, WalPosition, WalRecord, WalSegmentReader } from './wal-port.ts';

/** Records read in one go while series are loaded; between two goes other work gets its turn. */
const LOAD_RECORDS = 256;

/**
 * Follows the log from a cursor through the pinned files. Series records go into the table, everything else is handed to
 * the caller with the position behind it.
 */
export class LogFeed {
  readonly #wal: WalPort;
  readonly #pinned: PinnedLog;
  readonly #table: SeriesTable;
  readonly #log: Log;
  readonly #onDamage: () => void;
  #reader: WalSegmentReader | null = null;
  #position: WalPosition;
  /** The checkpoint whose series the table has been reconciled with. */
  #checkpoint = -1;
  /** The segment being appended to, when the rest of it cannot be read; passed over once it is finished. */
  #damagedSegment = -1;

  constructor(
    parts: {
      readonly wal: WalPort;
      readonly pinned: PinnedLog;
      readonly table: SeriesTable;
      readonly log: Log;
      /** A record could not be decoded; the rest of its segment is passed over. */
      readonly onDamage: () => void;
    },
    start: WalPosition,
  ) {
    this.#wal = parts.wal;
    this.#pinned = parts.pinned;
    this.#table = parts.table;
    this.#log = parts.log;
    this.#onDamage = parts.onDamage;
    this.#position = start;
  }

  /** Behind the last record read. */
  get position(): WalPosition {
    return this.#position;
  }

  /** Reads the series records before the start position. Yields now and then, for other work to have its turn. */
  *load(): Generator<void, void> {
    const { segment: startSegment, offset: startOffset } = this.#position;
    const base = this.#pinned.baseOf(startSegment);
    if (base >= 0) {
      for (const path of this.#pinned.checkpointPaths(base)) {
        yield* this.#loadFile(path, base, Number.POSITIVE_INFINITY);
      }
      this.#checkpoint = base;
    }
    let segment = this.#pinned.segmentFrom(base + 1);
    while (segment >= 0 && segment <= startSegment) {
      const limit = segment === startSegment ? startOffset : Number.POSITIVE_INFINITY;
      yield* this.#loadFile(this.#pinned.segmentPath(segment), segment, limit);
      segment = this.#pinned.segmentFrom(segment + 1);
    }
  }

  /** The next record that is no series record, or null at the end of what is written. */
  next(): WalRecord | null {
    for (;;) {
      const reader = this.#open();
      if (reader === null) return null;
      const tail = this.#wal.tail();
      const { segment } = this.#position;
      const isFinished = segment < tail.segment;
      const limit = isFinished
        ? this.#pinned.fileSize(this.#pinned.segmentPath(segment))
        : tail.offset;
      const record = this.#read(reader, limit);
      if (record === null) {
        if (!isFinished) return null;
        this.close();
        this.#position = { segment: segment + 1, offset: 0 };
        this.#pinned.link();
        continue;
      }
      this.#position = { segment, offset: reader.offset };
      if (record.kind !== 'series') return record;
      for (const { ref, labels } of record.series) this.#table.put(ref, labels, segment);
    }
  }

  /** True once the position is past a checkpoint that {@link reconcile} has not seen. */
  get isReconcileDue(): boolean {
    return this.#pinned.baseOf(this.#position.segment) > this.#checkpoint;
  }

  /** Forgets the series that the newest checkpoint behind the position no longer has. */
  *reconcile(): Generator<void, void> {
    const checkpoint = this.#pinned.baseOf(this.#position.segment);
    this.#checkpoint = checkpoint;
    for (const path of this.#pinned.checkpointPaths(checkpoint)) {
      yield* this.#loadFile(path, checkpoint, Number.POSITIVE_INFINITY);
    }
    this.#table.forgetBefore(checkpoint);
  }

  close(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  #open(): WalSegmentReader | null {
    if (this.#reader !== null) return this.#reader;
    const { segment, offset } = this.#position;
    const found = this.#pinned.segmentFrom(segment);
    if (found < 0) {
      // Nothing pinned from here on: the log has a segment that was not linked yet.
      this.#pinned.link();
      if (this.#pinned.segmentFrom(segment) < 0) return null;
      return this.#open();
    }
    if (found !== segment) {
      if (segment > this.#wal.tail().segment) return null;
      this.#log.warn('segments of the log are missing and cannot be sent', {
        from: segment,
        to: found - 1,
      });
      this.#position = { segment: found, offset: 0 };
    }
    const path = this.#pinned.segmentPath(found);
    this.#reader = this.#wal.openSegment(path, found === segment ? offset : 0);
    return this.#reader;
  }

  /** Null at the limit, and where a damaged record bars the way. */
  #read(reader: WalSegmentReader, limit: number): WalRecord | null {
    const { segment } = this.#position;
    if (segment === this.#damagedSegment) return null;
    try {
      return reader.next(limit);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.#damagedSegment = segment;
      this.#onDamage();
      this.#log.error('damaged record in the log: the rest of this segment is not sent', {
        segment,
        offset: reader.offset,
        err: errorText(error),
      });
      return null;
    }
  }

  *#loadFile(path: string, segment: number, limit: number): Generator<void, void> {
    const reader = this.#wal.openSegment(path, 0);
    try {
      const end = Math.min(limit, this.#pinned.fileSize(path));
      for (let count = 1; ; count++) {
        const record = reader.next(end);
        if (record === null) return;
        if (record.kind === 'series') {
          for (const { ref, labels } of record.series) this.#table.put(ref, labels, segment);
        }
        if (count % LOAD_RECORDS === 0) yield;
      }
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.#onDamage();
      this.#log.error('damaged record while loading series', { path, err: errorText(error) });
    } finally {
      reader.close();
    }
  }
}
