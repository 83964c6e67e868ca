import { useCallback, useSyncExternalStore } from 'react';

const CONSOLE = '/console';
const CHANGED = 'pollux:location';

/** Where the page is: the path below /console and its parameters. The address is the state; nothing else keeps it. */
export type Location = { readonly path: string; readonly params: URLSearchParams };

/** The path that leads to the role itself: empty, or its route prefix. */
export function rolePath(): string {
  const { pathname } = window.location;
  return pathname.slice(0, Math.max(0, pathname.lastIndexOf(CONSOLE)));
}

/** The path of a page of the console. */
export function pagePath(path: string): string {
  return `${rolePath()}${CONSOLE}${path}`;
}

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
  const base = pagePath('');
  const path = url.pathname.startsWith(base) ? url.pathname.slice(base.length) : url.pathname;
  return { path: path === '' ? '/' : path, params: url.searchParams };
}

export function useNavigate(): (path: string, params?: URLSearchParams) => void {
  return useCallback((path, params) => {
    const search = params === undefined || params.size === 0 ? '' : `?${params}`;
    window.history.pushState(null, '', `${pagePath(path)}${search}`);
    window.dispatchEvent(new Event(CHANGED));
  }, []);
}
