import { existsSync, type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import path from 'node:path';

/** What a server was doing when it was killed. */
export type Phase = 'append' | 'cut' | 'checkpoint' | 'compaction' | 'delete' | 'idle';
export const PHASES: readonly Phase[] = [
  'append',
  'cut',
  'checkpoint',
  'compaction',
  'delete',
  'idle',
];

/** What can be seen of a phase in the directory while it lasts. */
const TRACES: Readonly<Partial<Record<Phase, RegExp>>> = {
  cut: /\.tmp-for-creation$/,
  compaction: /\.tmp-for-creation$/,
  checkpoint: /^checkpoint\.\d+\.tmp$/,
  delete: /\.tmp-for-deletion$/,
};

export type Moment = {
  /** A write without an answer. */
  readonly isWriting: boolean;
  /** A deletion without an answer. */
  readonly isDeleting: boolean;
  /** Time of the newest sample that was written, ms. */
  readonly newestMs: number;
  readonly blockMs: number;
};

/**
 * The phase in which a process ended, by what it left in its directory: unfinished directories have names of their own and
 * vanish with the next start. The head is cut before blocks are compacted: a head that is still too long was being cut.
 */
export function phaseLeft(directory: string, moment: Moment): Phase {
  const wal = path.join(directory, 'wal');
  if (has(wal, TRACES.checkpoint)) return 'checkpoint';
  if (has(directory, TRACES.delete)) return 'delete';
  if (has(directory, TRACES.cut)) {
    const head = moment.newestMs - newestBlockEndMs(directory);
    return head > 1.5 * moment.blockMs ? 'cut' : 'compaction';
  }
  if (moment.isDeleting) return 'delete';
  return moment.isWriting ? 'append' : 'idle';
}

/** Resolves when the directory shows the phase, or after `timeoutMs`. */
export function phaseSeen(directory: string, phase: Phase, timeoutMs: number): Promise<boolean> {
  const trace = TRACES[phase];
  const watched = phase === 'checkpoint' ? path.join(directory, 'wal') : directory;
  mkdirSync(watched, { recursive: true });
  return new Promise((resolve) => {
    let watcher: FSWatcher | null = null;
    const end = (isSeen: boolean): void => {
      clearTimeout(timer);
      watcher?.close();
      resolve(isSeen);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    if (trace === undefined) return;
    watcher = watch(watched, (_event, name) => {
      if (name !== null && trace.test(name) && existsSync(path.join(watched, name))) end(true);
    });
  });
}

function has(directory: string, trace: RegExp | undefined): boolean {
  return trace !== undefined && readdirSync(directory).some((name) => trace.test(name));
}

function newestBlockEndMs(directory: string): number {
  let newestMs = 0;
  for (const name of readdirSync(directory)) {
    if (name.length !== 26) continue;
    const meta: unknown = JSON.parse(readFileSync(path.join(directory, name, 'meta.json'), 'utf8'));
    newestMs = Math.max(newestMs, (meta as { readonly maxTime: number }).maxTime);
  }
  return newestMs;
}
