import { useEffect, useState } from 'react';

export type Polled<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: T; readonly error: string | null }
  | { readonly kind: 'failed'; readonly error: string };

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
      if (!stop.signal.aborted) timer = window.setTimeout(() => void tick(), intervalMs);
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
