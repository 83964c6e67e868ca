/**
 * The disk as the program sees it. Calls are synchronous where the caller must order them (logs, renames) and
 * asynchronous where they may take long (`datasync`). Paths are absolute or relative to the working directory. Errors are
 * Node's system errors (`code`: ENOENT, ENOSPC …). Bytes survive a power loss when their file was synced, names when their
 * directory was; the simulator's implementation holds programs to that.
 */
export interface Files {
  /** `r` read, `r+` read and write an existing file, `w` truncate or create, `wx` create or EEXIST, `a` append or create. */
  open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File;
  readFile(path: string): Uint8Array;
  /** Writes, syncs and renames into place, so that a reader sees the old or the new bytes, also after a power loss. */
  replaceFile(path: string, data: Uint8Array | string): void;
  exists(path: string): boolean;
  stat(path: string): FileStat;
  /** Names in the directory, sorted bytewise. */
  list(path: string): string[];
  /** Makes a directory and those above it; they survive a power loss when this returns. Present is fine. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  link(existing: string, created: string): void;
  /** Removes a file; missing is fine. */
  remove(path: string): void;
  /** As {@link remove}, without holding the thread: to give back a large file takes the system a while. */
  unlink(path: string): Promise<void>;
  /** Removes a directory and all below it; missing is fine. */
  removeTree(path: string): void;
  /** Makes renames, links and removals inside the directory durable. */
  syncDirectory(path: string): void;
  /** As {@link syncDirectory}, without holding the thread: a file system may first write much else. */
  datasyncDirectory(path: string): Promise<void>;
  /** What is free on the volume of `path`. */
  space(path: string): FileSpace;
  /** Calls back after a change of an entry of the directory `path`; best effort. The returned function ends it. */
  watch(path: string, onChange: () => void): () => void;
}

export type FileSpace = {
  /** Free for this user. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Free with what is kept back for root; absent where the system does not tell. */
  readonly freeBytesForRoot?: number;
  readonly inodeCount?: number;
  readonly freeInodeCount?: number;
};

export type FileStat = {
  readonly size: number;
  readonly isDirectory: boolean;
  readonly modifiedMs: number;
};

export interface File {
  /** Reads at `position` into `target[offset, offset+length)`; returns the bytes read, fewer only at the end. */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes all of `source[offset, offset+length)` at `position` (null: at the file's own position or end). */
  write(source: Uint8Array, offset: number, length: number, position: number | null): void;
  size(): number;
  truncate(size: number): void;
  /** Data and size are on the disk when this returns. */
  sync(): void;
  /** As {@link sync}, without holding the thread. */
  datasync(): Promise<void>;
  close(): void;
}
