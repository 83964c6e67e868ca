import { CanceledError, type Env, type Files } from '@pollux/base';
import { Block } from '../block/block.ts';
import { TMP_FOR_CREATION } from '../block/block-set.ts';
import { FileCache } from '../block/file-cache.ts';
import { encodeMeta, FROM_OUT_OF_ORDER } from '../format/meta.ts';

const PIECE_BYTES = 1024 * 1024;

export type CopyBlockOptions = {
  readonly env: Env;
  /** The block. */
  readonly source: string;
  /** Of blocks; the copy becomes a directory of the same name in it. */
  readonly directory: string;
  /** A block that ends behind this time is marked as one of out-of-order samples in the copy. Default: never. */
  readonly outOfOrderFromMs?: number;
  readonly signal: AbortSignal;
};

/**
 * Copies a block into another data directory and gives the copy's path. It has its name only when it is whole and synced;
 * nothing is left after an error or an abort. Throws CorruptionError for a source that cannot be opened.
 */
export async function copyBlock(options: CopyBlockOptions): Promise<string> {
  const { env, source, directory } = options;
  const { files } = env;
  const block = Block.open(files, source, new FileCache(0));
  block.release();
  const name = source.slice(source.lastIndexOf('/') + 1);
  const temporary = `${directory}/${name}${TMP_FOR_CREATION}`;
  files.removeTree(temporary);
  files.makeDirectory(`${temporary}/chunks`);
  try {
    const parts = files.list(`${source}/chunks`).map((chunkFile) => `chunks/${chunkFile}`);
    for (const part of ['index', 'meta.json', 'tombstones', ...parts]) {
      if (files.exists(`${source}/${part}`))
        await copyFile(files, `${source}/${part}`, `${temporary}/${part}`, options.signal);
    }
    const { meta } = block;
    if (meta.maxTime > (options.outOfOrderFromMs ?? Number.POSITIVE_INFINITY)) {
      const compaction = { ...meta.compaction, hints: [FROM_OUT_OF_ORDER] };
      files.replaceFile(`${temporary}/meta.json`, encodeMeta({ ...meta, compaction }));
    }
    files.syncDirectory(`${temporary}/chunks`);
    files.syncDirectory(temporary);
    files.rename(temporary, `${directory}/${name}`);
    files.syncDirectory(directory);
  } catch (error) {
    files.removeTree(temporary);
    throw error;
  }
  return `${directory}/${name}`;
}

async function copyFile(
  files: Files,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const source = files.open(from, 'r');
  try {
    const target = files.open(to, 'wx');
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let at = 0; ; ) {
        if (signal.aborted) throw new CanceledError('given up', { cause: signal.reason });
        const filled = source.read(piece, 0, PIECE_BYTES, at);
        if (filled === 0) break;
        target.write(piece, 0, filled, at);
        at += filled;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      await target.datasync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}
