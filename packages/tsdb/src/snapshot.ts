import { randomHex } from '@pollux/base';
import { TMP_FOR_CREATION } from './block/block-set.ts';
import { cutBlock } from './head/cut-block.ts';
import type { TsdbInit } from './init.ts';
import type { MaintenanceContext } from './maintenance-context.ts';
import { Slices } from './slices.ts';

const SNAPSHOTS = 'snapshots';

/**
 * Makes `snapshots/<name>` below the data directory, itself a data directory: hard links of the blocks and, unless
 * `skipHead`, one block of what the head holds. Nothing may move the head or delete blocks meanwhile. Returns the name,
 * formed as Prometheus'.
 */
export async function writeSnapshot(
  context: MaintenanceContext,
  skipHead: boolean,
): Promise<string> {
  const { init, blocks, head, signal, metrics } = context;
  const { env, directory } = init;
  const { files } = env;
  const time = new Date(env.clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const name = `${time}-${randomHex(env.random, 8)}`;
  const folder = `${directory}/${SNAPSHOTS}`;
  const temporary = `${folder}/${name}${TMP_FOR_CREATION}`;
  const slices = new Slices(env.clock, signal);
  files.makeDirectory(temporary);
  try {
    for (const block of blocks.blocks) {
      block.linkInto(`${temporary}/${block.ulid}`);
      await slices.pause();
    }
    if (!skipHead && !head.isEmpty) {
      const minTime = head.minMs;
      // A block's end is excluded.
      const maxTime = head.maxMs + 1;
      const target = { env, directory: temporary, head, minTime, maxTime, signal, metrics };
      const path = await cutBlock(target);
      if (path !== null) files.rename(path, path.slice(0, -TMP_FOR_CREATION.length));
    }
    files.syncDirectory(temporary);
    files.rename(temporary, `${folder}/${name}`);
    files.syncDirectory(folder);
    return name;
  } catch (error) {
    files.removeTree(temporary);
    throw error;
  }
}

/** Removes what an interrupted snapshot has left. Only at start. */
export function removeUnfinishedSnapshots({ env, directory }: TsdbInit): void {
  const { files } = env;
  const folder = `${directory}/${SNAPSHOTS}`;
  if (!files.exists(folder)) return;
  for (const name of files.list(folder)) {
    if (name.endsWith(TMP_FOR_CREATION)) files.removeTree(`${folder}/${name}`);
  }
}
