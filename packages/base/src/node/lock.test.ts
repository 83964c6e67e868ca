import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryLockedError, DirectoryUnusableError, lockDirectory } from './lock.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'pollux-lock-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe('a data directory', () => {
  it('is made, held by one process, named to the second, and free again after', () => {
    const directory = path.join(scratch, 'a', 'b');
    const release = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(DirectoryLockedError);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.pid}`);
    release();
    lockDirectory(directory)();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('held by a process that is gone is taken over, also when its number lives on in another', () => {
    writeFileSync(path.join(scratch, 'lock'), '4194305 1\n');
    lockDirectory(scratch)();
    writeFileSync(path.join(scratch, 'lock'), `${process.pid} 1\n`);
    lockDirectory(scratch)();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('that cannot be made is named with the reason and the remedy', () => {
    const file = path.join(scratch, 'file');
    writeFileSync(file, '');
    const directory = path.join(file, 'data');
    expect(() => lockDirectory(directory)).toThrow(DirectoryUnusableError);
    expect(() => lockDirectory(directory)).toThrow(
      `data directory ${directory} cannot be made or written; check path`,
    );
  });
});
