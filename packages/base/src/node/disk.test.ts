import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgrammerError, systemCode } from '../index.ts';
import { DirectoryLockedError, lockDirectory, NodeClock, NodeFiles } from './index.ts';

let directory = '';
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-base-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

describe('files', () => {
  const files = new NodeFiles();

  it('replaces a file as a whole and leaves no temporary', () => {
    const file = path.join(directory, 'a');
    files.replaceFile(file, 'old');
    files.replaceFile(file, 'new');
    expect(Buffer.from(files.readFile(file)).toString()).toBe('new');
    expect(files.list(directory)).toEqual(['a']);
  });

  it('syncs every directory in which it makes another, and none when all are there', () => {
    const synced: string[] = [];
    class WatchedFiles extends NodeFiles {
      override syncDirectory(synchronised: string): void {
        super.syncDirectory(synchronised);
        synced.push(path.relative(directory, synchronised));
      }
    }
    const watched = new WatchedFiles();
    watched.makeDirectory(path.join(directory, 'a', 'b', 'c'));
    watched.makeDirectory(path.join(directory, 'a', 'b', 'c'));
    expect(synced.sort()).toEqual(['', 'a', 'a/b']);
  });

  it('leaves neither a temporary nor a change behind when the target cannot be replaced', () => {
    fs.mkdirSync(path.join(directory, 'a'));
    expect(() => files.replaceFile(path.join(directory, 'a'), 'x')).toThrow();
    expect(files.list(directory)).toEqual(['a']);
  });

  it.skipIf(!fs.existsSync('/dev/full'))('cleans up on a full disk (needs /dev/full)', () => {
    const file = path.join(directory, 'a');
    fs.writeFileSync(file, 'old');
    // The temporary's name leads to a device that is always full.
    fs.symlinkSync('/dev/full', `${file}.tmp-${process.pid}`);
    let code = '';
    try {
      files.replaceFile(file, 'new');
    } catch (error) {
      code = systemCode(error);
    }
    expect(code).toBe('ENOSPC');
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    expect(files.list(directory)).toEqual(['a']);
  });

  it('never writes through a closed file, and lets a sync under way end first', async () => {
    const file = files.open(path.join(directory, 'a'), 'w');
    file.write(Uint8Array.of(1, 2, 3), 0, 3, 0);
    const synced = file.datasync();
    file.close();
    file.close();
    await synced;
    expect(() => file.write(Uint8Array.of(1), 0, 1, 0)).toThrow(ProgrammerError);
    expect(files.stat(path.join(directory, 'a')).size).toBe(3);
  });
});

describe('the lock of a directory', () => {
  const lock = (): string => path.join(directory, 'lock');

  it('is held once, named by its holder, and free after release', () => {
    const release = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(DirectoryLockedError);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.pid}`);
    release();
    release();
    lockDirectory(directory)();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('is taken over from the dead, from a pid that was given away, from an empty file, and from a dead rival', () => {
    for (const stale of ['4194303 1', `${process.pid} 1`, '', 'rubbish']) {
      fs.writeFileSync(lock(), stale);
      fs.writeFileSync(`${lock()}.takeover`, '4194303 1');
      lockDirectory(directory)();
      expect(fs.readdirSync(directory)).toEqual([]);
    }
  });

  it('does not remove the lock of another holder at release', () => {
    const release = lockDirectory(directory);
    fs.writeFileSync(lock(), '1 1');
    release();
    expect(fs.existsSync(lock())).toBe(true);
  });

  it('has one winner when processes start together over a stale lock', async () => {
    fs.writeFileSync(lock(), '4194303 1\n');
    const script = `
      const { lockDirectory } = await import(${JSON.stringify(new URL('./lock.ts', import.meta.url).href)});
      try { lockDirectory(${JSON.stringify(directory)}); console.log('won'); } catch (e) { console.log(e.code); }
      setTimeout(() => {}, 60_000);`;
    const tsx = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script];
    const children = [1, 2, 3].map(() => spawn(process.execPath, tsx));
    try {
      const said = await Promise.all(
        children.map(
          (child) =>
            new Promise((resolve) => child.stdout.once('data', (d) => resolve(String(d).trim()))),
        ),
      );
      expect(said.sort()).toEqual(['BASE.DIRECTORY_LOCKED', 'BASE.DIRECTORY_LOCKED', 'won']);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});

describe('the clock of the machine', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('waits longer than 2^31 ms when told so, and never less than told', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    // The adapter reads the clock through node:perf_hooks, which fake timers leave alone.
    vi.spyOn(performance, 'now').mockImplementation(() => vi.getMockedSystemTime()?.getTime() ?? 0);
    const clock = new NodeClock();
    const seen: string[] = [];
    clock.after(2 ** 31 + 5_000, () => seen.push('far'));
    clock.after(3.4, () => seen.push('near'));
    vi.advanceTimersByTime(3);
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen).toEqual(['near']);
    vi.advanceTimersByTime(2 ** 31 - 1);
    expect(seen).toEqual(['near']);
    vi.advanceTimersByTime(5_001);
    expect(seen).toEqual(['near', 'far']);
    const canceled = clock.after(2 ** 32, () => seen.push('never'));
    vi.advanceTimersByTime(2 ** 31);
    canceled.cancel();
    vi.advanceTimersByTime(2 ** 33);
    expect(seen).toHaveLength(2);
  });
});
