import { ByteCache, type Env, inSlices, Slices } from '@pollux/base';
import type { ColumnData } from '@pollux/storage';
import type { Catalogue, ColumnRef } from './catalogue.ts';
import { mergeColumns } from './column-data.ts';
import { ColumnArena, type ColumnSpace } from './column-space.ts';
import { DataFile } from './file/data-file.ts';
import { DataFileWriter } from './file/data-file-writer.ts';
import type { SeriesRef } from './series-names.ts';

/**
 * Memory for pages of one file that is being rewritten. Files are read in the order in which they were written, so a page is
 * inflated once and then left; as much as a few pages is for columns that have come to stand in another order.
 */
const REWRITE_PAGE_BYTES = 256 * 1024;
const DATA_FILE = /^(\d{8})\.data$/;
/** What an interrupted write leaves. */
const UNFINISHED = /\.tmp(-|$)/;

/** Gives what some files hold of a column. */
export type ColumnReader = (column: ColumnRef, space: ColumnSpace) => ColumnData | null;

/** Names the data files of which {@link GroupFiles.markSettled} was told. */
const SETTLED = 'settled';

/** Whether the files of a group that is not open are those that it had when it was settled last. */
export function isSettledDirectory(env: Env, directory: string): boolean {
  const path = `${directory}/${SETTLED}`;
  if (!env.files.exists(path)) return false;
  const ids = env.files
    .list(directory)
    .map((name) => DATA_FILE.exec(name)?.[1])
    .filter((id) => id !== undefined);
  return new TextDecoder().decode(env.files.readFile(path)) === settledText(ids.map(Number));
}

/** Before a group is written to again. */
export function removeSettledMark(env: Env, directory: string): void {
  const path = `${directory}/${SETTLED}`;
  if (env.files.exists(path)) env.files.remove(path);
}

function settledText(files: readonly number[]): string {
  return `${[...files].sort((a, b) => a - b).join(' ')}\n`;
}

export type FilesPlace = {
  readonly env: Env;
  readonly cache: ByteCache;
  readonly directory: string;
  readonly catalogue: Catalogue;
  /** Beginning of the shard group. */
  readonly baseMs: number;
};

/** What the files of a group say of it when they are opened. */
export type OpenedFiles = {
  /** Log segments up to this number are contained. */
  readonly walThrough: number;
  /** Newest whole millisecond per replica. */
  readonly newestMs: ReadonlyMap<string, number>;
  /** True when some file was left out, so that columns may be known that no other holds. */
  readonly hasOutdated: boolean;
};

/** The data files of a shard group, in the order of their writing. Whoever writes or replaces them does so one at a time. */
export class GroupFiles {
  readonly #place: FilesPlace;
  /** Files that must not be read again but may still be there: each file that is written takes their place, too. */
  readonly #discarded = new Set<number>();
  #files: DataFile[] = [];
  #nextFile = 1;

  constructor(place: FilesPlace) {
    this.#place = place;
  }

  get list(): readonly DataFile[] {
    return this.#files;
  }

  get bytes(): number {
    let bytes = 0;
    for (const file of this.#files) bytes += file.sizeBytes;
    return bytes;
  }

  has(column: ColumnRef): boolean {
    return this.#files.some((file) => file.has(column));
  }

  /** Opens what is there; yields between pieces. Throws ShardCorruptionError for a damaged file. */
  *open(): Generator<void, OpenedFiles, void> {
    const { env, directory } = this.#place;
    const replaced = new Set<number>();
    const newestOf = new Map<number, ReadonlyMap<string, number>>();
    for (const name of env.files.list(directory)) {
      if (UNFINISHED.test(name)) env.files.remove(`${directory}/${name}`);
      const match = DATA_FILE.exec(name);
      if (match === null) continue;
      const path = `${directory}/${name}`;
      const { file, index } = yield* DataFile.open(env, path, Number(match[1]), this.#place);
      this.#files.push(file);
      newestOf.set(file.id, index.newestMs);
      for (const id of file.replaces) replaced.add(id);
      this.#nextFile = Math.max(this.#nextFile, file.id + 1);
    }
    let walThrough = 0;
    for (const file of this.#files) walThrough = Math.max(walThrough, file.walThrough);
    const outdated = this.#files.filter(({ id }) => replaced.has(id));
    this.#retire(outdated);
    this.#removeDiscardedNow();
    const newestMs = new Map<string, number>();
    for (const { id } of this.#files) {
      for (const [replica, ms] of newestOf.get(id) ?? []) {
        newestMs.set(replica, Math.max(ms, newestMs.get(replica) ?? ms));
      }
    }
    return { walThrough, newestMs, hasOutdated: outdated.length > 0 };
  }

  /** Writes what `read` gives of each column with data to a file, which {@link add} shows to readers. */
  async write(
    read: (column: ColumnRef, space: ColumnSpace) => ColumnData | null,
    meta: { readonly walThrough: number; readonly replaces: readonly number[] },
  ): Promise<DataFile> {
    const { env, cache, catalogue, baseMs } = this.#place;
    const id = this.#nextFile++;
    const path = this.#pathOf(id);
    const writer = new DataFileWriter(env, path, { catalogue, baseMs });
    const space = new ColumnArena();
    const slices = new Slices(env.clock);
    try {
      // Series of one measurement stand together in the file, as they are read together.
      for (const measurement of catalogue.measurements()) {
        for (const series of catalogue.select(measurement)) {
          if (slices.isOver) await slices.pause();
          for (const column of catalogue.columnsOf(series)) {
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

  add(file: DataFile): void {
    this.#files.push(file);
  }

  /** Reads the files for a pass over all columns in their order. */
  reader(inputs: readonly DataFile[]): ColumnReader {
    const { catalogue } = this.#place;
    const everything = { minMs: -Infinity, minNanos: 0, maxMs: Infinity, maxNanos: 999_999 };
    // Not the readers' cache, which would fill with pages of files that are about to go.
    const cache = new ByteCache(inputs.length * REWRITE_PAGE_BYTES);
    const sources = inputs.map((input) => ({ input, pages: { cache, file: cache.addFile() } }));
    return (column, space) => {
      const parts: ColumnData[] = [];
      for (const { input, pages } of sources) {
        const part = input.read(column, catalogue, everything, { space, pages });
        if (part !== null) parts.push(part);
      }
      return parts.length === 0 ? null : mergeColumns(catalogue.kindOf(column), parts, space);
    };
  }

  /** Puts one file in the place of the given ones, with what `change` makes of their columns. */
  async rewrite(
    inputs: readonly DataFile[],
    change: (column: ColumnRef, data: ColumnData, space: ColumnSpace) => ColumnData,
    read = this.reader(inputs),
  ): Promise<void> {
    const file = await this.write(
      (column, space) => {
        const data = read(column, space);
        return data === null ? null : change(column, data, space);
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

  /** Index of the oldest file that holds a column of the series, or −1. */
  async oldestWith(targets: ReadonlySet<SeriesRef>, slices: Slices): Promise<number> {
    for (const [at, { index }] of this.#files.entries()) {
      for (let i = 0; i < index.columnCount; i++) {
        if (targets.has(this.#place.catalogue.seriesOf(index.columnAt(i)))) return at;
        if (slices.isOver) await slices.pause();
      }
    }
    return -1;
  }

  /** Notes on disk that there is nothing to give up in the files as they are now. */
  markSettled(): void {
    const { env, directory } = this.#place;
    env.files.replaceFile(`${directory}/${SETTLED}`, settledText(this.#files.map(({ id }) => id)));
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

  /** The files as they are now; each is to be released. */
  hold(): DataFile[] {
    for (const file of this.#files) file.acquire();
    return [...this.#files];
  }

  close(): void {
    for (const file of this.#files) file.release();
    this.#files = [];
  }
}
