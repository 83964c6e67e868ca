import { type Clock, OperatingError, type StopSignal, StopSource, sleep } from '@pollux/base';

/** Most reads are over by then; one that is not is looked after. */
const PATIENCE_MS = 500;
/** A server that works answers a probe within this time, also while it works on a large read. */
const PROBE_TIMEOUT_MS = 1_500;
const BETWEEN_PROBES_MS = 2_000;

export type WatchedRead<T> = {
  readonly clock: Clock;
  readonly signal: StopSignal;
  /** Rejects when its signal aborts. */
  readonly read: (signal: StopSignal) => Promise<T>;
  /** A request that any server answers at once, be it with a refusal. Rejects behind `timeoutMs`. */
  readonly probe: (timeoutMs: number, signal: StopSignal) => Promise<unknown>;
};

/**
 * The answer of `read`, unless the server is silent. How long a read may take is unknown, so waiting tells nothing; but a server that
 * was stopped, or whose host lost its power, does not answer the smallest request either. It costs a query two seconds then, not the
 * whole time-out of a read, and what the other remotes have is answered.
 */
export async function unlessSilent<T>({ clock, signal, read, probe }: WatchedRead<T>): Promise<T> {
  const stop = new StopSource();
  const onParent = (): void => stop.abort(signal.reason);
  if (signal.aborted) onParent();
  else signal.addEventListener('abort', onParent, { once: true });
  let silence: Error | null = null;
  void watch({ clock, stop, probe }, (error) => {
    silence = error;
    stop.abort(error);
  });
  try {
    return await read(stop);
  } catch (error) {
    throw silence ?? error;
  } finally {
    signal.removeEventListener('abort', onParent);
    stop.abort(new OperatingError('REMOTE.READ_OVER', 'the read is over'));
  }
}

/** Probes until `stop`; tells a silent server, once. */
async function watch(
  {
    clock,
    stop,
    probe,
  }: {
    readonly clock: Clock;
    readonly stop: StopSource;
    readonly probe: WatchedRead<unknown>['probe'];
  },
  onSilence: (error: Error) => void,
): Promise<void> {
  try {
    for (let waitMs = PATIENCE_MS; ; waitMs = BETWEEN_PROBES_MS) {
      await sleep(clock, waitMs, stop);
      if (await isAnswered(clock, () => probe(PROBE_TIMEOUT_MS, stop))) continue;
      stop.throwIfAborted();
      const text = `silent: a probe was not answered within ${PROBE_TIMEOUT_MS} ms either`;
      onSilence(new OperatingError('REMOTE.SILENT', text));
      return;
    }
  } catch {
    // The read has ended, one way or the other, and with it the need to watch.
  }
}

/** A refusal or a broken connection is an answer too: it comes at once, and the read will learn the same. */
async function isAnswered(clock: Clock, probe: () => Promise<unknown>): Promise<boolean> {
  const startMs = clock.monotonic();
  try {
    await probe();
    return true;
  } catch {
    // Only whether it took its whole time tells a silent server from one that refuses.
    return clock.monotonic() - startMs < PROBE_TIMEOUT_MS;
  }
}
