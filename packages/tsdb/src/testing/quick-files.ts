import * as fs from 'node:fs';
import type { File, Files } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';

/**
 * The machine's disk without waiting for it: what a test kills is the process, which loses nothing that was written, and
 * syncing takes most of the time of tests that write many blocks.
 */
export class QuickFiles extends NodeFiles {
  override open(path: string, mode: Parameters<Files['open']>[1]): File {
    const file = super.open(path, mode);
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) => file.write(source, offset, length, position),
      size: () => file.size(),
      truncate: (size) => file.truncate(size),
      sync: () => {},
      datasync: () => new Promise((resolve) => setImmediate(resolve)),
      close: () => file.close(),
    };
  }

  override replaceFile(path: string, data: Uint8Array | string): void {
    fs.writeFileSync(`${path}.tmp-test`, data);
    fs.renameSync(`${path}.tmp-test`, path);
  }

  override syncDirectory(): void {}
}
