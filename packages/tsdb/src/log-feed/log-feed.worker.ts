import type { WorkerEntry } from '@pollux/base';
import type { FeedStart, FilledSlot, FreeSlot } from './feed.protocol.ts';
import { FeedWriter } from './feed-writer.ts';

/** Reads a log and hands its records over, decoded, in shared memory: see `feed.protocol.ts`. */
export const LOG_FEED: WorkerEntry<FeedStart, FreeSlot, FilledSlot> = {
  name: 'LOG_FEED',
  module: import.meta.url,
  run: (port, start, world) => new FeedWriter(port, start, world).run(),
};
