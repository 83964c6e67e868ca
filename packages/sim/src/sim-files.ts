import type { Clock, File, FileStat, Files } from '@pollux/base';

const TOTAL_BYTES = 64 * 1024 ** 3;

/** What a name stands for. `synced` is what a crash leaves of the content. */
type Inode = { data: Uint8Array; size: number; synced: Uint8Array; modifiedMs: number };
type Entry = Inode | 'directory';

class SimFileError extends Error {
  readonly code: string;

  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/**
 * A disk in memory that keeps its promises and no more: after {@link crash} a file holds what was last synced, and a
 * directory the names it had when it was last synced.
 */
export class SimFiles implements Files {
  readonly #clock: Clock;
  #entries = new Map<string, Entry>([['/', 'directory']]);
  readonly #durable = new Map<string, Entry>([['/', 'directory']]);
  readonly #watchers = new Set<{ readonly path: string; readonly onChange: () => void }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The power goes. Open files of before must not be used any more. */
  crash(): void {
    this.#entries = new Map(this.#durable);
    for (const entry of this.#entries.values()) {
      if (entry === 'directory') continue;
      entry.data = entry.synced.slice();
      entry.size = entry.synced.length;
    }
    this.#watchers.clear();
  }

  open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const key = normalize(path);
    const known = this.#entries.get(key);
    if (known === 'directory') throw new SimFileError('EISDIR', path);
    if (known !== undefined && mode === 'wx') throw new SimFileError('EEXIST', path);
    if (known === undefined && (mode === 'r' || mode === 'r+'))
      throw new SimFileError('ENOENT', path);
    const inode = known ?? this.#create(key);
    if (mode === 'w') inode.size = 0;
    return new SimFile(inode, mode === 'a', mode === 'r', () => this.#touch(key, inode));
  }

  readFile(path: string): Uint8Array {
    const inode = this.#inode(path);
    return inode.data.slice(0, inode.size);
  }

  replaceFile(path: string, data: Uint8Array | string): void {
    const key = normalize(path);
    this.#needParent(key);
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data.slice();
    const inode = {
      data: bytes,
      size: bytes.length,
      synced: bytes.slice(),
      modifiedMs: this.#clock.now(),
    };
    this.#entries.set(key, inode);
    this.syncDirectory(parentOf(key));
    this.#notify(key);
  }

  exists(path: string): boolean {
    return this.#entries.has(normalize(path));
  }

  stat(path: string): FileStat {
    const entry = this.#entries.get(normalize(path));
    if (entry === undefined) throw new SimFileError('ENOENT', path);
    if (entry === 'directory') return { size: 0, isDirectory: true, modifiedMs: 0 };
    return { size: entry.size, isDirectory: false, modifiedMs: entry.modifiedMs };
  }

  list(path: string): string[] {
    const key = normalize(path);
    if (this.#entries.get(key) !== 'directory') throw new SimFileError('ENOENT', path);
    const names: string[] = [];
    for (const other of this.#entries.keys()) {
      if (other !== '/' && parentOf(other) === key)
        names.push(other.slice(other.lastIndexOf('/') + 1));
    }
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  makeDirectory(path: string): void {
    const key = normalize(path);
    const known = this.#entries.get(key);
    if (known === 'directory') return;
    if (known !== undefined) throw new SimFileError('EEXIST', path);
    this.makeDirectory(parentOf(key));
    this.#entries.set(key, 'directory');
    // Directories are made durable at once: no caller's promise rests on one being lost.
    this.#durable.set(key, 'directory');
  }

  rename(from: string, to: string): void {
    const [source, target] = [normalize(from), normalize(to)];
    const entry = this.#entries.get(source);
    if (entry === undefined) throw new SimFileError('ENOENT', from);
    this.#needParent(target);
    for (const [key, value] of [...this.#entries]) {
      if (key !== source && !key.startsWith(`${source}/`)) continue;
      this.#entries.delete(key);
      this.#entries.set(target + key.slice(source.length), value);
    }
    if (entry === 'directory') this.#moveDurable(source, target);
    this.#notify(target);
  }

  link(existing: string, created: string): void {
    const target = normalize(created);
    if (this.#entries.has(target)) throw new SimFileError('EEXIST', created);
    this.#needParent(target);
    this.#entries.set(target, this.#inode(existing));
  }

  remove(path: string): void {
    const key = normalize(path);
    if (this.#entries.get(key) === 'directory') throw new SimFileError('EISDIR', path);
    this.#entries.delete(key);
    this.#notify(key);
  }

  removeTree(path: string): void {
    const key = normalize(path);
    for (const table of [this.#entries, this.#durable]) {
      for (const other of [...table.keys()]) {
        if (other === key || other.startsWith(`${key}/`)) table.delete(other);
      }
    }
    this.#notify(key);
  }

  syncDirectory(path: string): void {
    const key = normalize(path);
    if (this.#entries.get(key) !== 'directory') throw new SimFileError('ENOENT', path);
    for (const other of [...this.#durable.keys()]) {
      if (other !== '/' && parentOf(other) === key && !this.#entries.has(other))
        this.#durable.delete(other);
    }
    for (const [other, entry] of this.#entries) {
      if (other !== '/' && parentOf(other) === key) this.#durable.set(other, entry);
    }
  }

  space(): { freeBytes: number; totalBytes: number } {
    let used = 0;
    for (const entry of this.#entries.values()) if (entry !== 'directory') used += entry.size;
    return { freeBytes: TOTAL_BYTES - used, totalBytes: TOTAL_BYTES };
  }

  watch(path: string, onChange: () => void): () => void {
    const watcher = { path: normalize(path), onChange };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #create(key: string): Inode {
    this.#needParent(key);
    const inode: Inode = {
      data: new Uint8Array(0),
      size: 0,
      synced: new Uint8Array(0),
      modifiedMs: this.#clock.now(),
    };
    this.#entries.set(key, inode);
    return inode;
  }

  #inode(path: string): Inode {
    const entry = this.#entries.get(normalize(path));
    if (entry === undefined) throw new SimFileError('ENOENT', path);
    if (entry === 'directory') throw new SimFileError('EISDIR', path);
    return entry;
  }

  #needParent(key: string): void {
    if (this.#entries.get(parentOf(key)) !== 'directory') throw new SimFileError('ENOENT', key);
  }

  /** A renamed directory keeps what was durable inside it. */
  #moveDurable(source: string, target: string): void {
    for (const [key, value] of [...this.#durable]) {
      if (key !== source && !key.startsWith(`${source}/`)) continue;
      this.#durable.delete(key);
      this.#durable.set(target + key.slice(source.length), value);
    }
  }

  #touch(key: string, inode: Inode): void {
    inode.modifiedMs = this.#clock.now();
    this.#notify(key);
  }

  #notify(key: string): void {
    for (const { path, onChange } of this.#watchers) {
      if (key === path || key.startsWith(`${path}/`)) this.#clock.after(0, onChange);
    }
  }
}

class SimFile implements File {
  readonly #inode: Inode;
  readonly #appends: boolean;
  readonly #isReadOnly: boolean;
  readonly #onWrite: () => void;
  #position = 0;

  constructor(inode: Inode, appends: boolean, isReadOnly: boolean, onWrite: () => void) {
    this.#inode = inode;
    this.#appends = appends;
    this.#isReadOnly = isReadOnly;
    this.#onWrite = onWrite;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#inode.size - position));
    target.set(this.#inode.data.subarray(position, position + count), offset);
    return count;
  }

  write(source: Uint8Array, offset: number, length: number, position: number | null): void {
    if (this.#isReadOnly) throw new SimFileError('EBADF', 'write to a file opened for reading');
    const inode = this.#inode;
    const at = this.#appends ? inode.size : (position ?? this.#position);
    if (at + length > inode.data.length) {
      const grown = new Uint8Array(Math.max(at + length, 2 * inode.data.length));
      grown.set(inode.data.subarray(0, inode.size));
      inode.data = grown;
    }
    if (at > inode.size) inode.data.fill(0, inode.size, at);
    inode.data.set(source.subarray(offset, offset + length), at);
    inode.size = Math.max(inode.size, at + length);
    if (position === null) this.#position = at + length;
    this.#onWrite();
  }

  size(): number {
    return this.#inode.size;
  }

  truncate(size: number): void {
    const inode = this.#inode;
    if (size > inode.size)
      this.write(new Uint8Array(size - inode.size), 0, size - inode.size, inode.size);
    inode.size = size;
  }

  sync(): void {
    this.#inode.synced = this.#inode.data.slice(0, this.#inode.size);
  }

  async datasync(): Promise<void> {
    this.sync();
  }

  close(): void {
    // Nothing is held open.
  }
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function parentOf(key: string): string {
  const at = key.lastIndexOf('/');
  return at <= 0 ? '/' : key.slice(0, at);
}
