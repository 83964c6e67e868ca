import { DirectoryError } from './errors.ts';
import type { TsdbInit } from './init.ts';
import type { TsdbOptions } from './options.ts';
import { CHECKPOINT_TMP } from './wal/wal.ts';

/** Version of what this engine adds to Prometheus' layout. */
const FORMAT_VERSION = 1;
const FORMAT_FILE = 'pollux.json';

/** Makes and locks the data directory, checks its format and clears what an interrupted checkpoint has left. */
export function prepareDirectory(init: TsdbInit, options: TsdbOptions): () => void {
  const { directory, env } = init;
  const { files } = env;
  try {
    files.makeDirectory(`${directory}/wal`);
  } catch (cause) {
    throw new DirectoryError(directory, 'cannot be made or written; check owner and rights', {
      cause,
    });
  }
  const unlock = options.lockDirectory?.(directory) ?? (() => {});
  try {
    checkFormat(init);
    for (const name of files.list(`${directory}/wal`)) {
      if (name.endsWith(CHECKPOINT_TMP)) files.removeTree(`${directory}/wal/${name}`);
    }
  } catch (error) {
    unlock();
    throw error;
  }
  return unlock;
}

function checkFormat(init: TsdbInit): void {
  const { directory, env, log } = init;
  const path = `${directory}/${FORMAT_FILE}`;
  const version = env.files.exists(path) ? readVersion(init, path) : null;
  if (version === FORMAT_VERSION) return;
  if (version !== null) {
    throw new DirectoryError(
      directory,
      `its format version is ${version}, this program knows ${FORMAT_VERSION}; use the program that wrote it`,
    );
  }
  if (env.files.exists(path)) {
    // It holds nothing else, and every other file says for itself what it is.
    log.warn('the file with the format version is damaged and written anew', { file: path });
  }
  try {
    env.files.replaceFile(path, `${JSON.stringify({ formatVersion: FORMAT_VERSION })}\n`);
  } catch (cause) {
    throw new DirectoryError(directory, 'cannot be written; check owner, rights and free space', {
      cause,
    });
  }
}

/** Null when the file does not hold a version. */
function readVersion({ directory, env }: TsdbInit, path: string): number | null {
  let bytes: Uint8Array;
  try {
    bytes = env.files.readFile(path);
  } catch (cause) {
    throw new DirectoryError(directory, `${FORMAT_FILE} cannot be read`, { cause });
  }
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof parsed !== 'object' || parsed === null) return null;
    const version = 'formatVersion' in parsed ? parsed.formatVersion : null;
    return typeof version === 'number' ? version : null;
  } catch {
    // Not JSON.
    return null;
  }
}
