import type { File } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { FileCache } from './file-cache.ts';

const PAGE_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

/** Of which each byte is the number of its page. */
function fileOf(pages: number): File {
  return {
    size: () => pages * PAGE_BYTES,
    read: (target: Uint8Array, at: number, length: number, position: number) => {
      target.fill(position / PAGE_BYTES, at, at + length);
      return length;
    },
    close: () => {},
  } as unknown as File;
}

describe('pages of files', () => {
  it('that go leave their memory to the next that are read, with nothing marked as whole', () => {
    const file = new FileCache(4 * PAGE_BYTES).add(fileOf(100));
    const buffers = new Set<ArrayBufferLike>();
    for (let page = 0; page < 100; page++) {
      const bytes = file.pageOf(page * PAGE_BYTES);
      buffers.add(bytes.buffer);
      expect(bytes.every((byte) => byte === page)).toBe(true);
      expect(file.isWhole(page * PAGE_BYTES + 8)).toBe(false);
      file.markWhole(page * PAGE_BYTES + 8);
      expect(file.isWhole(page * PAGE_BYTES + 8)).toBe(true);
    }
    // Those that are kept, and the one that is read meanwhile.
    expect(buffers.size).toBeLessThanOrEqual(5);
  });

  it('take a quarter of the bytes of the blocks, within bounds', () => {
    const cache = new FileCache(64 * MIB);
    const file = cache.add(fileOf(3_000));
    const readAll = (): number => {
      for (let page = 0; page < 3_000; page++) file.pageOf(page * PAGE_BYTES);
      return cache.bytes / MIB;
    };
    cache.fitTo(10 * MIB);
    expect(readAll()).toBe(16);
    cache.fitTo(100 * MIB);
    expect(readAll()).toBe(25);
    cache.fitTo(1_000 * MIB);
    expect(readAll()).toBe(64);
    cache.fitTo(0);
    expect(readAll()).toBe(16);
  });
});
