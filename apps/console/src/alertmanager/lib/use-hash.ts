import { useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}

/** What is behind the `#` of the address, which alone says where the page is. */
export function useHash(): string {
  return useSyncExternalStore(subscribe, () => window.location.hash);
}

export function go(link: string): void {
  window.location.hash = link;
}
