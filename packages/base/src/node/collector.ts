import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Has the engine begin to mark at the end of each young collection. */
const MARK = '--stress-incremental-marking';
const MARK_NO_MORE = '--no-stress-incremental-marking';

/**
 * What has the garbage of this thread collected, some ten milliseconds later: marked beside other work and on other processors, as the
 * engine's own collections are. The collection that `gc()` makes at once is not like these: it loses the hidden classes of which no object
 * lives at that moment, and with them all optimised code that knows one, which for a server between two queries is most of the code that
 * answers them (150 to 210 functions each time).
 */
export function garbageCollector(): () => void {
  // The engine hands it out only to contexts that are made while this flag is set. It stays set, for all threads: where each took it
  // back, one could do so while another makes its context.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (what: { readonly type: 'minor' }) => void;
  return () => {
    setFlagsFromString(MARK);
    collect({ type: 'minor' });
    setFlagsFromString(MARK_NO_MORE);
  };
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
  const look = (isCollected: boolean): void => {
    const before = messages;
    isLooking = true;
    setTimeout(() => {
      isLooking = false;
      if (messages !== before) look(false);
      else if (isCollected) keptBytes = heldBytes();
      else if (heldBytes() - keptBytes >= minGrowthBytes) {
        collect();
        look(true);
      }
    }, silenceMs).unref();
  };
  return () => {
    messages++;
    if (!isLooking) look(false);
  };
}

function heldBytes(): number {
  const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics();
  return objects + buffers;
}
