import * as fs from 'node:fs';
import * as path from 'node:path';

/** Copies a directory in which a database is at work, as a crash would leave it: what is removed meanwhile is not there. */
export function copyLive(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of unlessGone(() => fs.readdirSync(from, { withFileTypes: true })) ?? []) {
    const source = path.join(from, entry.name);
    const target = path.join(to, entry.name);
    if (entry.isDirectory()) copyLive(source, target);
    else unlessGone(() => fs.copyFileSync(source, target));
  }
}

function unlessGone<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
