import { useEffect, useState } from 'react';

export type Polled<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: T; readonly error: string | null }
  | { readonly kind: 'failed'; readonly error: string };

/** An answer that took long is not asked for again before so many times as long, so that one page never keeps a server busy. */
const REST_RATIO = 10;

/** Asks again every `intervalMs` while the page is shown, and at once when it is shown again; keeps the last value when an answer fails. */
export function usePolled<T>(
  load: (signal: AbortSignal) => Promise<T>,
  intervalMs: number,
): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ kind: 'loading' });
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const tick = async (): Promise<void> => {
      if (document.hidden) {
        document.addEventListener('visibilitychange', onShown, { once: true });
        return;
      }
      const startedMs = performance.now();
      try {
        const value = await load(stop.signal);
        if (stop.signal.aborted) return;
        setState({ kind: 'ready', value, error: null });
      } catch (error) {
        if (stop.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        setState((before) =>
          before.kind === 'ready'
            ? { ...before, error: message }
            : { kind: 'failed', error: message },
        );
      }
      const waitMs = Math.max(intervalMs, (performance.now() - startedMs) * REST_RATIO);
      if (!stop.signal.aborted) timer = window.setTimeout(() => void tick(), waitMs);
    };
    const onShown = (): void => void tick();
    void tick();
    return () => {
      stop.abort();
      document.removeEventListener('visibilitychange', onShown);
      window.clearTimeout(timer);
    };
  }, [load, intervalMs]);
  return state;
}
