import { VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { SimDisk } from './sim-disk.ts';
import type { SimFiles } from './sim-files.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const PAGE = 4096;

function newDisk(seed = 1): SimDisk {
  const disk = new SimDisk(new VirtualClock(), seed);
  disk.files.makeDirectory('/d');
  return disk;
}

function write(files: SimFiles, path: string, content: Uint8Array | string, isSynced = true): void {
  const bytes = typeof content === 'string' ? utf8(content) : content;
  const file = files.open(path, 'w');
  file.write(bytes, 0, bytes.length, 0);
  if (isSynced) file.sync();
  file.close();
}

describe('after a power cut', () => {
  it('a file without a synced name is gone, however well it was synced itself', () => {
    const disk = newDisk();
    write(disk.files, '/d/a', 'x');
    expect(disk.restart().list('/d')).toEqual([]);
  });

  it('an unsynced rename is taken back as a whole, with what the target was', () => {
    const disk = newDisk();
    write(disk.files, '/d/new', 'new');
    write(disk.files, '/d/old', 'old');
    disk.files.syncDirectory('/d');
    disk.files.rename('/d/new', '/d/old');
    expect(disk.files.list('/d')).toEqual(['old']);
    const files = disk.restart();
    expect(files.list('/d')).toEqual(['new', 'old']);
    expect(text(files.readFile('/d/old'))).toBe('old');
  });

  it('a sync that was under way has brought nothing yet; a process that is killed over it loses nothing', async () => {
    for (const [survives, left] of [
      ['none', 'old'],
      ['all', 'newer'],
    ] as const) {
      const clock = new VirtualClock();
      const disk = new SimDisk(clock);
      disk.files.makeDirectory('/d');
      write(disk.files, '/d/f', 'old');
      disk.files.syncDirectory('/d');
      const file = disk.files.open('/d/f', 'r+');
      file.write(utf8('newer'), 0, 5, 0);
      disk.slow(1_000);
      const syncing = file.datasync();
      await clock.advance(500);
      const files = disk.restart(survives);
      await Promise.all([expect(syncing).rejects.toThrow('the power was cut'), clock.advance(600)]);
      expect(text(files.readFile('/d/f'))).toBe(left);
    }
  });

  it('a removed directory may come back with some of its files', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const disk = newDisk(seed);
      disk.files.makeDirectory('/d/block');
      for (const name of ['a', 'b']) write(disk.files, `/d/block/${name}`, name);
      disk.files.syncDirectory('/d/block');
      disk.files.removeTree('/d/block');
      const files = disk.restart('some');
      seen.add(files.exists('/d/block') ? files.list('/d/block').join('') : 'gone');
    }
    expect([...seen].sort()).toEqual(['', 'a', 'ab', 'b', 'gone']);
  });

  it('what was not synced of a file survives by pages, and a page may be torn', () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const disk = newDisk(seed);
      write(disk.files, '/d/f', new Uint8Array(3 * PAGE).fill(1));
      disk.files.syncDirectory('/d');
      const file = disk.files.open('/d/f', 'r+');
      file.write(new Uint8Array(3 * PAGE).fill(2), 0, 3 * PAGE, 0);
      const bytes = disk.restart('some').readFile('/d/f');
      expect(bytes).toHaveLength(3 * PAGE);
      const pages = [0, 1, 2].map((page) => {
        const part = bytes.subarray(page * PAGE, (page + 1) * PAGE);
        const fresh = part.filter((byte) => byte === 2).length;
        expect(fresh % 512).toBe(0);
        expect(part.subarray(0, fresh).every((byte) => byte === 2)).toBe(true);
        if (fresh === 0) return 'old';
        return fresh === PAGE ? 'new' : 'torn';
      });
      outcomes.add(pages.join(' '));
    }
    for (const expected of ['old new old', 'new old new', 'new new new', 'new torn new'])
      expect([...outcomes]).toContain(expected);
  });

  it('an append may leave its length without its bytes, and a cut may be taken back', () => {
    const appended = new Set<string>();
    const cut = new Set<number>();
    for (let seed = 0; seed < 100; seed++) {
      const disk = newDisk(seed);
      write(disk.files, '/d/f', 'safe');
      write(disk.files, '/d/g', new Uint8Array(2 * PAGE));
      disk.files.syncDirectory('/d');
      disk.files.open('/d/f', 'a').write(utf8('more'), 0, 4, null);
      disk.files.open('/d/g', 'r+').truncate(10);
      const files = disk.restart('some');
      appended.add(text(files.readFile('/d/f')));
      cut.add(files.readFile('/d/g').length);
    }
    expect([...appended].sort()).toEqual(['safe', 'safe\0\0\0\0', 'safemore']);
    expect([...cut].sort((a, b) => a - b)).toEqual([10, PAGE, 2 * PAGE]);
  });

  it('all of it is there when only the processes ended, and their files are dead', () => {
    const disk = newDisk();
    const before = disk.files;
    const file = before.open('/d/f', 'w');
    file.write(utf8('x'), 0, 1, 0);
    expect(text(disk.restart('all').readFile('/d/f'))).toBe('x');
    expect(() => file.write(utf8('y'), 0, 1, 0)).toThrow('EIO');
    expect(() => before.list('/d')).toThrow('EIO');
  });

  it('the same seed leaves the same', () => {
    const run = (): string => {
      const disk = newDisk(7);
      for (let i = 0; i < 20; i++) write(disk.files, `/d/${i}`, `content ${i}`, i % 2 === 0);
      const files = disk.restart('some');
      return files
        .list('/d')
        .map((name) => `${name}=${text(files.readFile(`/d/${name}`))}`)
        .join();
    };
    expect(run()).toBe(run());
  });
});

describe('a failing disk', () => {
  it('fails the operation of the number, writes a part of it at most, and goes on', () => {
    const disk = newDisk(3);
    const file = disk.files.open('/d/f', 'w');
    disk.inject({ kind: 'ENOSPC', from: disk.operations + 2, to: disk.operations + 2 });
    file.write(utf8('ab'), 0, 2, 0);
    expect(() => file.write(utf8('cdefgh'), 0, 6, 2)).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    );
    expect(file.size()).toBeLessThanOrEqual(8);
    file.write(utf8('cd'), 0, 2, 2);
    expect(text(disk.files.readFile('/d/f')).slice(0, 4)).toBe('abcd');
    expect(disk.faults).toBe(1);
    expect(disk.journal.filter(({ outcome }) => outcome !== 'ok')).toEqual([
      { number: 4, operation: 'write', path: '/d/f', outcome: 'ENOSPC' },
    ]);
  });

  it('that could not sync does not write those pages at the next sync', () => {
    const disk = newDisk();
    write(disk.files, '/d/f', 'old');
    disk.files.syncDirectory('/d');
    const file = disk.files.open('/d/f', 'r+');
    file.write(utf8('new'), 0, 3, 0);
    disk.inject({ kind: 'EIO', from: disk.operations + 1, to: disk.operations + 1 });
    expect(() => file.sync()).toThrow('EIO');
    file.sync();
    expect(text(disk.files.readFile('/d/f'))).toBe('new');
    expect(text(disk.restart().readFile('/d/f'))).toBe('old');
  });

  it('of a kind hits only what that kind can hit', () => {
    const disk = newDisk();
    write(disk.files, '/d/f', 'abc');
    disk.inject({ kind: 'short', from: 1, to: Number.POSITIVE_INFINITY });
    const file = disk.files.open('/d/f', 'r+');
    file.write(utf8('x'), 0, 1, 0);
    expect(file.read(new Uint8Array(3), 0, 3, 0)).toBeLessThan(3);
    expect(() => disk.files.readFile('/d/f')).toThrow('EIO');
    disk.inject({ kind: 'EMFILE', from: 1, to: Number.POSITIVE_INFINITY });
    expect(file.read(new Uint8Array(3), 0, 3, 0)).toBe(3);
    expect(() => disk.files.open('/d/f', 'r')).toThrow('EMFILE');
    disk.heal();
    disk.files.open('/d/f', 'r').close();
  });

  it('without power does nothing any more, whichever operation it is', async () => {
    const disk = newDisk();
    const file = disk.files.open('/d/f', 'w');
    disk.cutPowerAfter(disk.operations + 1);
    file.write(utf8('last'), 0, 4, 0);
    expect(disk.isPowered).toBe(true);
    await expect(file.datasync()).rejects.toThrow('the power is off');
    expect(disk.isPowered).toBe(false);
    expect(() => disk.files.syncDirectory('/d')).toThrow('the power is off');
    expect(disk.restart().list('/d')).toEqual([]);
  });

  it('knows which files are open', () => {
    const disk = newDisk();
    const file = disk.files.open('/d/f', 'w');
    expect(disk.files.openPaths).toEqual(['/d/f']);
    file.close();
    file.close();
    expect(disk.files.openPaths).toEqual([]);
    expect(() => file.size()).toThrow('closed file');
  });
});
