import {
  type ByteWriter,
  type Clock,
  errorText,
  type Files,
  LimitError,
  OperatingError,
  Slices,
  type StopSignal,
  systemCode,
  type Timer,
  Turns,
} from '@pollux/base';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import { FrameBatch } from './frame-batch.ts';
import { type HistoryQuery, HistoryTest } from './query.ts';
import { HISTORY_KINDS, type HistoryBody, type HistoryRecord } from './record.ts';
import { type RecordView, wholeFrames } from './record-frames.ts';
import { SegmentLog } from './segment-log.ts';
import { UnwrittenFrames } from './unwritten-frames.ts';

/** Records are written and synced this long after they were told, ms; many are written sooner. */
const WRITE_DELAY_MS = 1_000;
/** How long after a failure the disk is tried again, ms. */
const RETRY_MS = 10_000;
const TRIM_INTERVAL_MS = 60_000;
/** So much is written at once; less when files are small. */
const BATCH_BYTES = 256 * 1024;
/** Records that were told before the files are open or many at once; over it the oldest are dropped. */
const MAX_WAITING = 100_000;
/** The clock is looked at after so many records. */
const LOOKS_EVERY = 16;
/** A search pauses this often, ms, so that it holds no notification. */
const SEARCH_SLICE_MS = 5;
/** A search gives what it has found, and where to go on, when it has read this much or taken this long. */
const SEARCH_BYTES = 256 * 1024 * 1024;
const SEARCH_MS = 10_000;
const MAX_SEARCHES = 4;

export type HistoryOptions = {
  readonly clock: Clock;
  readonly files: Files;
  readonly log: Log;
  readonly registry: Registry;
  readonly directory: string;
  readonly retentionMs: number;
  readonly maxBytes: number;
  /** Of this member. Asked at each record: the cluster is bound later. */
  readonly member: () => string;
};

/** What makes a record, when it is told or soon after; what it reads must not change. */
export type Recordable = {
  readonly kind: HistoryBody['kind'];
  body(): HistoryBody;
  /** Of alerts, since there are very many: as bytes; see history-log.md. */
  writeAlert?(writer: ByteWriter): void;
};

type Told = { readonly id: number; readonly timeMs: number; readonly what: Recordable };

export type SearchBounds = {
  /** Most records of a page. */
  readonly limit: number;
  readonly signal?: StopSignal;
  /** Reading ends after the file with which this is reached. */
  readonly maxReadBytes?: number;
};

export type HistoryPage = {
  readonly records: readonly HistoryRecord[];
  /** The number to go on below; null when there is nothing older. */
  readonly nextBeforeId: number | null;
};

/**
 * What happened, on disk, bounded in time and bytes. A record is made into bytes behind those before it, which costs about
 * one microsecond; they are written many at once and synced a little later, and whatever the disk does disturbs nobody who notifies.
 */
export class History {
  readonly #options: HistoryOptions;
  readonly #log: SegmentLog;
  readonly #writes = new Turns();
  readonly #records: ReadonlyMap<string, Counter>;
  readonly #dropped: Counter;
  readonly #failures: Counter;
  readonly #batch = new FrameBatch();
  readonly #batchBytes: number;
  readonly #unwritten = new UnwrittenFrames();
  /** Not yet bytes; what is told while there are any comes after them. */
  #waiting: Told[] = [];
  #nextId = 1;
  #isOpen = false;
  #isFailing = false;
  #isClosed = false;
  #searches = 0;
  #writeTimer: Timer | null = null;
  #trimTimer: Timer | null = null;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const { files, directory, maxBytes, registry } = options;
    const segmentBytes = Math.min(4 * 1024 * 1024, Math.max(64 * 1024, Math.floor(maxBytes / 64)));
    this.#batchBytes = Math.min(BATCH_BYTES, segmentBytes);
    this.#log = new SegmentLog({ files, directory, segmentBytes });
    const name = (suffix: string): string => `pollux_alertmanager_history_${suffix}`;
    const records = registry.counters(name('records_total'), 'Records told to history.', ['kind']);
    this.#records = new Map(HISTORY_KINDS.map((kind) => [kind, records.with(kind)]));
    this.#dropped = registry.counter(
      name('dropped_records_total'),
      'Records that the disk did not take in time, or that were too large.',
    );
    this.#failures = registry.counter(name('write_failures_total'), 'Failed writes of history.');
    registry.gaugeFrom(name('bytes'), 'Size of the history on disk.', () => this.#log.sizeBytes);
    registry.gaugeFrom(
      name('pending_records'),
      'Records not yet on disk.',
      () => this.#waiting.length + this.#unwritten.count + this.#batch.count,
    );
  }

  /** Opens the files and begins to write. A disk that refuses is logged and tried again. */
  start(): void {
    // What was told before, the reading of the configuration mostly, is not waited for: all that is told would wait with it.
    if (this.#open()) this.#encodeSome(new Slices(this.#options.clock));
    this.#trimLater();
    if (this.#waiting.length + this.#batch.count > 0) this.#writeLater(WRITE_DELAY_MS);
  }

  /** Notes what happened now, or at `timeMs`. */
  add(what: Recordable, timeMs = this.#options.clock.now()): void {
    if (this.#isClosed) return;
    if (!this.#isOpen || this.#waiting.length > 0) {
      this.addOneOfMany(what, timeMs);
      return;
    }
    this.#records.get(what.kind)?.inc();
    this.#encode({ id: this.#nextId++, timeMs, what });
    if (this.#batch.sizeBytes >= this.#batchBytes) this.#flushFull();
    this.#writeLater(WRITE_DELAY_MS);
  }

  /** As {@link add}, for what is told by the ten thousand without a pause: it is made into bytes later, in slices. */
  addOneOfMany(what: Recordable, timeMs: number): void {
    if (this.#isClosed) return;
    this.#records.get(what.kind)?.inc();
    this.#waiting.push({ id: this.#nextId++, timeMs, what });
    if (this.#waiting.length > MAX_WAITING) {
      const kept = this.#waiting.slice(-MAX_WAITING / 2);
      this.#dropped.inc(this.#waiting.length - kept.length);
      this.#waiting = kept;
    }
    this.#writeLater(WRITE_DELAY_MS);
  }

  /**
   * The newest records that the query asks for. Reads file by file and gives the thread away every few milliseconds. A
   * page may be short, or empty, and still name where to go on: reading stops after ten seconds or 256 MB.
   */
  async search(query: HistoryQuery, bounds: SearchBounds): Promise<HistoryPage> {
    if (this.#searches >= MAX_SEARCHES) {
      throw new LimitError(
        'ALERTMANAGER.HISTORY_BUSY',
        'searches',
        `${MAX_SEARCHES} searches of history run already; try again when one has ended`,
      );
    }
    this.#searches++;
    try {
      return await this.#search(query, bounds);
    } finally {
      this.#searches--;
    }
  }

  /** Writes what is pending. Idempotent; never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#writeTimer?.cancel();
    this.#trimTimer?.cancel();
    await this.#writes.take(() => this.#write());
    this.#log.close();
  }

  async #search(
    query: HistoryQuery,
    { limit, signal, maxReadBytes = SEARCH_BYTES }: SearchBounds,
  ): Promise<HistoryPage> {
    const { clock } = this.#options;
    const test = new HistoryTest(query);
    const slices = new Slices(clock, signal ?? null, SEARCH_SLICE_MS);
    const endMs = clock.monotonic() + SEARCH_MS;
    const records: HistoryRecord[] = [];
    const waiting = [...this.#waiting];
    const unwritten = this.#unwrittenRecords();
    const segments = [...this.#log.segments];
    // What is not written now may be in a file by then.
    const firstId = unwritten[0]?.id ?? waiting[0]?.id ?? Infinity;
    for (const told of waiting.reverse()) {
      if (slices.isOver) await slices.pause();
      const record = test.takePending(this.#recordOf(told), told.timeMs);
      if (record === null) continue;
      records.push(record);
      if (records.length === limit) return { records, nextBeforeId: told.id };
    }
    for (const view of unwritten.reverse()) {
      if (slices.isOver) await slices.pause();
      const record = test.take(view);
      if (record === null) continue;
      records.push(record);
      if (records.length === limit) return { records, nextBeforeId: view.id };
    }
    let readBytes = 0;
    let beforeId = Math.min(query.beforeId, firstId);
    for (const segment of segments.reverse()) {
      const { firstId, minMs, maxMs, sizeBytes } = segment;
      if (firstId >= beforeId || minMs > query.untilMs || maxMs < query.fromMs) continue;
      if (readBytes >= maxReadBytes || clock.monotonic() > endMs) {
        return { records, nextBeforeId: beforeId };
      }
      readBytes += sizeBytes;
      const frames = await this.#log.framesOf(segment, slices).catch(absentAsEmpty);
      for (const frame of frames.reverse()) {
        for (const view of frame.records().reverse()) {
          if (slices.isOver) await slices.pause();
          if (view.id >= beforeId) continue;
          const record = test.take(view);
          if (record === null) continue;
          records.push(record);
          if (records.length === limit) return { records, nextBeforeId: view.id };
        }
      }
      beforeId = firstId;
    }
    return { records, nextBeforeId: null };
  }

  #recordOf({ id, timeMs, what }: Told): HistoryRecord {
    return {
      id,
      time: new Date(timeMs).toISOString(),
      member: this.#options.member(),
      ...what.body(),
    };
  }

  #writeLater(delayMs: number): void {
    if (this.#writeTimer !== null || this.#isFailing || this.#isClosed) return;
    this.#setWriteTimer(delayMs);
  }

  #setWriteTimer(delayMs: number): void {
    this.#writeTimer = this.#options.clock.after(delayMs, () => {
      this.#writeTimer = null;
      void this.#writes.take(() => this.#write());
    });
  }

  /** Writes all that was told, in slices, and syncs it. */
  async #write(): Promise<void> {
    const slices = new Slices(this.#options.clock);
    try {
      if (!this.#isOpen && !this.#open()) return;
      this.#flush();
      while (this.#waiting.length > 0) {
        this.#encodeSome(slices);
        this.#flush();
        if (slices.isOver) await slices.pause();
      }
      await this.#log.sync();
      if (this.#isFailing) this.#options.log.info('History is written again');
      this.#isFailing = false;
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** What is told meanwhile is told after them, so none may leave the list before it is made into bytes. */
  #encodeSome(slices: Slices): void {
    let count = 0;
    while (count < this.#waiting.length && this.#batch.sizeBytes < this.#batchBytes) {
      this.#encode(this.#waiting[count++]!);
      if (count % LOOKS_EVERY === 0 && slices.isOver) break;
    }
    this.#waiting.splice(0, count);
  }

  /** Appends everything that is made into bytes. Throws, and keeps it, when the disk does not take it. */
  #flush(): void {
    for (
      let frames = this.#unwritten.oldest;
      frames !== undefined;
      frames = this.#unwritten.oldest
    ) {
      this.#log.append(frames);
      this.#unwritten.dropOldest();
    }
    if (this.#batch.count === 0) return;
    this.#log.append(this.#batch.lend());
    this.#batch.clear();
  }

  #flushFull(): void {
    if (this.#isFailing) {
      this.#dropped.inc(this.#unwritten.add(this.#batch.lend()));
      this.#batch.clear();
      return;
    }
    try {
      this.#flush();
    } catch (error) {
      this.#noteFailure(error);
    }
    if (this.#log.isFull && !this.#writes.isBusy) void this.#writes.take(() => this.#write());
  }

  #encode({ id, timeMs, what }: Told): void {
    const member = this.#options.member();
    const isAdded =
      what.writeAlert === undefined
        ? this.#encodeJson(id, timeMs, what.body(), member)
        : this.#batch.addAlert(id, timeMs, member, (writer) => what.writeAlert?.(writer));
    if (!isAdded) this.#dropped.inc();
  }

  #encodeJson(id: number, timeMs: number, body: HistoryBody, member: string): boolean {
    const { kind, ...fields } = body;
    const head = { kindCode: HISTORY_KINDS.indexOf(kind), id, timeMs };
    return this.#batch.add(head, JSON.stringify({ member, ...fields }));
  }

  #unwrittenRecords(): RecordView[] {
    const { data } = this.#batch.lend();
    const frames = [...this.#unwritten.frames(), ...wholeFrames(Buffer.from(data), 0)];
    return frames.flatMap((frame) => frame.records());
  }

  #open(): boolean {
    try {
      const cutBytes = this.#log.open();
      if (cutBytes > 0)
        this.#options.log.warn('End of the history cut after a crash', { bytes: cutBytes });
    } catch (error) {
      this.#noteFailure(error);
      return false;
    }
    this.#isOpen = true;
    // What was told before the files were there is numbered anew, after what they hold.
    const first = this.#waiting[0]?.id ?? this.#nextId;
    const shift = Math.max(0, this.#log.nextId - first);
    this.#waiting = this.#waiting.map((told) => ({ ...told, id: told.id + shift }));
    this.#nextId += shift;
    return true;
  }

  #noteFailure(error: unknown): void {
    if (!OperatingError.is(error) && systemCode(error) === '') throw error;
    this.#failures.inc();
    if (!this.#isFailing) {
      this.#options.log.error('History cannot be written; it is kept in memory meanwhile', {
        err: errorText(error),
      });
    }
    this.#isFailing = true;
    if (!this.#isClosed && this.#writeTimer === null) this.#setWriteTimer(RETRY_MS);
  }

  #trimLater(): void {
    const { clock, retentionMs, maxBytes } = this.#options;
    this.#trimTimer = clock.after(TRIM_INTERVAL_MS, () => {
      void this.#writes
        .take(() => this.#log.trim(clock.now() - retentionMs, maxBytes))
        .catch((error: unknown) => this.#noteFailure(error));
      this.#trimLater();
    });
  }
}

/** A file that was removed while it was looked for holds nothing that is kept. */
function absentAsEmpty(error: unknown): never[] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
