import type { WorkerEntry } from '@pollux/base';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';
import { unpackExpiry } from '../retention/expiry.ts';
import { Slices } from '../slices.ts';
import { compactBlocks } from './compact-blocks.ts';
import type { CompactionJob, CompactionNews } from './compaction.protocol.ts';

/** Parents are read once and in their order, so pages are not kept for long. */
const CACHE_BYTES = 4 * 1024 * 1024;
const PROGRESS_INTERVAL_MS = 1_000;

/** Writes one block from others, and leaves nothing of it when it fails or is stopped. */
export const COMPACTION: WorkerEntry<CompactionJob, never, CompactionNews> = {
  name: 'COMPACTION',
  module: import.meta.url,
  run: async (port, job, world) => {
    const { directory, ulid, compaction, expiry, floats } = job;
    const { clock, files } = world;
    const slices = new Slices(clock, port.signal);
    const cache = new FileCache(CACHE_BYTES);
    const parents: Block[] = [];
    let toldMs = clock.monotonic();
    const onProgress = (series: number): void => {
      const nowMs = clock.monotonic();
      if (nowMs - toldMs < PROGRESS_INTERVAL_MS) return;
      toldMs = nowMs;
      port.post({ kind: 'progress', series });
    };
    try {
      for (const path of job.parents) {
        parents.push(await Block.openSliced(files, path, cache, slices));
      }
      const path = await compactBlocks({
        env: world,
        directory,
        ulid,
        parents,
        compaction,
        expiry: expiry === null ? null : unpackExpiry(expiry),
        slices,
        floats,
        onProgress,
      });
      port.post({ kind: 'done', path });
    } finally {
      for (const parent of parents) parent.release();
    }
  },
};
