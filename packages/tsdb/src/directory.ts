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

function checkFormat({ directory, env }: TsdbInit): void {
  const path = `${directory}/${FORMAT_FILE}`;
  if (!env.files.exists(path)) {
    try {
      env.files.replaceFile(path, `${JSON.stringify({ formatVersion: FORMAT_VERSION })}\n`);
    } catch (cause) {
      throw new DirectoryError(directory, 'cannot be written; check owner, rights and free space', {
        cause,
      });
    }
    return;
  }
  let version: unknown;
  try {
    const text = new TextDecoder().decode(env.files.readFile(path));
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'formatVersion' in parsed) {
      version = parsed.formatVersion;
    }
  } catch (cause) {
    throw new DirectoryError(directory, `${FORMAT_FILE} is damaged; remove it`, { cause });
  }
  if (version !== FORMAT_VERSION) {
    throw new DirectoryError(
      directory,
      `its format version is ${String(version)}, this program knows ${FORMAT_VERSION}; use the program that wrote it`,
    );
  }
}
