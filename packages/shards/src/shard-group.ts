import { type ByteCache, type Env, inSlices, Slices, Turns } from '@pollux/base';
import { type HashKey, NumberMap } from '@pollux/index';
import type { Labels } from '@pollux/model';
import { wordsOf } from '@pollux/model';
import type {
  ColumnData,
  FieldConflict,
  GroupIdentity,
  NanoRange,
  PointColumns,
} from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { BatchClasses, Conflicts, NO_COLUMN } from './batch-staging.ts';
import { Catalogue, type ColumnRef } from './catalogue.ts';
import { cutRange, emptyColumn, mergeColumns, sliceRange } from './column-data.ts';
import type { ColumnSpace } from './column-space.ts';
import type { DataFile } from './file/data-file.ts';
import { type ColumnReader, GroupFiles } from './group-files.ts';
import { GroupReplay } from './group-replay.ts';
import { Memtable, type NumberColumn } from './memtable.ts';
import { filesToMerge } from './merge-policy.ts';
import { SampleIndex } from './samples/sample-index.ts';
import type { SampleRows } from './samples/sample-rows.ts';
import type { SeriesRef } from './series-names.ts';
import { Settling } from './settle/settling.ts';
import { WINDOW_MS, type WindowArrivals, windowOf } from './settle/window-arrivals.ts';
import { type ColumnNames, listSegments, type StagedRows, WriteAheadLog } from './wal/wal.ts';

/** Rows of a memtable that are read ahead at most: 16 or 20 MB, and some 15 ms. */
const MAX_ROWS_AHEAD = 1_048_576;
const NONE_AHEAD: ReadonlyMap<ColumnRef, ColumnData | null> = new Map();

/** Columns looked at between two looks at the clock. */
const COLUMNS_PER_PIECE = 256;

export type GroupPlace = {
  readonly env: Env;
  readonly log: Log;
  readonly cache: ByteCache;
  /** For hashes of names, which whoever writes must not know. */
  readonly hashKey: HashKey;
  readonly directory: string;
  readonly walDirectory: string;
  readonly arrivals: WindowArrivals;
  /** As `settleAfterMs` of the store's options. */
  readonly settleAfterMs: number;
  /** Told of rows that were given up since another replica's copy covers their window. */
  readonly noteSettled: (rows: number) => void;
};

export type StagedBatch = StagedRows & {
  readonly conflictPoints: number;
  readonly firstConflict: FieldConflict | null;
};

/** Of samples `[from, to)`: those up to `end` are staged. */
export type StagedSamples = {
  readonly end: number;
  readonly conflictPoints: number;
  readonly firstConflict: FieldConflict | null;
};

type Frozen = { readonly memtable: Memtable; readonly walThrough: number };

type MemtableSnapshot = {
  readonly memtable: Memtable;
  readonly rows: number;
  /** Columns that {@link ShardGroup.readAhead} read; null for those that have no rows. */
  ahead: ReadonlyMap<ColumnRef, ColumnData | null>;
};

/** What a reader sees of a group: the files of one moment, and of the memtables the rows that were visible then. */
export type GroupSnapshot = {
  readonly files: readonly DataFile[];
  readonly memtables: readonly MemtableSnapshot[];
};

/**
 * The samples of one (database, retention policy, span of time): catalogue, log, memtable, files. Everything here that
 * changes what readers see happens between two turns of the event loop, so a reader never meets half a change. The store
 * serialises commits; `flush`, `merge` and `deleteRows` serialise among themselves.
 */
export class ShardGroup {
  readonly identity: GroupIdentity;
  readonly catalogue: Catalogue;
  /** Columns of the series that remote writes bring. */
  readonly samples: SampleIndex;
  readonly #place: GroupPlace;
  readonly #wal: WriteAheadLog;
  /** Series + 1 by the numbers of points' keys, and whose numbers these are. */
  readonly #numbered = new NumberMap();
  #numbering: object | null = null;
  #active = new Memtable();
  #frozen: Frozen | null = null;
  readonly #files: GroupFiles;
  readonly #maintenance = new Turns();
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
      if (!isOpen) group.#files.close();
    }
  }

  private constructor(identity: GroupIdentity, place: GroupPlace) {
    this.identity = identity;
    this.#place = place;
    this.catalogue = new Catalogue(place.hashKey);
    this.samples = new SampleIndex(this.catalogue);
    this.#wal = new WriteAheadLog(place.env, place.walDirectory);
    const { env, cache, directory } = place;
    const { catalogue } = this;
    this.#files = new GroupFiles({ env, cache, directory, catalogue, baseMs: identity.startMs });
  }

  *#load(): Generator<void, void, void> {
    const { env, log, walDirectory } = this.#place;
    const { walThrough, newestMs, hasOutdated } = yield* this.#files.open();
    for (const [replica, ms] of newestMs) this.#sawTime(replica, ms);
    if (hasOutdated) yield* this.#refreshData();
    const segments = listSegments(env, walDirectory);
    // Numbers that a data file contains are never used again: what is in them counts as done with.
    this.#wal.startBehind(Math.max(walThrough, segments.at(-1) ?? 0));
    this.#wal.removeNow(walThrough);
    const replay = new GroupReplay(this.catalogue, this.#active, this.newestMs);
    const unread = segments.filter((segment) => segment > walThrough);
    for (const problem of yield* replay.run(env, walDirectory, unread)) {
      log.warn('repaired the log of a shard group', { group: this.identity.id, problem });
    }
    this.#active.publish();
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
      this.#active.rows === 0 &&
      this.#frozen === null &&
      this.#holders === 0 &&
      !this.#maintenance.isBusy
    );
  }

  get isFlushing(): boolean {
    return this.#frozen !== null;
  }

  get fileCount(): number {
    return this.#files.list.length;
  }

  get diskBytes(): number {
    return this.#wal.sizeBytes + this.#files.bytes;
  }

  /** The series of a batch that are known by their numbers; −1 for others. */
  seriesRefsOf({ series, numbers }: PointColumns): Int32Array {
    const refs = new Int32Array(series.length).fill(-1);
    if (numbers === undefined || numbers.numbering !== this.#numbering) return refs;
    for (let i = 0; i < refs.length; i++) refs[i] = this.#numbered.get(numbers.ofSeries[i]!) - 1;
    return refs;
  }

  /** Notes what {@link stage} has found out. Series keep their numbers here as long as the group is open, whatever becomes of the write. */
  noteSeries({ numbers }: PointColumns, refs: Int32Array): void {
    if (numbers === undefined) return;
    if (numbers.numbering !== this.#numbering) {
      this.#numbered.clear();
      this.#numbering = numbers.numbering;
    }
    for (let i = 0; i < refs.length; i++) {
      if (refs[i] !== -1) this.#numbered.set(numbers.ofSeries[i]!, refs[i]! + 1);
    }
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

  /**
   * As {@link stage}, of samples: rows `[from, to)`, whose columns are of this group. Rows in conflict are taken out by moving
   * the others together at `from`.
   */
  stageSamples(rows: SampleRows, from: number, to: number): StagedSamples {
    const { catalogue } = this;
    let end = from;
    let firstConflict: FieldConflict | null = null;
    for (let row = from; row < to; row++) {
      const column = rows.columns[row]!;
      // A column with data has the type of its field.
      if (!catalogue.hasData(column)) {
        const series = catalogue.seriesOf(column);
        const existing = catalogue.classKind(series, catalogue.classOf(column));
        if (existing !== 'float') {
          firstConflict ??= {
            measurement: catalogue.measurementOf(series),
            field: catalogue.fieldOf(column),
            given: 'float',
            existing,
          };
          continue;
        }
      }
      if (end < row) rows.move(row, end);
      end++;
    }
    if (end > from) this.#wal.stageSamples(rows, from, end, this.#columnNames);
    return { end, conflictPoints: to - end, firstConflict };
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

  /** Puts staged rows into memory; readers see them from {@link publish} on. */
  apply(batch: PointColumns, staged: StagedRows): void {
    const words = wordsOf(batch.cells);
    const scratch = new Float64Array(1);
    const scratchWords = wordsOf(scratch);
    let replica = '';
    let newestMs = Number.NEGATIVE_INFINITY;
    let oldestMs = Number.POSITIVE_INFINITY;
    let lastMs = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < staged.count; i++) {
      const row = staged.rows[i]!;
      const column = staged.columns[i]!;
      const ms = batch.timesMs[row]!;
      const nanos = batch.nanos === null ? 0 : batch.nanos[row]!;
      if (ms < oldestMs) oldestMs = ms;
      if (ms > lastMs) lastMs = ms;
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
    if (staged.count > 0) this.#place.arrivals.note(oldestMs, lastMs);
  }

  /** As {@link apply}, of the samples `[from, to)`. */
  applySamples(rows: SampleRows, from: number, to: number): void {
    const { columns, timesMs, words } = rows;
    let replica = -1;
    let newestMs = Number.NEGATIVE_INFINITY;
    let oldestMs = Number.POSITIVE_INFINITY;
    let lastMs = Number.NEGATIVE_INFINITY;
    for (let row = from; row < to; row++) {
      const column = columns[row]!;
      const ms = timesMs[row]!;
      if (ms < oldestMs) oldestMs = ms;
      if (ms > lastMs) lastMs = ms;
      this.#active.append(column, ms, 0, words[row * 2]!, words[row * 2 + 1]!);
      this.catalogue.setHasData(column, true);
      const written = this.catalogue.replicaSymbolOf(column);
      if (written !== replica) {
        if (replica >= 0) this.#sawTime(this.catalogue.names.text(replica), newestMs);
        replica = written;
        newestMs = ms;
      } else if (ms > newestMs) newestMs = ms;
    }
    if (replica >= 0) this.#sawTime(this.catalogue.names.text(replica), newestMs);
    if (to > from) this.#place.arrivals.note(oldestMs, lastMs);
  }

  /** Makes what was applied visible. */
  publish(): void {
    this.#active.publish();
  }

  /** The column's rows in the range, sorted, last write winning; empty when it has none. */
  read(column: ColumnRef, range: NanoRange, snapshot: GroupSnapshot): ColumnData {
    const kind = this.catalogue.kindOf(column);
    const parts: ColumnData[] = [];
    for (const file of snapshot.files) {
      const part = file.read(column, this.catalogue, range);
      if (part !== null) parts.push(part);
    }
    for (const { memtable, rows, ahead } of snapshot.memtables) {
      const known = ahead.get(column);
      const part = known === undefined ? memtable.read(column, kind, rows) : known;
      if (part !== null) parts.push(part);
    }
    return parts.length === 0 ? emptyColumn(kind) : sliceRange(mergeColumns(kind, parts), range);
  }

  /** Whether {@link read} may give rows: of files by the times of their chunks, which are not read. */
  touches(column: ColumnRef, range: NanoRange, { files, memtables }: GroupSnapshot): boolean {
    return (
      memtables.some(({ memtable, rows }) =>
        memtable.touches(column, rows, range.minMs, range.maxMs),
      ) || files.some((file) => file.touches(column, range))
    );
  }

  /** Reads the columns' rows in memory together, for {@link read}s of them that follow; forgets what was read so before. */
  readAhead(columns: readonly ColumnRef[], snapshot: GroupSnapshot): void {
    const wanted: NumberColumn[] = [];
    for (const column of columns) {
      const kind = this.catalogue.kindOf(column);
      if (kind !== 'string') wanted.push({ column, kind });
    }
    for (const one of snapshot.memtables) {
      one.ahead =
        wanted.length < 2 ? NONE_AHEAD : one.memtable.readMany(wanted, one.rows, MAX_ROWS_AHEAD);
    }
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
    const file = await this.#files.write(
      (column, space) => {
        const { memtable } = frozen;
        return memtable.read(column, this.catalogue.kindOf(column), memtable.rows, space);
      },
      { walThrough: frozen.walThrough, replaces: [] },
    );
    // In one turn, so that no reader finds these rows twice or not at all.
    this.#files.add(file);
    this.#frozen = null;
    await this.#wal.remove(frozen.walThrough);
  }

  /** Merges the newest files of like size when there are many; of windows that only they hold, copies are given up. */
  merge(): Promise<void> {
    return this.#exclusively(async () => {
      const { list } = this.#files;
      const count = filesToMerge(list.map((file) => file.sizeBytes));
      if (count === 0) return;
      const inputs = list.slice(-count);
      const read = this.#files.reader(inputs);
      const settling = this.#settlingOf(inputs, read);
      if (settling === null) await this.#files.rewrite(inputs, (_column, data) => data, read);
      else await this.#rewriteSettled(inputs, settling, read);
    });
  }

  /** Gives up copies in windows of the whole group; returns false when there were none to give up. */
  async settle(between: (job: () => void) => Promise<void>): Promise<boolean> {
    let isRewritten = false;
    await this.#exclusively(async () => {
      await this.#flushAll(between);
      const inputs = [...this.#files.list];
      const read = this.#files.reader(inputs);
      const settling = this.#settlingOf(inputs, read);
      if (settling !== null && (await this.#hasWork(settling))) {
        await this.#rewriteSettled(inputs, settling, read);
        isRewritten = true;
      }
      this.#files.markSettled();
    });
    return isRewritten;
  }

  /** Null when the files have no window of which there can be a copy too many. */
  #settlingOf(inputs: readonly DataFile[], read: ColumnReader): Settling | null {
    const { env, arrivals, settleAfterMs } = this.#place;
    const replicas = [...this.newestMs.keys()].filter((replica) => replica !== '');
    if (settleAfterMs === 0 || replicas.length < 2) return null;
    const others = this.#files.list.filter((file) => !inputs.includes(file));
    const behindMs = Math.max(-Infinity, ...others.map(({ index }) => index.newestMs));
    const oldestMs = Math.min(...inputs.map(({ index }) => index.oldestMs));
    const firstWindow = Math.max(windowOf(oldestMs), windowOf(behindMs) + 1);
    const newestMs = Math.max(...this.newestMs.values());
    const isPassed = (firstWindow + 1) * WINDOW_MS <= newestMs;
    if (!isPassed && this.identity.endMs > env.clock.now()) return null;
    const withMemory = (column: ColumnRef, space: ColumnSpace): ColumnData | null => {
      const kind = this.catalogue.kindOf(column);
      const parts = [
        read(column, space),
        this.#frozen?.memtable.read(column, kind, this.#frozen.memtable.rows, space) ?? null,
        this.#active.read(column, kind, this.#active.rows, space),
      ].filter((part) => part !== null);
      return parts.length === 0 ? null : mergeColumns(kind, parts, space);
    };
    return new Settling({
      clock: env.clock,
      catalogue: this.catalogue,
      arrivals,
      span: this.identity,
      afterMs: settleAfterMs,
      behindMs,
      read: withMemory,
    });
  }

  async #hasWork(settling: Settling): Promise<boolean> {
    const slices = new Slices(this.#place.env.clock);
    for (const measurement of this.catalogue.measurements()) {
      for (const series of this.catalogue.select(measurement)) {
        if (slices.isOver) await slices.pause();
        if (settling.hasWork(series)) return true;
      }
    }
    return false;
  }

  async #rewriteSettled(
    inputs: readonly DataFile[],
    settling: Settling,
    read: ColumnReader,
  ): Promise<void> {
    await this.#files.rewrite(
      inputs,
      (column, data, space) => settling.keep(column, data, space),
      read,
    );
    this.#place.noteSettled(settling.rows);
    if (settling.rows > 0) await inSlices(this.#refreshData(), new Slices(this.#place.env.clock));
  }

  /** Everything written so far goes to files. */
  async #flushAll(between: (job: () => void) => Promise<void>): Promise<void> {
    await this.#flushFrozen();
    await between(() => {
      this.freeze();
    });
    await this.#flushFrozen();
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
      await this.#flushAll(between);
      const oldest = await this.#files.oldestWith(targets, slices);
      if (oldest < 0) return;
      // Files must stay in the order of their writing, so all from the oldest one concerned are rewritten as one.
      await this.#files.rewrite(this.#files.list.slice(oldest), (column, data, space) =>
        targets.has(this.catalogue.seriesOf(column)) ? cutRange(data, range, space) : data,
      );
      this.#place.arrivals.noteDeletion();
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

  /** Recomputes which columns hold data; yields between pieces. */
  *#refreshData(): Generator<void, void, void> {
    for (let column = 0; column < this.catalogue.columnCount; column++) {
      const isHeld =
        this.#active.has(column) ||
        this.#frozen?.memtable.has(column) === true ||
        this.#files.has(column);
      this.catalogue.setHasData(column, isHeld);
      if (column % COLUMNS_PER_PIECE === 0) yield;
    }
  }

  /** The group as it is now; its files stay readable until {@link letGo}. */
  hold(): GroupSnapshot {
    this.#holders++;
    const memtables =
      this.#frozen === null ? [this.#active] : [this.#frozen.memtable, this.#active];
    return {
      files: this.#files.hold(),
      memtables: memtables.map((memtable) => ({
        memtable,
        rows: memtable.visibleRows,
        ahead: NONE_AHEAD,
      })),
    };
  }

  letGo(snapshot: GroupSnapshot): void {
    this.#holders--;
    for (const file of snapshot.files) file.release();
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    return this.#maintenance.take(async () => {
      if (!this.#isClosed) await work();
    });
  }

  /** Waits for maintenance and gives the files up. What is in the memtable is in the log. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#maintenance.take(async () => {});
    this.#wal.close();
    this.#files.close();
  }
}
