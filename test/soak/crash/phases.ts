import { existsSync, type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs';
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
  checkpoint: /^checkpoint\.\d+\.tmp$/,
  delete: /\.tmp-for-deletion$/,
};

const COMPACTION_BEGINS = 'msg="compacting blocks"';
const COMPACTION_ENDS = [
  'msg="compacted blocks"',
  'msg="blocks cannot be compacted',
  'msg="maintenance of blocks failed',
];

/** Follows, by a server's log, whether it is compacting blocks. */
export class CompactionWatch {
  #isCompacting = false;
  #waiting: (() => void) | null = null;

  get isCompacting(): boolean {
    return this.#isCompacting;
  }

  note(line: string): void {
    if (line.includes(COMPACTION_BEGINS)) {
      this.#isCompacting = true;
      this.#waiting?.();
    } else if (COMPACTION_ENDS.some((text) => line.includes(text))) this.#isCompacting = false;
  }

  /** Resolves when a compaction begins, with false when none has after `timeoutMs`. */
  begins(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

export type Moment = {
  /** A write without an answer. */
  readonly isWriting: boolean;
  /** A deletion without an answer. */
  readonly isDeleting: boolean;
  /** Blocks were being compacted, by the log. */
  readonly isCompacting: boolean;
};

/**
 * The phase in which a process ended, by what it left in its directory: unfinished directories have names of their own and
 * vanish with the next start.
 */
export function phaseLeft(directory: string, moment: Moment): Phase {
  const wal = path.join(directory, 'wal');
  if (has(wal, TRACES.checkpoint)) return 'checkpoint';
  if (has(directory, TRACES.delete)) return 'delete';
  if (has(directory, TRACES.cut)) return moment.isCompacting ? 'compaction' : 'cut';
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
