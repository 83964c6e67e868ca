import type { Clock, File, FileStat, Files } from '@pollux/base';
import { SimDiskError } from './disk-error.ts';
import type { DiskFaultKind, DiskOperation } from './disk-faults.ts';
import type { DiskOperations } from './disk-operations.ts';
import { SimFile } from './sim-file.ts';
import { DirectoryNode, FileNode, type Node } from './sim-inode.ts';
import type { SimNames } from './sim-names.ts';

const TOTAL_BYTES = 64 * 1024 ** 3;
const TEMPORARY = '.tmp-sim';

/** A simulated disk as a program sees it from one power cut to the next. */
export class SimFiles implements Files {
  readonly #operations: DiskOperations;
  readonly #names: SimNames;
  readonly #clock: Clock;
  readonly #open = new Set<SimFile>();
  readonly #watchers = new Set<{ readonly path: string; readonly onChange: () => void }>();

  #isUnmounted = false;

  constructor(operations: DiskOperations, names: SimNames, clock: Clock) {
    this.#operations = operations;
    this.#names = names;
    this.#clock = clock;
  }

  /** Paths of the files that are open now, sorted. */
  get openPaths(): string[] {
    return [...this.#open].map(({ path }) => path).sort();
  }

  /** Nothing that was opened here reaches the disk any more. */
  unmount(): void {
    this.#isUnmounted = true;
    for (const file of this.#open) file.unmount();
    this.#open.clear();
    this.#watchers.clear();
  }

  open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const { key, directory, name } = this.#place(path);
    const known = directory.entries.get(name);
    const isCreated = known === undefined && mode !== 'r' && mode !== 'r+';
    this.#begin(isCreated ? 'create' : 'open', key);
    if (known?.kind === 'directory') throw new SimDiskError('EISDIR', path);
    if (known !== undefined && mode === 'wx') throw new SimDiskError('EEXIST', path);
    if (known === undefined && !isCreated) throw new SimDiskError('ENOENT', path);
    const node = known ?? new FileNode(this.#clock.now());
    if (isCreated) this.#names.change([{ directory, name, node }]);
    if (mode === 'w') node.truncate(0);
    return this.#handle(key, node, mode);
  }

  readFile(path: string): Uint8Array {
    const file = this.open(path, 'r');
    try {
      const bytes = new Uint8Array(file.size());
      const count = file.read(bytes, 0, bytes.length, 0);
      // Node's own function reads on until the end, so a short read is an error of the device.
      if (count < bytes.length) throw new SimDiskError('EIO', path);
      return bytes;
    } finally {
      file.close();
    }
  }

  replaceFile(path: string, data: Uint8Array | string): void {
    const temporary = `${path}${TEMPORARY}`;
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    try {
      const file = this.open(temporary, 'w');
      try {
        file.write(bytes, 0, bytes.length, 0);
        file.sync();
      } finally {
        file.close();
      }
      this.rename(temporary, path);
    } catch (error) {
      try {
        this.remove(temporary);
      } catch {
        // The first error is the one to tell.
      }
      throw error;
    }
    this.syncDirectory(parentOf(normalize(path)));
  }

  exists(path: string): boolean {
    return this.#find(normalize(path)) !== undefined;
  }

  stat(path: string): FileStat {
    const node = this.#find(normalize(path));
    if (node === undefined) throw new SimDiskError('ENOENT', path);
    if (node.kind === 'directory') return { size: 0, isDirectory: true, modifiedMs: 0 };
    return { size: node.size, isDirectory: false, modifiedMs: node.modifiedMs };
  }

  list(path: string): string[] {
    const key = normalize(path);
    const directory = this.#directory(key);
    this.#begin('list', key);
    return sorted(directory.entries.keys());
  }

  /** One operation, durable when it returns, as the port promises. */
  makeDirectory(path: string): void {
    const key = normalize(path);
    const known = this.#find(key);
    if (known?.kind === 'directory') return;
    if (known !== undefined) throw new SimDiskError('EEXIST', path);
    this.makeDirectory(parentOf(key));
    this.#begin('makeDirectory', key);
    const { directory, name } = this.#place(key);
    this.#names.change([{ directory, name, node: new DirectoryNode() }]);
    this.#names.settleLast();
  }

  rename(from: string, to: string): void {
    const source = this.#place(from);
    const target = this.#place(to);
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw new SimDiskError('ENOENT', from);
    const replaced = target.directory.entries.get(target.name);
    if (replaced?.kind === 'directory' && replaced.entries.size > 0 && replaced !== node)
      throw new SimDiskError('ENOTEMPTY', to);
    if (replaced !== undefined && replaced.kind !== node.kind)
      throw new SimDiskError(replaced.kind === 'directory' ? 'EISDIR' : 'ENOTDIR', to);
    this.#begin('rename', `${source.key} to ${target.key}`);
    this.#names.change([
      { directory: source.directory, name: source.name, node: null },
      { directory: target.directory, name: target.name, node },
    ]);
    this.#notify(target.key);
  }

  link(existing: string, created: string): void {
    const node = this.#find(normalize(existing));
    if (node === undefined) throw new SimDiskError('ENOENT', existing);
    if (node.kind === 'directory') throw new SimDiskError('EISDIR', existing);
    const { key, directory, name } = this.#place(created);
    if (directory.entries.has(name)) throw new SimDiskError('EEXIST', created);
    this.#begin('link', key);
    this.#names.change([{ directory, name, node }]);
  }

  remove(path: string): void {
    const place = this.#placeOrNull(path);
    const node = place?.directory.entries.get(place.name);
    if (place === null || node === undefined) return;
    if (node.kind === 'directory') throw new SimDiskError('EISDIR', path);
    this.#unlink(place);
  }

  async unlink(path: string): Promise<void> {
    this.remove(path);
  }

  /** One operation for each name, from the leaves up. */
  removeTree(path: string): void {
    const place = this.#placeOrNull(path);
    const node = place?.directory.entries.get(place.name);
    if (place === null || node === undefined) return;
    if (node.kind === 'directory') {
      for (const name of sorted(node.entries.keys())) this.removeTree(`${place.key}/${name}`);
    }
    this.#unlink(place);
  }

  syncDirectory(path: string): void {
    const key = normalize(path);
    const directory = this.#directory(key);
    this.#begin('syncDirectory', key);
    this.#names.sync(directory);
  }

  async datasyncDirectory(path: string): Promise<void> {
    this.syncDirectory(path);
  }

  space(): { freeBytes: number; totalBytes: number } {
    const used = usedBytes(this.#names.root);
    return { freeBytes: TOTAL_BYTES - used, totalBytes: TOTAL_BYTES };
  }

  watch(path: string, onChange: () => void): () => void {
    const watcher = { path: normalize(path), onChange };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #begin(operation: DiskOperation, path: string): DiskFaultKind | null {
    if (this.#isUnmounted) throw new SimDiskError('EIO', `${path} (the power was cut)`);
    return this.#operations.begin(operation, path);
  }

  async #whileSyncing(): Promise<void> {
    const { syncMs } = this.#operations;
    if (syncMs === 0) return;
    await new Promise<void>((resolve) => {
      this.#clock.after(syncMs, resolve);
    });
  }

  #handle(path: string, node: FileNode, mode: string): SimFile {
    const file: SimFile = new SimFile({
      operations: this.#operations,
      path,
      node,
      isReadOnly: mode === 'r',
      appends: mode === 'a',
      onChange: () => {
        node.modifiedMs = this.#clock.now();
        this.#notify(path);
      },
      onClose: () => this.#open.delete(file),
      whileSyncing: () => this.#whileSyncing(),
    });
    this.#open.add(file);
    return file;
  }

  #unlink({ key, directory, name }: Place): void {
    this.#begin('remove', key);
    this.#names.change([{ directory, name, node: null }]);
    this.#notify(key);
  }

  #find(key: string): Node | undefined {
    let node: Node | undefined = this.#names.root;
    for (const name of key.split('/')) {
      if (name === '') continue;
      if (node?.kind !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #directory(key: string): DirectoryNode {
    const node = this.#find(key);
    if (node === undefined) throw new SimDiskError('ENOENT', key);
    if (node.kind !== 'directory') throw new SimDiskError('ENOTDIR', key);
    return node;
  }

  #place(path: string): Place {
    const place = this.#placeOrNull(path);
    if (place === null) throw new SimDiskError('ENOENT', path);
    return place;
  }

  /** Null when there is no such directory. */
  #placeOrNull(path: string): Place | null {
    const key = normalize(path);
    const directory = this.#find(parentOf(key));
    if (directory?.kind !== 'directory') return null;
    return { key, directory, name: key.slice(key.lastIndexOf('/') + 1) };
  }

  #notify(key: string): void {
    for (const { path, onChange } of this.#watchers) {
      if (key === path || key.startsWith(`${path}/`)) this.#clock.after(0, onChange);
    }
  }
}

type Place = { readonly key: string; readonly directory: DirectoryNode; readonly name: string };

function usedBytes(directory: DirectoryNode): number {
  let bytes = 0;
  for (const node of directory.entries.values()) {
    bytes += node.kind === 'directory' ? usedBytes(node) : node.size;
  }
  return bytes;
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
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
