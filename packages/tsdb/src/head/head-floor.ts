import type { Files } from '@pollux/base';
import type { Log } from '@pollux/telemetry';

/** A number of ms, as text, in the data directory. It may be removed: then it is as if it had never been. */
const HEAD_FLOOR_FILE = 'head_floor';
const NUMBER = /^-?\d{1,16}\n$/;

/**
 * Where the head begins when all its samples before were deleted, so that no block says it: the head chunk files and the log
 * may still have such samples, when the log no longer has their deletion. Prometheus has nothing like it, and may show them
 * again after a start. −Infinity when there is none; also, with a warning, when the file is damaged. Throws the system's
 * error.
 */
export function readHeadFloor(files: Files, directory: string, log: Log): number {
  const path = `${directory}/${HEAD_FLOOR_FILE}`;
  if (!files.exists(path)) return Number.NEGATIVE_INFINITY;
  const text = new TextDecoder().decode(files.readFile(path));
  if (NUMBER.test(text)) return Number(text);
  log.warn('the file that says where the head begins is damaged; deleted samples may be back', {
    file: path,
  });
  return Number.NEGATIVE_INFINITY;
}

/** Durable when it returns, before anything is forgotten that only the deletions hide. Throws the system's error. */
export function raiseHeadFloor(files: Files, directory: string, minMs: number): void {
  files.replaceFile(`${directory}/${HEAD_FLOOR_FILE}`, `${minMs}\n`);
}
