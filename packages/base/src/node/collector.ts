import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What collects the garbage of this thread. */
export function garbageCollector(): () => void {
  // The engine hands it out only to contexts that are made while this flag is set. It stays set, for all threads: where each took it
  // back, one could do so while another makes its context.
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/**
 * Collects the garbage of this thread once it has had no message for `silenceMs`, if objects and buffers are `minGrowthBytes` more than
 * after the last time. The engine collects when more is allocated, so a thread that has nothing to do would keep what its last work
 * has left: some 10 MB of objects, and buffers that hang on them. Returns what is to be called for each message.
 */
export function collectWhenSilent(silenceMs: number, minGrowthBytes: number): () => void {
  const collect = garbageCollector();
  let keptBytes = 0;
  let messages = 0;
  let isLooking = false;
  const look = (): void => {
    const before = messages;
    isLooking = true;
    setTimeout(() => {
      isLooking = false;
      if (messages !== before) look();
      else if (heldBytes() - keptBytes >= minGrowthBytes) {
        collect();
        keptBytes = heldBytes();
      }
    }, silenceMs).unref();
  };
  return () => {
    messages++;
    if (!isLooking) look();
  };
}

function heldBytes(): number {
  const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics();
  return objects + buffers;
}
