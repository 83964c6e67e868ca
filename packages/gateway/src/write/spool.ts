import { DecodeError, type Env, errorText, OperatingError } from '@pollux/base';
import { CursorFile } from '@pollux/remote';
import type { Log } from '@pollux/telemetry';
import {
  type Damage,
  SegmentReader,
  SegmentWriter,
  segmentIndex,
  segmentName,
  type WalPosition,
} from '@pollux/tsdb/segments';
import { decodeWrite, encodeWrite, type SpooledWrite } from './spool-record.ts';

/** Space is given back by whole segments. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** After a crash what was delivered within this time is delivered again, ms. */
const CURSOR_SAVE_MS = 1_000;
/** A page that the disk does not give is asked for so often, each time the head is, before what lies on it counts as lost. */
const READ_ATTEMPTS = 10;

/** The spool did not take a write, or cannot be read now. */
export class SpoolError extends OperatingError {
  readonly reason: 'full' | 'disk' | 'closed';

  constructor(reason: SpoolError['reason'], message: string, options?: { cause?: unknown }) {
    super('GATEWAY.SPOOL', message, options);
    this.reason = reason;
  }
}

export type SpoolOptions = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly directory: string;
  /** Read at each write: a reload may change it. */
  readonly maxBytes: () => number;
  /** Called for bytes that give no request any more. */
  readonly onDamage: () => void;
  readonly segmentBytes?: number;
};

type Waiting = {
  readonly record: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: SpoolError) => void;
};
type Head = { readonly write: SpooledWrite; readonly end: WalPosition };
type OpenSegment = {
  readonly index: number;
  readonly reader: SegmentReader;
  readonly close: () => void;
};

/**
 * What one member has still to get, oldest first, in segment files; see spool.md. A write is taken when it is on the disk: all that
 * arrive while a sync runs share the next one. What was delivered is passed over by {@link advance}; a crash takes that back for
 * a second at most, so that a member may get a request twice and never not at all.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #cursorFile: CursorFile;
  readonly #sizes = new Map<number, number>();
  #writer: SegmentWriter | null = null;
  /** After a failed sync: nothing more goes into this segment. */
  #mustLeaveSegment = false;
  #next = 0;
  #cursor: WalPosition = { segment: 0, offset: 0 };
  /** Everything before it is on the disk. */
  #end: WalPosition = { segment: 0, offset: 0 };
  /** Read and not delivered, oldest first. */
  #heads: Head[] = [];
  /** Behind the last of them. */
  #readAt: WalPosition = { segment: 0, offset: 0 };
  #open: OpenSegment | null = null;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #committing: Promise<void> | null = null;
  #savedMs = Number.NEGATIVE_INFINITY;
  #failedReads = 0;
  #isCursorDirty = false;
  #isClosed = false;

  /** Finds what a process before this one left. Throws the system's errors. */
  constructor(options: SpoolOptions) {
    this.#options = options;
    const { files } = options.env;
    const { directory } = options;
    files.makeDirectory(directory);
    this.#cursorFile = new CursorFile(files, `${directory}/cursor.json`);
    for (const index of files.list(directory).map(segmentIndex)) {
      if (index >= 0) this.#sizes.set(index, files.stat(this.#pathOf(index)).size);
    }
    const present = [...this.#sizes.keys()].sort((a, b) => a - b);
    const cursor = this.#cursorFile.load();
    const first = present.find((index) => cursor === null || index >= cursor.segment);
    this.#next = Math.max(-1, cursor?.segment ?? -1, ...present) + 1;
    this.#end = { segment: this.#next, offset: 0 };
    const isThere = cursor !== null && first === cursor.segment;
    this.#cursor = isThere ? cursor : { segment: first ?? this.#next, offset: 0 };
    this.#readAt = this.#cursor;
    this.#removeRead();
  }

  /** On the disk and not delivered, with what the segments have around it. */
  get queuedBytes(): number {
    let bytes = this.#waitingBytes - this.#cursor.offset;
    for (const [index, size] of this.#sizes) if (index >= this.#cursor.segment) bytes += size;
    return Math.max(0, bytes);
  }

  /** When the head came in, wall clock; null when there is none, or it was not asked for since the last one left. */
  get oldestMs(): number | null {
    return this.#heads[0]?.write.arrivedMs ?? null;
  }

  /** The write that is to be delivered next; the same until {@link advance}. Null when there is none. Throws SpoolError. */
  head(): SpooledWrite | null {
    if (this.#heads.length === 0) this.#readNext();
    return this.#heads[0]?.write ?? null;
  }

  /** The head and what follows it, as many as `isWanted` of each takes in turn. Throws SpoolError. */
  heads(isWanted: (write: SpooledWrite, index: number) => boolean): readonly SpooledWrite[] {
    const found: SpooledWrite[] = [];
    for (;;) {
      if (found.length === this.#heads.length) this.#readNext();
      const next = this.#heads[found.length]?.write;
      if (next === undefined || !isWanted(next, found.length)) return found;
      found.push(next);
    }
  }

  /** True while anything waits, also for its sync: a later write must not overtake it. */
  get isBehind(): boolean {
    return this.#waiting.length > 0 || this.#committing !== null || !this.#isAtEnd;
  }

  /** Resolves when the write is on the disk; rejects with SpoolError, and then it may be there or not. */
  append(write: SpooledWrite): Promise<void> {
    const record = encodeWrite(write);
    if (this.#isClosed) return Promise.reject(new SpoolError('closed', 'the spool is closed'));
    const maxBytes = this.#options.maxBytes();
    if (this.queuedBytes + record.length > maxBytes) {
      const text = `the spool ${this.#options.directory} is full (spool.max_bytes ${maxBytes})`;
      return Promise.reject(new SpoolError('full', text));
    }
    this.#waitingBytes += record.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** So many, from the head on, are delivered or given up. */
  advance(count = 1): void {
    const last = this.#heads.splice(0, count).at(-1);
    if (last === undefined) return;
    this.#cursor = last.end;
    this.#isCursorDirty = true;
    const nowMs = this.#options.env.clock.monotonic();
    if (!this.#isAtEnd && nowMs - this.#savedMs < CURSOR_SAVE_MS) return;
    this.#savedMs = nowMs;
    this.#saveCursor();
  }

  /** Waits for writes on their way to the disk. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#committing;
    this.#saveCursor();
    this.#closeSegment();
    try {
      await this.#writer?.close();
    } catch (error) {
      // All that was acknowledged was synced before.
      this.#failed('a spool could not be closed', error);
    }
  }

  get #isAtEnd(): boolean {
    return isReached(this.#cursor, this.#end);
  }

  #pathOf(segment: number): string {
    return `${this.#options.directory}/${segmentName(segment)}`;
  }

  async #commitAll(): Promise<void> {
    // Writes of one turn share the first sync.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const taken = this.#waiting;
      this.#waiting = [];
      try {
        await this.#commit(taken.map(({ record }) => record));
        for (const { record, resolve } of taken) {
          this.#waitingBytes -= record.length;
          resolve();
        }
      } catch (cause) {
        const text = `the spool ${this.#options.directory} cannot be written`;
        const error = new SpoolError('disk', text, { cause });
        for (const { record, reject } of taken) {
          this.#waitingBytes -= record.length;
          reject(error);
        }
      }
    }
    this.#committing = null;
  }

  async #commit(records: readonly Uint8Array[]): Promise<void> {
    const writer = this.#writerForCommit();
    writer.write(records);
    const { segment, offset } = writer.position;
    try {
      await writer.datasync();
    } catch (error) {
      this.#mustLeaveSegment = true;
      throw error;
    }
    this.#sizes.set(segment, offset);
    this.#end = { segment, offset };
  }

  #writerForCommit(): SegmentWriter {
    const { env, directory, segmentBytes = SEGMENT_BYTES } = this.#options;
    const { files } = env;
    const options = { files, directory, segmentBytes, compression: 'none' as const };
    const onCut = (finished: number): void => {
      this.#sizes.set(finished, files.stat(this.#pathOf(finished)).size);
    };
    if (this.#writer === null) {
      // A beginning that failed may have left its file.
      files.remove(this.#pathOf(this.#next));
      this.#writer = new SegmentWriter({ ...options, onCut }, this.#next);
    } else if (this.#mustLeaveSegment) {
      this.#writer.abandon();
    }
    this.#mustLeaveSegment = false;
    return this.#writer;
  }

  /** Puts the next one behind the heads, if there is one. */
  #readNext(): void {
    while (!isReached(this.#readAt, this.#end)) {
      const { segment } = this.#readAt;
      const isLast = segment === this.#end.segment;
      const limit = isLast ? this.#end.offset : this.#sizes.get(segment);
      const found = limit === undefined ? null : this.#readRecord(segment, limit);
      if (found === null) {
        this.#closeSegment();
        this.#passTo(isLast ? this.#end : { segment: segment + 1, offset: 0 });
        continue;
      }
      const { record, end } = found;
      try {
        this.#heads.push({ write: decodeWrite(record), end });
        this.#readAt = end;
        return;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#failed('a spooled request cannot be read and is passed over', error);
        this.#options.onDamage();
        this.#passTo(end);
      }
    }
  }

  /** There is nothing to deliver before this place. */
  #passTo(position: WalPosition): void {
    this.#readAt = position;
    if (this.#heads.length > 0) return;
    this.#cursor = position;
    this.#isCursorDirty = true;
  }

  /** The record that is to be read next; null when the segment has no more. What the disk does not give now is thrown, to be asked for again. */
  #readRecord(
    segment: number,
    limit: number,
  ): { readonly record: Uint8Array; readonly end: WalPosition } | null {
    try {
      const reader = this.#segment(segment);
      const record = reader.next(limit);
      this.#failedReads = 0;
      if (record === null) return null;
      return { record: record.slice(), end: { segment, offset: reader.offset } };
    } catch (cause) {
      this.#closeSegment();
      this.#failedReads++;
      throw new SpoolError('disk', `${this.#pathOf(segment)} cannot be read`, { cause });
    }
  }

  /** A reader that stands where the next record begins. Throws the system's errors. */
  #segment(index: number): SegmentReader {
    if (this.#open?.index === index) return this.#open.reader;
    this.#closeSegment();
    const path = this.#pathOf(index);
    const file = this.#options.env.files.open(path, 'r');
    const { offset } = this.#readAt;
    const onDamage = (damage: Damage): void => this.#noteDamage(damage);
    const reader = new SegmentReader(file, path, { offset, onDamage });
    this.#open = { index, reader, close: () => file.close() };
    return reader;
  }

  #noteDamage({ place, offset, endOffset, reason, isUnreadable }: Damage): void {
    if (isUnreadable && this.#failedReads < READ_ATTEMPTS) throw new SpoolError('disk', reason);
    const { log, onDamage } = this.#options;
    const bytes = endOffset - offset;
    log.warn('bytes of a spool give no request', { file: place, offset, bytes, err: reason });
    onDamage();
  }

  #closeSegment(): void {
    this.#open?.close();
    this.#open = null;
  }

  #saveCursor(): void {
    if (!this.#isCursorDirty) return;
    try {
      this.#cursorFile.save(this.#cursor);
      this.#isCursorDirty = false;
    } catch (error) {
      // The old one is there: what was delivered since is delivered again after a restart.
      this.#failed('the place in a spool cannot be saved', error);
      return;
    }
    this.#removeRead();
  }

  /** Segments before the cursor, which is on the disk. */
  #removeRead(): void {
    const { files } = this.#options.env;
    for (const index of [...this.#sizes.keys()]) {
      if (index >= this.#cursor.segment || index === this.#writer?.position.segment) continue;
      this.#sizes.delete(index);
      files.unlink(this.#pathOf(index)).catch((error: unknown) => {
        this.#failed('a read segment of a spool cannot be removed', error);
      });
    }
  }

  #failed(what: string, error: unknown): void {
    const { log, directory } = this.#options;
    log.error(what, { directory, err: errorText(error) });
  }
}

function isReached(position: WalPosition, end: WalPosition): boolean {
  return position.segment === end.segment && position.offset >= end.offset;
}
