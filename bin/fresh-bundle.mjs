// Where the bundled program is, if it is newer than all that it was made of.
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** The bundle's entry below the repository `root`; null where there is none, or where a room was built after it. */
export function freshBundle(root) {
  const entry = path.join(root, 'apps', 'pollux', 'dist', 'bundle', 'main.js');
  if (!existsSync(entry)) return null;
  const bundledMs = statSync(entry).mtimeMs;
  const isNewer = (file) => {
    const found = statSync(path.join(root, file), { throwIfNoEntry: false });
    return found !== undefined && found.mtimeMs > bundledMs;
  };
  if (isNewer('package-lock.json') || isNewer('apps/pollux/bundle.mjs')) return null;
  for (const group of ['packages', 'apps']) {
    for (const room of readdirSync(path.join(root, group))) {
      // Written by each build of the room that has changed anything.
      if (isNewer(`${group}/${room}/dist/.tsbuildinfo`)) return null;
    }
  }
  return entry;
}
