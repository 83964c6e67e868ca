import { createHash } from 'node:crypto';
import { type Env, errorText } from '@pollux/base';
import type { GroupIdentity } from '@pollux/storage';
import { ShardCorruptionError } from './errors.ts';

const FILE = 'group.json';
const VERSION = 1;
/** Longest encoded name used as it is; names may have 255 characters, each up to nine when encoded. */
const MAX_PLAIN_NAME = 120;

/** A directory name for any database or retention policy name. The real name is in `group.json`. */
export function directoryName(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll('.', '%2E').replaceAll('*', '%2A');
  if (encoded.length > 0 && encoded.length <= MAX_PLAIN_NAME) return encoded;
  return `${encoded.slice(0, 40)}~${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

export function writeIdentity(env: Env, directory: string, identity: GroupIdentity): void {
  env.files.makeDirectory(directory);
  env.files.replaceFile(
    `${directory}/${FILE}`,
    `${JSON.stringify({ version: VERSION, ...identity })}\n`,
  );
}

/** Null when the directory holds no group (its creation was cut short). */
export function readIdentity(env: Env, directory: string): GroupIdentity | null {
  const path = `${directory}/${FILE}`;
  if (!env.files.exists(path)) return null;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(new TextDecoder().decode(env.files.readFile(path))) as Record<
      string,
      unknown
    >;
  } catch (error) {
    throw new ShardCorruptionError(path, errorText(error), { cause: error });
  }
  const { version, id, database, retentionPolicy, startMs, endMs } = value;
  if (version !== VERSION) {
    throw new ShardCorruptionError(
      path,
      `has format version ${String(version)}, this program reads ${VERSION}`,
    );
  }
  if (
    typeof id !== 'number' ||
    typeof database !== 'string' ||
    typeof retentionPolicy !== 'string' ||
    typeof startMs !== 'number' ||
    typeof endMs !== 'number'
  ) {
    throw new ShardCorruptionError(path, 'is not complete');
  }
  return { id, database, retentionPolicy, startMs, endMs };
}
