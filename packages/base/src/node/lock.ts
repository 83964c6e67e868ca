import * as fs from 'node:fs';
import * as path from 'node:path';
import { OperatingError, systemCode } from '../errors.ts';

export class DirectoryLockedError extends OperatingError {
  constructor(directory: string, holder: string) {
    super(
      'BASE.DIRECTORY_LOCKED',
      `data directory ${directory} is in use by process ${holder}; stop it or choose another directory`,
    );
  }
}

export class DirectoryUnusableError extends OperatingError {
  constructor(directory: string, cause: unknown) {
    super(
      'BASE.DIRECTORY_UNUSABLE',
      `data directory ${directory} cannot be made or written; check path, owner, rights and free space`,
      { cause },
    );
  }
}

/** Guards of guards that are tried; each needs a process that died inside the few microseconds of a takeover. */
const MAX_GUARDS = 3;
const MAX_ATTEMPTS = 5;

/**
 * Takes a directory for this process; the returned function gives it back. The lock file holds pid and start time, so a
 * lock left by a dead process is taken over, also when its pid was given to another program since. Processes in different
 * pid namespaces cannot judge each other: a data directory belongs to one of them. Throws DirectoryLockedError or
 * DirectoryUnusableError.
 */
export function lockDirectory(directory: string): () => void {
  let holder: (() => void) | string;
  try {
    fs.mkdirSync(directory, { recursive: true });
    holder = take(path.join(directory, 'lock'), MAX_GUARDS);
  } catch (error) {
    throw new DirectoryUnusableError(directory, error);
  }
  if (typeof holder !== 'string') return holder;
  throw new DirectoryLockedError(directory, holder);
}

/** Makes `file` this process' lock and returns its release, or the pid of the living holder. */
function take(file: string, guards: number): (() => void) | string {
  const own = `${process.pid} ${startTime(process.pid)}`;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (create(file, own)) {
      return () => {
        if (readLock(file) === own) fs.rmSync(file, { force: true });
      };
    }
    const holder = readLock(file);
    const [pid = '', started = ''] = holder.split(' ');
    if (pid !== '' && isAlive(Number(pid)) && startTime(Number(pid)) === started) return pid;
    removeStale(file, holder, guards);
  }
  return 'another starting process';
}

/** A complete file is linked into place: link fails when the name exists, so two processes cannot both win. */
function create(file: string, own: string): boolean {
  const candidate = `${file}.${process.pid}`;
  try {
    fs.writeFileSync(candidate, `${own}\n`);
    fs.linkSync(candidate, file);
    return true;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    fs.rmSync(candidate, { force: true });
  }
}

/**
 * Removes the file that was judged, never one that a rival has put there since: between the look and the removal only the
 * holder of the guard may remove it, and the judged holder is dead.
 */
function removeStale(file: string, holder: string, guards: number): void {
  const release = guards === 0 ? () => {} : take(`${file}.takeover`, guards - 1);
  if (typeof release === 'string') return;
  try {
    if (readLock(file) === holder) fs.rmSync(file, { force: true });
  } finally {
    release();
  }
}

function readLock(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Start time in clock ticks since boot on Linux (proc(5), field 22); empty elsewhere and for a zombie, which holds nothing. */
function startTime(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    // No /proc on this system, or the process is gone: the pid alone must do.
    return '';
  }
}
