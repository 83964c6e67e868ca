import * as fs from 'node:fs';
import * as path from 'node:path';
import { assert } from '../assert.ts';
import type { File, FileSpace, FileStat, Files } from '../files.ts';

/** The machine's disk. */
export class NodeFiles implements Files {
  open(filePath: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    // `w` also reads, so that a writer can verify what it wrote.
    const flags = { r: 'r', 'r+': 'r+', w: 'w+', wx: 'wx+', a: 'a+' }[mode];
    return new NodeFile(fs.openSync(filePath, flags, 0o644));
  }

  readFile(filePath: string): Uint8Array {
    return fs.readFileSync(filePath);
  }

  replaceFile(filePath: string, data: Uint8Array | string): void {
    const temporary = `${filePath}.tmp-${process.pid}`;
    try {
      const fd = fs.openSync(temporary, 'w', 0o644);
      try {
        fs.writeFileSync(fd, data);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, filePath);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    this.syncDirectory(path.dirname(filePath));
  }

  exists(filePath: string): boolean {
    return fs.existsSync(filePath);
  }

  stat(filePath: string): FileStat {
    const stat = fs.statSync(filePath);
    return { size: stat.size, isDirectory: stat.isDirectory(), modifiedMs: stat.mtimeMs };
  }

  list(directory: string): string[] {
    return fs.readdirSync(directory).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  makeDirectory(directory: string): void {
    const first = fs.mkdirSync(directory, { recursive: true });
    if (first === undefined) return;
    const top = path.dirname(path.resolve(first));
    let parent = path.resolve(directory);
    while (parent !== top) {
      parent = path.dirname(parent);
      this.syncDirectory(parent);
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  link(existing: string, created: string): void {
    fs.linkSync(existing, created);
  }

  remove(filePath: string): void {
    fs.rmSync(filePath, { force: true });
  }

  async unlink(filePath: string): Promise<void> {
    await fs.promises.rm(filePath, { force: true });
  }

  removeTree(directory: string): void {
    fs.rmSync(directory, { recursive: true, force: true });
  }

  syncDirectory(directory: string): void {
    const fd = fs.openSync(directory, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  async datasyncDirectory(directory: string): Promise<void> {
    const handle = await fs.promises.open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  space(directory: string): FileSpace {
    const stat = fs.statfsSync(directory);
    return {
      freeBytes: stat.bavail * stat.bsize,
      totalBytes: stat.blocks * stat.bsize,
      freeBytesForRoot: stat.bfree * stat.bsize,
      inodeCount: stat.files,
      freeInodeCount: stat.ffree,
    };
  }

  watch(directory: string, onChange: () => void): () => void {
    const watcher = fs.watch(directory, { persistent: false }, onChange);
    // A watched directory that vanishes ends the watch; callers poll as well.
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  }
}

class NodeFile implements File {
  readonly #descriptor: number;
  #closed = false;
  #syncing = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** The number of a closed descriptor soon names another file, which a late write would destroy. */
  get #fd(): number {
    assert(!this.#closed, 'use of a closed file');
    return this.#descriptor;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const count = fs.readSync(this.#fd, target, offset + done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(source: Uint8Array, offset: number, length: number, position: number | null): void {
    let done = 0;
    while (done < length) {
      const at = position === null ? null : position + done;
      done += fs.writeSync(this.#fd, source, offset + done, length - done, at);
    }
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#fd, size);
  }

  sync(): void {
    fs.fsyncSync(this.#fd);
  }

  datasync(): Promise<void> {
    const descriptor = this.#fd;
    this.#syncing++;
    return new Promise((resolve, reject) => {
      fs.fdatasync(descriptor, (error) => {
        if (--this.#syncing === 0 && this.#closed) fs.closeSync(descriptor);
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A sync under way still needs the descriptor; its end closes it.
    if (this.#syncing === 0) fs.closeSync(this.#descriptor);
  }
}
