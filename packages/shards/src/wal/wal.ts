import { assert, ByteWriter, type Env, errorText, type File } from '@pollux/base';
import { NumberMap } from '@pollux/index';
import type { PointColumns } from '@pollux/storage';
import type { ColumnRef } from '../catalogue.ts';
import { ShardCorruptionError, ShardWriteError } from '../errors.ts';
import type { SampleRows } from '../samples/sample-rows.ts';
import {
  type ColumnSymbols,
  encodeColumn,
  encodeRecord,
  encodeSamples,
  type NewNames,
  RecordDecoder,
  type RecordSink,
} from './wal-record.ts';

const MAGIC = 0x504c5857; // "PLXW"
/** Written; 1 is read too. */
const VERSION = 2;
const HEADER_BYTES = 8;

/** Where the log learns the names of a column that its segment has not told yet. */
export type ColumnNames = {
  /** Lent until the next call. */
  symbolsOf(column: ColumnRef): ColumnSymbols;
  text(symbol: number): string;
};

/** Rows of one batch staged for this log. */
export type StagedRows = {
  readonly count: number;
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
};

/**
 * The log of one shard group: numbered segments of records. Numbers of texts and columns in records belong to their segment,
 * so each segment reads without the others. Bytes are staged in memory, written at once and synced by the caller's group commit; what
 * could not be written is cut away again, so that a reader of the log never meets what was refused.
 */
export class WriteAheadLog {
  readonly #env: Env;
  readonly #directory: string;
  readonly #pending = new ByteWriter(64 * 1024);
  #file: File | null = null;
  #segment = 1;
  #size = 0;
  /** Number + 1 in the segment of each column, and of each symbol, that it has told. */
  readonly #columns = new NumberMap();
  readonly #symbols = new NumberMap();
  #columnCount = 0;
  #symbolCount = 0;
  /** Of the record that is being staged. */
  readonly #newTexts = new ByteWriter(4_096);
  readonly #newColumns = new ByteWriter(4_096);
  #numbers = new Uint32Array(2_048);

  constructor(env: Env, directory: string) {
    this.#env = env;
    this.#directory = directory;
  }

  /** Segments up to this number are not written to. Before the first {@link stage}. */
  startBehind(segment: number): void {
    this.#segment = segment + 1;
  }

  get segment(): number {
    return this.#segment;
  }

  get sizeBytes(): number {
    return this.#size;
  }

  /** Encodes rows of a batch, with the names that the segment has not told yet before them. */
  stage(batch: PointColumns, staged: StagedRows, names: ColumnNames): void {
    const { count, rows } = staged;
    const told = this.#tellNew(staged.columns, 0, count, names);
    encodeRecord(this.#pending, told, batch, { count, rows, columns: this.#numbers });
  }

  /** As {@link stage}, the rows `[from, to)`. */
  stageSamples(rows: SampleRows, from: number, to: number, names: ColumnNames): void {
    const told = this.#tellNew(rows.columns, from, to, names);
    encodeSamples(this.#pending, told, { rows, from, to, columns: this.#numbers });
  }

  /** Puts the numbers that `columns[from, to)` have in the segment into `#numbers`; the names of new ones are lent. */
  #tellNew(columns: Uint32Array, from: number, to: number, names: ColumnNames): NewNames {
    this.#newTexts.reset();
    this.#newColumns.reset();
    const [columnsBefore, symbolsBefore] = [this.#columnCount, this.#symbolCount];
    if (to - from > this.#numbers.length) this.#numbers = new Uint32Array((to - from) * 2);
    for (let i = from; i < to; i++) {
      const column = columns[i]!;
      let number = this.#columns.get(column);
      if (number === 0) {
        number = ++this.#columnCount;
        this.#columns.set(column, number);
        this.#tell(column, names);
      }
      this.#numbers[i - from] = number - 1;
    }
    return {
      textCount: this.#symbolCount - symbolsBefore,
      texts: this.#newTexts,
      columnCount: this.#columnCount - columnsBefore,
      columns: this.#newColumns,
    };
  }

  #tell(column: ColumnRef, names: ColumnNames): void {
    const { series, field, kind, replica } = names.symbolsOf(column);
    for (let i = 0; i < series.length; i++) series[i] = this.#numberOf(series[i]!, names);
    encodeColumn(this.#newColumns, {
      series,
      field: this.#numberOf(field, names),
      kind,
      replica: this.#numberOf(replica, names),
    });
  }

  /** The number that a symbol has in this segment. */
  #numberOf(symbol: number, names: ColumnNames): number {
    let number = this.#symbols.get(symbol);
    if (number === 0) {
      number = ++this.#symbolCount;
      this.#symbols.set(symbol, number);
      this.#newTexts.uvarintText(names.text(symbol));
    }
    return number - 1;
  }

  /** Writes what was staged; {@link sync} makes it durable. Throws ShardWriteError; call {@link abandon} then. */
  write(): void {
    if (this.#pending.size === 0) return;
    try {
      const file = this.#open();
      const data = this.#pending.bytes();
      file.write(data, 0, data.length, this.#size);
    } catch (error) {
      throw new ShardWriteError(`cannot write ${this.#path(this.#segment)}`, error);
    }
  }

  async sync(): Promise<void> {
    if (this.#pending.size === 0) return;
    assert(this.#file !== null, 'sync of a log that was not written');
    try {
      await this.#file.datasync();
    } catch (error) {
      throw new ShardWriteError(`cannot sync ${this.#path(this.#segment)}`, error);
    }
  }

  /** The staged bytes are part of the log now. */
  accept(): void {
    this.#size += this.#pending.size;
    this.#pending.reset();
  }

  /**
   * Takes the staged bytes back after a failed write or sync. The segment is left: after a failed sync nobody knows which of
   * its pages are on the disk, and the columns defined in the lost record must be defined again.
   */
  abandon(): void {
    this.#pending.reset();
    try {
      this.#file?.truncate(this.#size);
    } catch {
      // The disk is in trouble already. Replay stops at the torn record, and the writer was told that it failed.
    }
    this.#leaveSegment();
  }

  /** Ends the segment; later records go to the next. Returns the number of the one that ended. */
  rotate(): number {
    assert(this.#pending.size === 0, 'rotation in the middle of a commit');
    const ended = this.#segment;
    this.#leaveSegment();
    return ended;
  }

  /** Removes segments up to and including `through`; the thread does not wait for the system to give them back. */
  async remove(through: number): Promise<void> {
    for (const segment of listSegments(this.#env, this.#directory)) {
      if (segment <= through) await this.#env.files.unlink(this.#path(segment));
    }
  }

  /** As {@link remove}, while the group is opened. */
  removeNow(through: number): void {
    for (const segment of listSegments(this.#env, this.#directory)) {
      if (segment <= through) this.#env.files.remove(this.#path(segment));
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  #leaveSegment(): void {
    this.close();
    this.#segment++;
    this.#size = 0;
    this.#columns.clear();
    this.#symbols.clear();
    this.#columnCount = 0;
    this.#symbolCount = 0;
  }

  #open(): File {
    if (this.#file !== null) return this.#file;
    const file = this.#env.files.open(this.#path(this.#segment), 'w');
    const head = new ByteWriter(HEADER_BYTES);
    head.u32(MAGIC);
    head.u8(VERSION);
    head.zeros(3);
    try {
      file.write(head.bytes(), 0, HEADER_BYTES, 0);
      this.#env.files.syncDirectory(this.#directory);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#size = HEADER_BYTES;
    this.#file = file;
    return file;
  }

  #path(segment: number): string {
    return segmentPath(this.#directory, segment);
  }
}

export function listSegments(env: Env, directory: string): number[] {
  if (!env.files.exists(directory)) return [];
  const segments: number[] = [];
  for (const name of env.files.list(directory)) {
    const match = /^(\d{8})\.wal$/.exec(name);
    if (match !== null) segments.push(Number(match[1]));
  }
  return segments;
}

function segmentPath(directory: string, segment: number): string {
  return `${directory}/${String(segment).padStart(8, '0')}.wal`;
}

/**
 * Reads one segment into `sink` and cuts a torn end away; yields between records. Returns null, or what was wrong in the
 * middle: everything before was read.
 */
export function* replaySegment(
  env: Env,
  directory: string,
  segment: number,
  sink: RecordSink,
): Generator<void, string | null, void> {
  const path = segmentPath(directory, segment);
  const data = env.files.readFile(path);
  if (data.length < HEADER_BYTES) return data.length === 0 ? null : `${path}: torn header`;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  // A power loss can leave the length of a segment without its bytes; nothing of it was acknowledged.
  if (data.subarray(0, HEADER_BYTES).every((byte) => byte === 0)) return `${path}: torn header`;
  if (view.getUint32(0) !== MAGIC) throw new ShardCorruptionError(path, 'is no log of this store');
  const version = data[4]!;
  if (version < 1 || version > VERSION)
    throw new ShardCorruptionError(
      path,
      `has format version ${version}, this program reads 1 to ${VERSION}`,
    );
  const decoder = new RecordDecoder(sink);
  let offset = HEADER_BYTES;
  while (offset < data.length) {
    let next: number;
    try {
      next = decoder.decode(data, offset);
    } catch (error) {
      return `${path}: record at byte ${offset}: ${errorText(error)}`;
    }
    if (next < 0) {
      truncate(env, path, offset);
      return `${path}: torn record at byte ${offset}, ${data.length - offset} bytes cut away`;
    }
    offset = next;
    yield;
  }
  return null;
}

function truncate(env: Env, path: string, size: number): void {
  const file = env.files.open(path, 'r+');
  try {
    file.truncate(size);
    file.sync();
  } finally {
    file.close();
  }
}
