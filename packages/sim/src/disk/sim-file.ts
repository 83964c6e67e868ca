import { assert, type File } from '@pollux/base';
import { SimDiskError } from './disk-error.ts';
import type { DiskOperations } from './disk-operations.ts';
import type { FileNode } from './sim-inode.ts';

export type SimFileOptions = {
  readonly operations: DiskOperations;
  readonly path: string;
  readonly node: FileNode;
  readonly isReadOnly: boolean;
  readonly appends: boolean;
  readonly onChange: () => void;
  readonly onClose: () => void;
  /** Lets pass what a sync takes. */
  readonly whileSyncing: () => Promise<void>;
};

/** An open file of a simulated disk. */
export class SimFile implements File {
  readonly path: string;
  readonly #options: SimFileOptions;
  #position = 0;
  #isClosed = false;
  #isUnmounted = false;

  constructor(options: SimFileOptions) {
    this.path = options.path;
    this.#options = options;
  }

  unmount(): void {
    this.#isUnmounted = true;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#check();
    const { operations, path, node } = this.#options;
    const count = Math.max(0, Math.min(length, node.size - position));
    const fault = operations.begin('read', path);
    const done =
      fault === null || count === 0 ? count : Math.min(operations.part(count), count - 1);
    target.set(node.bytes().subarray(position, position + done), offset);
    return done;
  }

  write(source: Uint8Array, offset: number, length: number, position: number | null): void {
    this.#check();
    const { operations, path, node, appends, isReadOnly, onChange } = this.#options;
    if (isReadOnly) throw new SimDiskError('EBADF', `${path} is open for reading`);
    const at = appends ? node.size : (position ?? this.#position);
    const fault = operations.begin('write', path);
    const done = fault === null ? length : operations.part(length);
    node.write(source.subarray(offset, offset + done), at);
    if (position === null) this.#position = at + done;
    onChange();
    if (fault !== null) throw new SimDiskError(fault, path);
  }

  size(): number {
    this.#check();
    return this.#options.node.size;
  }

  truncate(size: number): void {
    this.#check();
    const { operations, path, node, onChange } = this.#options;
    operations.begin('truncate', path);
    node.truncate(size);
    onChange();
  }

  sync(): void {
    this.#check();
    const { operations, path, node } = this.#options;
    const fault = operations.begin('sync', path);
    const sync = node.beginSync();
    if (fault === null) {
      sync.finish();
      return;
    }
    sync.fail();
    throw new SimDiskError(fault, path);
  }

  /** Takes a turn, or as long as the disk is slow, in which others go on and the power may be cut. */
  async datasync(): Promise<void> {
    this.#check();
    const { operations, path, node, whileSyncing } = this.#options;
    const fault = operations.begin('sync', path);
    const sync = node.beginSync();
    await whileSyncing();
    if (this.#isUnmounted) throw new SimDiskError('EIO', `${path} (the power was cut)`);
    if (fault === null) {
      sync.finish();
      return;
    }
    sync.fail();
    throw new SimDiskError(fault, path);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClose();
  }

  #check(): void {
    assert(!this.#isClosed, 'use of a closed file');
    if (this.#isUnmounted) throw new SimDiskError('EIO', `${this.path} (the power was cut)`);
  }
}
