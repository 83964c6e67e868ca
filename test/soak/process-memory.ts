import { readFileSync } from 'node:fs';

/** What one process holds, bytes. Pages that processes share count whole in `rss` and in equal parts in `pss`. */
export type ProcessMemory = { readonly rss: number; readonly pss: number };

/** Reads `/proc/<pid>/smaps_rollup`; null where the process has ended. */
export function processMemory(pid: number): ProcessMemory | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  } catch {
    return null;
  }
  const rss = fieldBytes(text, 'Rss');
  const pss = fieldBytes(text, 'Pss');
  // The kernel answers a process that is just ending with an empty file.
  return rss === null || pss === null ? null : { rss, pss };
}

function fieldBytes(text: string, name: string): number | null {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text);
  return match === null ? null : Number(match[1]) * 1024;
}
