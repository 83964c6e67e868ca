import type { Fallback } from '../config/receivers-beside.ts';
import type { Route } from '../route/route.ts';

/** Receivers that a notification may go to: those of routes, and their fallbacks, and theirs. */
export function usedReceivers(
  route: Route,
  fallbacks: ReadonlyMap<string, Fallback>,
): ReadonlySet<string> {
  const used = new Set([...route.walk()].map(({ settings }) => settings.receiver));
  // What is added while the set is walked is walked too.
  for (const name of used) {
    const fallback = fallbacks.get(name);
    if (fallback !== undefined) used.add(fallback.receiver);
  }
  return used;
}
