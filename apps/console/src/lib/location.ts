import { useCallback, useSyncExternalStore } from 'react';

const BASE = '/console';
const CHANGED = 'pollux:location';

/** Where the page is: the path below /console and its parameters. The address is the state; nothing else keeps it. */
export type Location = { readonly path: string; readonly params: URLSearchParams };

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(CHANGED, listener);
  };
}

export function useLocation(): Location {
  const href = useSyncExternalStore(subscribe, () => window.location.href);
  const url = new URL(href);
  const path = url.pathname.startsWith(BASE) ? url.pathname.slice(BASE.length) : url.pathname;
  return { path: path === '' ? '/' : path, params: url.searchParams };
}

export function useNavigate(): (path: string, params?: URLSearchParams) => void {
  return useCallback((path, params) => {
    const search = params === undefined || params.size === 0 ? '' : `?${params}`;
    window.history.pushState(null, '', `${BASE}${path}${search}`);
    window.dispatchEvent(new Event(CHANGED));
  }, []);
}
