import { type ByteCache, type Env, errorText, Slices } from '@pollux/base';
import type { Labels } from '@pollux/model';
import { wordsOf } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { BatchClasses, Conflicts, NO_COLUMN } from './batch-staging.ts';
import { Catalogue, type ColumnRef } from './catalogue.ts';
import {
  type ColumnData,
  cutRange,
  emptyColumn,
  mergeColumns,
  type NanoRange,
  sliceRange,
} from './column-data.ts';
import { ColumnArena, type ColumnSpace } from './column-space.ts';
import { DataFile } from './file/data-file.ts';
import { DataFileWriter } from './file/data-file-writer.ts';
import type { GroupIdentity } from './group-identity.ts';
import { GroupReplay } from './group-replay.ts';
import { Memtable } from './memtable.ts';
import { filesToMerge } from './merge-policy.ts';
import { inSlices } from './pieces.ts';
import type { FieldConflict, PointColumns } from './point-columns.ts';
import type { SeriesRef } from './series-names.ts';
import { type ColumnNames, listSegments, type StagedRows, WriteAheadLog } from './wal/wal.ts';

/** Columns looked at between two looks at the clock. */
const COLUMNS_PER_PIECE = 256;
/** What an interrupted write leaves. */
const UNFINISHED = /\.tmp(-|$)/;

export type GroupPlace = {
  readonly env: Env;
  readonly log: Log;
  readonly cache: ByteCache;
  readonly directory: string;
  readonly walDirectory: string;
};

export type StagedBatch = StagedRows & {
  readonly conflictPoints: number;
  readonly firstConflict: FieldConflict | null;
};

type Frozen = { readonly memtable: Memtable; readonly walThrough: number };

/** What a reader sees of a group: the files and memtables of one moment. The youngest memtable goes on growing. */
export type GroupSnapshot = {
  readonly files: readonly DataFile[];
  readonly memtables: readonly Memtable[];
};

/**
 * The samples of one (database, retention policy, span of time): catalogue, log, memtable, files. Everything here that
 * changes what readers see happens between two turns of the event loop, so a reader never meets half a change. The store
 * serialises commits; `flush`, `merge` and `deleteRows` serialise among themselves.
 */
export class ShardGroup {
  readonly identity: GroupIdentity;
  readonly catalogue = new Catalogue();
  readonly #place: GroupPlace;
  /** Files that must not be read again but may still be there: each file that is written takes their place, too. */
  readonly #discarded = new Set<number>();
  readonly #wal: WriteAheadLog;
  #active = new Memtable();
  #frozen: Frozen | null = null;
  #files: DataFile[] = [];
  #nextFile = 1;
  #maintenance: Promise<void> = Promise.resolve();
  /** Of {@link #exclusively}, waiting or at work. */
  #running = 0;
  /** Snapshots that were not given back. */
  #holders = 0;
  #isClosed = false;
  readonly #columnNames: ColumnNames = {
    symbolsOf: (column) => ({
      series: this.catalogue.names.symbolsOf(this.catalogue.seriesOf(column)),
      field: this.catalogue.fieldSymbolOf(column),
      kind: this.catalogue.kindOf(column),
      replica: this.catalogue.replicaSymbolOf(column),
    }),
    text: (symbol) => this.catalogue.names.text(symbol),
  };
  /** Newest whole millisecond per replica. */
  readonly newestMs = new Map<string, number>();

  /**
   * Reads the directory: files first, then the log behind them; yields between pieces. Throws ShardCorruptionError for a
   * damaged file.
   */
  static *open(identity: GroupIdentity, place: GroupPlace): Generator<void, ShardGroup, void> {
    // What a start before found here may never have reached the disk by name, as the group's own description.
    place.env.files.syncDirectory(place.directory);
    place.env.files.makeDirectory(place.walDirectory);
    const group = new ShardGroup(identity, place);
    let isOpen = false;
    try {
      yield* group.#load();
      isOpen = true;
      return group;
    } finally {
      if (!isOpen) for (const file of group.#files) file.release();
    }
  }

  private constructor(identity: GroupIdentity, place: GroupPlace) {
    this.identity = identity;
    this.#place = place;
    this.#wal = new WriteAheadLog(place.env, place.walDirectory);
  }

  *#load(): Generator<void, void, void> {
    const { env, log, walDirectory } = this.#place;
    const walThrough = yield* this.#openFiles();
    const segments = listSegments(env, walDirectory);
    // Numbers that a data file contains are never used again: what is in them counts as done with.
    this.#wal.startBehind(Math.max(walThrough, segments.at(-1) ?? 0));
    this.#wal.removeNow(walThrough);
    const replay = new GroupReplay(this.catalogue, this.#active, this.newestMs);
    const unread = segments.filter((segment) => segment > walThrough);
    for (const problem of yield* replay.run(env, walDirectory, unread)) {
      log.warn('repaired the log of a shard group', { group: this.identity.id, problem });
    }
  }

  *#openFiles(): Generator<void, number, void> {
    const { env, cache, directory } = this.#place;
    const place = { catalogue: this.catalogue, cache, baseMs: this.identity.startMs };
    const replaced = new Set<number>();
    const newestMs = new Map<number, ReadonlyMap<string, number>>();
    for (const name of env.files.list(directory)) {
      if (UNFINISHED.test(name)) env.files.remove(`${directory}/${name}`);
      const match = /^(\d{8})\.data$/.exec(name);
      if (match === null) continue;
      const path = `${directory}/${name}`;
      const { file, index } = yield* DataFile.open(env, path, Number(match[1]), place);
      this.#files.push(file);
      newestMs.set(file.id, index.newestMs);
      for (const id of file.replaces) replaced.add(id);
      this.#nextFile = Math.max(this.#nextFile, file.id + 1);
    }
    let walThrough = 0;
    for (const file of this.#files) walThrough = Math.max(walThrough, file.walThrough);
    const outdated = this.#files.filter(({ id }) => replaced.has(id));
    this.#retire(outdated);
    this.#removeDiscardedNow();
    if (outdated.length > 0) yield* this.#refreshData();
    for (const { id } of this.#files) {
      for (const [replica, ms] of newestMs.get(id) ?? []) this.#sawTime(replica, ms);
    }
    return walThrough;
  }

  #sawTime(replica: string, ms: number): void {
    const known = this.newestMs.get(replica);
    if (known === undefined || ms > known) this.newestMs.set(replica, ms);
  }

  /** Bytes of memory that a flush would free. */
  get memtableBytes(): number {
    return this.#active.rows === 0 ? 0 : this.#active.bytes;
  }

  /** True when nothing is in memory that is not in files, and nobody reads or rewrites these. */
  get isIdle(): boolean {
    return (
      this.#active.rows === 0 && this.#frozen === null && this.#holders === 0 && this.#running === 0
    );
  }

  get isFlushing(): boolean {
    return this.#frozen !== null;
  }

  get fileCount(): number {
    return this.#files.length;
  }

  get diskBytes(): number {
    let bytes = this.#wal.sizeBytes;
    for (const file of this.#files) bytes += file.sizeBytes;
    return bytes;
  }

  /**
   * Encodes the rows of the batch that belong here into the log's buffer. A point with a field of another type than the
   * group knows is left out whole.
   */
  stage(batch: PointColumns, rows: Uint32Array, seriesRefs: Int32Array): StagedBatch {
    const catalogue = this.catalogue;
    const classes = new BatchClasses(catalogue, batch);
    const columns = new Uint32Array(rows.length);
    const conflicts = new Conflicts(batch);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const index = batch.seriesOf[row]!;
      const { measurement, tags, replica } = batch.series[index]!;
      if (seriesRefs[index] === -1) seriesRefs[index] = catalogue.series(measurement, tags);
      const series = seriesRefs[index]!;
      const columnClass = classes.of(batch.fieldOf[row]!, replica);
      const known = catalogue.findColumn(series, columnClass);
      // A column with data has the type of its field.
      if (known >= 0 && catalogue.hasData(known)) columns[i] = known;
      else if (conflicts.meet(row, catalogue.classKind(series, columnClass)))
        columns[i] = NO_COLUMN;
      else columns[i] = catalogue.column(series, columnClass);
    }
    const staged = conflicts.without(rows, columns);
    if (staged.count > 0) this.#wal.stage(batch, staged, this.#columnNames);
    return { ...staged, conflictPoints: conflicts.points, firstConflict: conflicts.first };
  }

  /** Writes what was staged to the log file. Throws ShardWriteError. */
  writeLog(): void {
    this.#wal.write();
  }

  syncLog(): Promise<void> {
    return this.#wal.sync();
  }

  acceptLog(): void {
    this.#wal.accept();
  }

  /** Takes everything staged since the last accept back. */
  abandonLog(): void {
    this.#wal.abandon();
    this.catalogue.forgetEmptyFields();
  }

  /** Makes staged rows visible. */
  apply(batch: PointColumns, staged: StagedRows): void {
    const words = wordsOf(batch.cells);
    const scratch = new Float64Array(1);
    const scratchWords = wordsOf(scratch);
    let replica = '';
    let newestMs = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < staged.count; i++) {
      const row = staged.rows[i]!;
      const column = staged.columns[i]!;
      const ms = batch.timesMs[row]!;
      const nanos = batch.nanos === null ? 0 : batch.nanos[row]!;
      if (batch.fields[batch.fieldOf[row]!]!.kind === 'string') {
        scratch[0] = this.#active.addText(batch.texts[batch.cells[row]!]!);
        this.#active.append(column, ms, nanos, scratchWords[0]!, scratchWords[1]!);
      } else {
        this.#active.append(column, ms, nanos, words[row * 2]!, words[row * 2 + 1]!);
      }
      this.catalogue.setHasData(column, true);
      const written = batch.series[batch.seriesOf[row]!]!.replica;
      if (written !== replica) {
        if (newestMs > Number.NEGATIVE_INFINITY) this.#sawTime(replica, newestMs);
        replica = written;
        newestMs = ms;
      } else if (ms > newestMs) newestMs = ms;
    }
    if (newestMs > Number.NEGATIVE_INFINITY) this.#sawTime(replica, newestMs);
  }

  /** The column's rows in the range, sorted, last write winning; empty when it has none. */
  read(column: ColumnRef, range: NanoRange, snapshot: GroupSnapshot): ColumnData {
    const kind = this.catalogue.kindOf(column);
    const parts: ColumnData[] = [];
    for (const file of snapshot.files) {
      const part = file.read(column, this.catalogue, range);
      if (part !== null) parts.push(part);
    }
    for (const memtable of snapshot.memtables) {
      const part = memtable.read(column, kind);
      if (part !== null) parts.push(part);
    }
    return parts.length === 0 ? emptyColumn(kind) : sliceRange(mergeColumns(kind, parts), range);
  }

  /** Moves the memtable aside and starts a new one with a new log segment. False when there is nothing to flush. */
  freeze(): boolean {
    if (this.#active.rows === 0 || this.#frozen !== null) return false;
    this.#frozen = { memtable: this.#active, walThrough: this.#wal.rotate() };
    this.#active = new Memtable();
    return true;
  }

  /** Writes the frozen memtable to a file. On failure it stays in memory and in the log; the next flush tries again. */
  flush(): Promise<void> {
    return this.#exclusively(() => this.#flushFrozen());
  }

  async #flushFrozen(): Promise<void> {
    const frozen = this.#frozen;
    if (frozen === null) return;
    const file = await this.#writeFile(
      (column, space) => frozen.memtable.read(column, this.catalogue.kindOf(column), space),
      { walThrough: frozen.walThrough, replaces: [] },
    );
    this.#files.push(file);
    this.#frozen = null;
    await this.#wal.remove(frozen.walThrough);
  }

  /** Merges the newest files of like size when there are many. */
  merge(): Promise<void> {
    return this.#exclusively(async () => {
      const count = filesToMerge(this.#files.map((file) => file.sizeBytes));
      if (count > 0) await this.#rewrite(this.#files.slice(-count), (_column, data) => data);
    });
  }

  /**
   * Removes the rows in the range of series that `matches` accepts. `between` runs a job when no commit is on its way. What is
   * written while this runs stays.
   */
  deleteRows(
    matches: (measurement: string, tags: Labels) => boolean,
    range: NanoRange,
    between: (job: () => void) => Promise<void>,
  ): Promise<void> {
    return this.#exclusively(async () => {
      const slices = new Slices(this.#place.env.clock);
      const targets = await this.#seriesThat(matches, slices);
      if (targets.size === 0) return;
      await this.#flushFrozen();
      await between(() => {
        this.freeze();
      });
      await this.#flushFrozen();
      const oldest = await this.#oldestFileOf(targets, slices);
      if (oldest < 0) return;
      // Files must stay in the order of their writing, so all from the oldest one concerned are rewritten as one.
      await this.#rewrite(this.#files.slice(oldest), (column, data, space) =>
        targets.has(this.catalogue.seriesOf(column)) ? cutRange(data, range, space) : data,
      );
      await inSlices(this.#refreshData(), slices);
      await between(() => this.catalogue.forgetEmptyFields());
    });
  }

  async #seriesThat(
    matches: (measurement: string, tags: Labels) => boolean,
    slices: Slices,
  ): Promise<Set<SeriesRef>> {
    const found = new Set<SeriesRef>();
    for (let series = 0; series < this.catalogue.seriesCount; series++) {
      if (slices.isOver) await slices.pause();
      if (!this.catalogue.isLive(series)) continue;
      if (matches(this.catalogue.measurementOf(series), this.catalogue.tagsOf(series)))
        found.add(series);
    }
    return found;
  }

  /** Index of the oldest file that holds a column of the series, or −1. */
  async #oldestFileOf(targets: ReadonlySet<SeriesRef>, slices: Slices): Promise<number> {
    for (const [at, { index }] of this.#files.entries()) {
      for (let i = 0; i < index.columnCount; i++) {
        if (targets.has(this.catalogue.seriesOf(index.columnAt(i)))) return at;
        if (slices.isOver) await slices.pause();
      }
    }
    return -1;
  }

  async #rewrite(
    inputs: readonly DataFile[],
    change: (column: ColumnRef, data: ColumnData, space: ColumnSpace) => ColumnData,
  ): Promise<void> {
    const everything = { minMs: -Infinity, minNanos: 0, maxMs: Infinity, maxNanos: 999_999 };
    const file = await this.#writeFile(
      (column, space) => {
        const parts: ColumnData[] = [];
        for (const input of inputs) {
          const part = input.read(column, this.catalogue, everything, space);
          if (part !== null) parts.push(part);
        }
        return parts.length === 0
          ? null
          : change(column, mergeColumns(this.catalogue.kindOf(column), parts, space), space);
      },
      {
        walThrough: Math.max(...inputs.map((input) => input.walThrough)),
        replaces: inputs.map((input) => input.id),
      },
    );
    this.#files.push(file);
    this.#retire(inputs);
    await this.#removeDiscarded();
  }

  /** Lets go of files whose content others have taken over. */
  #retire(files: readonly DataFile[]): void {
    this.#files = this.#files.filter((file) => !files.includes(file));
    for (const file of files) {
      file.release();
      this.#discarded.add(file.id);
    }
  }

  /** To give back a large file takes the system a while, so the thread does not wait for it. */
  async #removeDiscarded(): Promise<void> {
    for (const id of [...this.#discarded]) {
      try {
        await this.#place.env.files.unlink(this.#pathOf(id));
        this.#discarded.delete(id);
      } catch {
        // It stays noted: the next file that is written says that it is done with, and it is tried again.
      }
    }
  }

  #removeDiscardedNow(): void {
    for (const id of [...this.#discarded]) {
      try {
        this.#place.env.files.remove(this.#pathOf(id));
        this.#discarded.delete(id);
      } catch {
        // As above.
      }
    }
  }

  #pathOf(id: number): string {
    return `${this.#place.directory}/${String(id).padStart(8, '0')}.data`;
  }

  /** Recomputes which columns hold data; yields between pieces. */
  *#refreshData(): Generator<void, void, void> {
    for (let column = 0; column < this.catalogue.columnCount; column++) {
      const isHeld =
        this.#active.has(column) ||
        this.#frozen?.memtable.has(column) === true ||
        this.#files.some((file) => file.has(column));
      this.catalogue.setHasData(column, isHeld);
      if (column % COLUMNS_PER_PIECE === 0) yield;
    }
  }

  async #writeFile(
    read: (column: ColumnRef, space: ColumnSpace) => ColumnData | null,
    meta: { readonly walThrough: number; readonly replaces: readonly number[] },
  ): Promise<DataFile> {
    const { env, cache } = this.#place;
    const id = this.#nextFile++;
    const path = this.#pathOf(id);
    const writer = new DataFileWriter(env, path, {
      catalogue: this.catalogue,
      baseMs: this.identity.startMs,
    });
    const space = new ColumnArena();
    const slices = new Slices(env.clock);
    try {
      // Series of one measurement stand together in the file, as they are read together.
      for (const measurement of this.catalogue.measurements()) {
        for (const series of this.catalogue.select(measurement)) {
          if (slices.isOver) await slices.pause();
          for (const column of this.catalogue.columnsOf(series)) {
            space.reset();
            const data = read(column, space);
            if (data !== null) await inSlices(writer.add(column, data), slices);
          }
        }
      }
      // A file without columns is still written: it tells that log segments and older files are done with.
      const index = await writer.finish(meta.walThrough, [...meta.replaces, ...this.#discarded]);
      const file = DataFile.adopt(env, path, id, { index, cache });
      await this.#removeDiscarded();
      return file;
    } catch (error) {
      // It may have got its name: what is deleted later from other files would come back from it.
      this.#discarded.add(id);
      writer.discard();
      throw error;
    }
  }

  /** The group as it is now; its files stay readable until {@link letGo}. */
  hold(): GroupSnapshot {
    this.#holders++;
    for (const file of this.#files) file.acquire();
    const memtables =
      this.#frozen === null ? [this.#active] : [this.#frozen.memtable, this.#active];
    return { files: [...this.#files], memtables };
  }

  letGo(snapshot: GroupSnapshot): void {
    this.#holders--;
    for (const file of snapshot.files) file.release();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    const previous = this.#maintenance;
    this.#running++;
    let done = (): void => {};
    this.#maintenance = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await previous;
      if (!this.#isClosed) await work();
    } finally {
      this.#running--;
      done();
    }
  }

  /** Waits for maintenance and gives the files up. What is in the memtable is in the log. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#maintenance;
    } catch (error) {
      this.#place.log.warn('maintenance of a shard group failed', {
        group: this.identity.id,
        error: errorText(error),
      });
    }
    this.#wal.close();
    for (const file of this.#files) file.release();
    this.#files = [];
  }
}
