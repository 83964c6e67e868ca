import { type Clock, OperatingError, type StopSignal, StopSource, sleep } from '@pollux/base';

/** Most reads are over by then; one that is not is looked after. */
const PATIENCE_MS = 500;
/** A server that works answers a probe within this time, also while it works on a large read. */
const PROBE_TIMEOUT_MS = 1_500;
const BETWEEN_PROBES_MS = 2_000;
/** A read of a server that was silent before waits so long for a first probe, which is sent together with it. */
const KNOWN_PATIENCE_MS = 300;

/** What is remembered of a server from read to read. */
export type Silence = { isKnown: boolean };

export type WatchedRead<T> = {
  readonly clock: Clock;
  readonly signal: StopSignal;
  readonly memory: Silence;
  /** Rejects when its signal aborts. */
  readonly read: (signal: StopSignal) => Promise<T>;
  /** A request that any server answers at once, be it with a refusal. Rejects behind `timeoutMs`. */
  readonly probe: (timeoutMs: number) => Promise<unknown>;
};

/**
 * The answer of `read`, unless the server is silent. How long a read may take is unknown, so waiting tells nothing; but a server that
 * was stopped, or whose host lost its power, does not answer the smallest request either. It costs the first query two seconds
 * then, not the whole time-out of a read, and each further one a third of a second; what the other remotes have is answered.
 */
export async function unlessSilent<T>(watched: WatchedRead<T>): Promise<T> {
  const { signal, memory, read } = watched;
  const stop = new StopSource();
  const onParent = (): void => stop.abort(signal.reason);
  if (signal.aborted) onParent();
  else signal.addEventListener('abort', onParent, { once: true });
  let silence: Error | null = null;
  void watch(watched, stop, (error) => {
    silence = error;
    memory.isKnown = true;
    stop.abort(error);
  });
  try {
    const answer = await read(stop);
    memory.isKnown = false;
    return answer;
  } catch (error) {
    throw silence ?? error;
  } finally {
    signal.removeEventListener('abort', onParent);
    stop.abort(new OperatingError('REMOTE.READ_OVER', 'the read is over'));
  }
}

/** Probes until `stop`; tells a silent server, once. */
async function watch(
  watched: WatchedRead<unknown>,
  stop: StopSource,
  onSilence: (error: Error) => void,
): Promise<void> {
  const { clock, memory } = watched;
  try {
    let waitMs = memory.isKnown ? 0 : PATIENCE_MS;
    for (;;) {
      await sleep(clock, waitMs, stop);
      const patienceMs = memory.isKnown ? KNOWN_PATIENCE_MS : PROBE_TIMEOUT_MS;
      const isThere = await Promise.race([
        isAnswered(watched),
        sleep(clock, patienceMs, stop).then(() => false),
      ]);
      stop.throwIfAborted();
      if (!isThere) {
        const text = `silent: a probe was not answered within ${patienceMs} ms either`;
        onSilence(new OperatingError('REMOTE.SILENT', text));
        return;
      }
      waitMs = BETWEEN_PROBES_MS;
    }
  } catch {
    // The read has ended, one way or the other, and with it the need to watch.
  }
}

/**
 * A refusal or a broken connection is an answer too: it comes at once, and the read will learn the same. The probe goes on
 * when nobody waits for it any more, so that a server that is far away, and needs long for a new connection, is found again.
 */
async function isAnswered({ clock, memory, probe }: WatchedRead<unknown>): Promise<boolean> {
  const startMs = clock.monotonic();
  try {
    await probe(PROBE_TIMEOUT_MS);
  } catch {
    // Only whether it took its whole time tells a silent server from one that refuses.
    if (clock.monotonic() - startMs >= PROBE_TIMEOUT_MS) return false;
  }
  memory.isKnown = false;
  return true;
}
