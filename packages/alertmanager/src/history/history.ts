import {
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
import { JsonWriter } from '../api/json-writer.ts';
import { encodeFrame, MAX_FRAME_BYTES } from './frames.ts';
import { type HistoryQuery, HistoryTest } from './query.ts';
import { HISTORY_KINDS, type HistoryBody, type HistoryRecord } from './record.ts';
import { type EncodedRecord, SegmentLog } from './segment-log.ts';

/** Records are written and synced this long after they were told, ms. */
const WRITE_DELAY_MS = 1_000;
/** How long after a failure the disk is tried again, ms. */
const RETRY_MS = 10_000;
const TRIM_INTERVAL_MS = 60_000;
const RECORDS_PER_WRITE = 256;
/** Records that wait for a disk that does not take them; over it the oldest are dropped. */
const MAX_PENDING = 100_000;
/** A search pauses this often, ms, so that it holds no notification. */
const SEARCH_SLICE_MS = 5;
/** A search gives what it has found, and where to go on, when it has read this much or taken this long. */
const SEARCH_BYTES = 256 * 1024 * 1024;
const SEARCH_MS = 10_000;
const MAX_SEARCHES = 4;
const MEMBER = Buffer.from('{"member":');
const END = Buffer.from('}');

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

/** What makes a record, soon after it was told; what it reads must not change. */
export type Recordable = {
  readonly kind: HistoryBody['kind'];
  body(): HistoryBody;
  /** Where there are very many: the fields of {@link body} without its kind, each after a comma, straight into bytes. */
  writeFields?(json: JsonWriter): void;
};

type Pending = { readonly id: number; readonly timeMs: number; readonly what: Recordable };

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
 * What happened, on disk, bounded in time and bytes. Telling it something costs an entry in a list: records are made,
 * written and synced together a little later, and whatever the disk does disturbs nobody who notifies.
 */
export class History {
  readonly #options: HistoryOptions;
  readonly #log: SegmentLog;
  readonly #writes = new Turns();
  readonly #records: ReadonlyMap<string, Counter>;
  readonly #dropped: Counter;
  readonly #failures: Counter;
  readonly #json = new JsonWriter();
  #pending: Pending[] = [];
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
      () => this.#pending.length,
    );
  }

  /** Opens the files and begins to write. A disk that refuses is logged and tried again. */
  start(): void {
    this.#open();
    this.#trimLater();
    if (this.#pending.length > 0) this.#writeLater(WRITE_DELAY_MS);
  }

  /** Notes what happened now, or at `timeMs`. */
  add(what: Recordable, timeMs = this.#options.clock.now()): void {
    if (this.#isClosed) return;
    this.#records.get(what.kind)?.inc();
    this.#pending.push({ id: this.#nextId++, timeMs, what });
    if (this.#pending.length > MAX_PENDING) {
      const kept = this.#pending.slice(-MAX_PENDING / 2);
      this.#dropped.inc(this.#pending.length - kept.length);
      this.#pending = kept;
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
    const pending = [...this.#pending];
    const segments = [...this.#log.segments];
    for (const { id, timeMs, what } of pending.reverse()) {
      if (slices.isOver) await slices.pause();
      const record = test.takePending(this.#recordOf({ id, timeMs, what }), timeMs);
      if (record === null) continue;
      records.push(record);
      if (records.length === limit) return { records, nextBeforeId: id };
    }
    let readBytes = 0;
    // Of the pending ones some may have been written meanwhile.
    let beforeId = Math.min(query.beforeId, ...pending.slice(-1).map(({ id }) => id));
    for (const segment of segments.reverse()) {
      const { firstId, minMs, maxMs, sizeBytes } = segment;
      if (firstId >= beforeId || minMs > query.untilMs || maxMs < query.fromMs) continue;
      if (readBytes >= maxReadBytes || clock.monotonic() > endMs) {
        return { records, nextBeforeId: beforeId };
      }
      readBytes += sizeBytes;
      const frames = await this.#log.framesOf(segment, slices).catch(absentAsEmpty);
      for (let i = frames.length - 1; i >= 0; i--) {
        if (slices.isOver) await slices.pause();
        const frame = frames[i]!;
        if (frame.id >= beforeId) continue;
        const record = test.take(frame);
        if (record === null) continue;
        records.push(record);
        if (records.length === limit) return { records, nextBeforeId: frame.id };
      }
      beforeId = firstId;
    }
    return { records, nextBeforeId: null };
  }

  #recordOf({ id, timeMs, what }: Pending): HistoryRecord {
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

  /** Writes all that is pending, in slices, and syncs it. */
  async #write(): Promise<void> {
    const slices = new Slices(this.#options.clock);
    try {
      if (!this.#isOpen && !this.#open()) return;
      while (this.#pending.length > 0) {
        const batch = this.#pending.slice(0, RECORDS_PER_WRITE);
        const encoded: EncodedRecord[] = [];
        for (const pending of batch) {
          if (slices.isOver) await slices.pause();
          const record = this.#encode(pending);
          if (record === null) this.#dropped.inc();
          else encoded.push(record);
        }
        this.#log.append(encoded);
        this.#forget(batch[batch.length - 1]!.id);
        if (this.#log.isFull) await this.#log.sync();
      }
      await this.#log.sync();
      if (this.#isFailing) this.#options.log.info('History is written again');
      this.#isFailing = false;
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** Some that were written may have been dropped meanwhile. */
  #forget(lastId: number): void {
    const kept = this.#pending.findIndex(({ id }) => id > lastId);
    this.#pending.splice(0, kept < 0 ? this.#pending.length : kept);
  }

  #encode({ id, timeMs, what }: Pending): EncodedRecord | null {
    const member = this.#options.member();
    const kindCode = HISTORY_KINDS.indexOf(what.kind);
    const frame = encodeFrame({ kindCode, id, timeMs }, this.#jsonOf(what, member));
    return frame.length > MAX_FRAME_BYTES ? null : { id, timeMs, frame };
  }

  #jsonOf(what: Recordable, member: string): Uint8Array {
    if (what.writeFields === undefined) {
      const { kind: _, ...fields } = what.body();
      return Buffer.from(JSON.stringify({ member, ...fields }));
    }
    const json = this.#json;
    json.raw(MEMBER);
    json.text(member);
    what.writeFields(json);
    json.raw(END);
    return json.take();
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
    const first = this.#pending[0]?.id ?? this.#nextId;
    const shift = Math.max(0, this.#log.nextId - first);
    this.#pending = this.#pending.map((pending) => ({ ...pending, id: pending.id + shift }));
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
