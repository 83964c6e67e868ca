import { randomHex } from '@pollux/base';
import { formatDuration } from '@pollux/model';
import { TMP_FOR_CREATION } from './block/block-set.ts';
import { cutBlock } from './head/cut-block.ts';
import type { TsdbInit } from './init.ts';
import type { MaintenanceContext } from './maintenance-context.ts';
import { cutOooBlocks } from './ooo/cut-ooo-blocks.ts';
import { Slices } from './slices.ts';

const SNAPSHOTS = 'snapshots';

/**
 * Makes `snapshots/<name>` below the data directory, itself a data directory: hard links of the blocks and of down-sampled
 * data and, unless `skipHead`, blocks of what the head holds; other than Prometheus' it has the samples that came out of
 * order, too. Nothing may move the head or delete blocks meanwhile. Returns the name, formed as Prometheus'.
 */
export async function writeSnapshot(
  context: MaintenanceContext,
  skipHead: boolean,
): Promise<string> {
  const { init, blocks, downsampled, signal } = context;
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
    // Behind the blocks: a deletion meanwhile then takes buckets of samples that the snapshot has, never the other way round.
    for (const { set, slice } of downsampled.all()) {
      if (!set.slices.includes(slice)) continue;
      const resolution = `${temporary}/downsampled/${formatDuration(set.resolutionMs)}`;
      slice.linkInto(`${resolution}/${slice.block.ulid}`);
      files.syncDirectory(resolution);
      files.syncDirectory(`${temporary}/downsampled`);
      await slices.pause();
    }
    if (!skipHead) {
      for (const path of await headBlocks(context, temporary))
        files.rename(path, path.slice(0, -TMP_FOR_CREATION.length));
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

/** What the head holds, in order and out of order, as blocks without names. */
async function headBlocks(context: MaintenanceContext, directory: string): Promise<string[]> {
  const { init, head, signal, metrics } = context;
  const target = { env: init.env, directory, head, signal };
  const paths = await cutOooBlocks(target);
  if (head.isEmpty) return paths;
  // A block's end is excluded.
  const time = { minTime: head.minMs, maxTime: head.maxMs + 1 };
  const path = await cutBlock({ ...target, ...time, metrics });
  return path === null ? paths : [...paths, path];
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
