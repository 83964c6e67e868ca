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

/**
 * Takes a directory for this process; the returned function gives it back. The lock file holds pid and start time, so a
 * lock left by a dead process is taken over, also when its pid was given to another program since. Throws
 * DirectoryLockedError or DirectoryUnusableError.
 */
export function lockDirectory(directory: string): () => void {
  try {
    return takeLock(directory);
  } catch (error) {
    if (OperatingError.is(error)) throw error;
    throw new DirectoryUnusableError(directory, error);
  }
}

function takeLock(directory: string): () => void {
  fs.mkdirSync(directory, { recursive: true });
  const file = path.join(directory, 'lock');
  const own = `${process.pid} ${startTime(process.pid)}`;
  for (let attempt = 0; attempt < 5; attempt++) {
    // A complete file is linked into place: link fails when the name exists, so two processes cannot both win.
    const candidate = `${file}.${process.pid}`;
    fs.writeFileSync(candidate, `${own}\n`);
    try {
      fs.linkSync(candidate, file);
      return () => {
        if (readLock(file) === own) fs.rmSync(file, { force: true });
      };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    } finally {
      fs.rmSync(candidate, { force: true });
    }
    const holder = readLock(file);
    const [pid = '', started = ''] = holder.split(' ');
    if (pid !== '' && isAlive(Number(pid)) && startTime(Number(pid)) === started) {
      throw new DirectoryLockedError(directory, pid);
    }
    // Stale. Only remove the file that was judged, not one a rival has just put there.
    if (readLock(file) === holder) fs.rmSync(file, { force: true });
  }
  throw new DirectoryLockedError(directory, 'another starting process');
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

/** Start time in clock ticks since boot on Linux (proc(5), field 22), empty elsewhere. */
function startTime(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // No /proc on this system, or the process is gone: the pid alone must do.
    return '';
  }
}
