import {
  assert,
  errorText,
  type Files,
  OperatingError,
  SeededRandom,
  systemCode,
} from '@pollux/base';
import {
  canHit,
  DISK_FAULT_KINDS,
  type DiskFaultKind,
  type DiskOperation,
} from '../disk/disk-faults.ts';
import { type FaultWorld, faultWorld } from './fault-world.ts';
import type { Contents } from './sample-ledger.ts';

/** A database and a script that goes through all that it does with its files. */
export type FaultSubject<Db> = {
  readonly name: string;
  readonly open: (world: FaultWorld) => Promise<Db>;
  readonly close: (db: Db) => Promise<void>;
  /** Waits until the database has noticed that the disk is well again. */
  readonly recover: (db: Db, world: FaultWorld) => Promise<void>;
  readonly read: (db: Db) => Promise<Contents>;
  /** Does the same disk operations each time, as long as nothing fails. A step that fails is tried once more. */
  readonly script: readonly Step<Db>[];
};

export type Step<Db> = {
  readonly name: string;
  /** `restart`: the database is closed and opened instead. */
  readonly run: 'restart' | ((db: Db, world: FaultWorld) => Promise<void>);
};

export type FaultCase =
  | {
      readonly kind: DiskFaultKind;
      readonly at: number;
      /**
       * One operation fails; or all from there on until the second step after it has ended; or one, and the power is cut
       * when the step has been repeated.
       */
      readonly lasts: 'once' | 'while' | 'cut';
    }
  /** The power goes after an operation; `all` surviving is a killed process. */
  | { readonly kind: 'power'; readonly at: number; readonly survives: 'none' | 'some' | 'all' };

/** A step that is not done after so many turns of the event loop hangs. */
const MAX_TURNS = 20_000;
const STEPS_OF_A_LASTING_FAULT = 2;

/** All that can be done to the script: each kind of fault at each operation that it can hit, and a power cut after each. */
export async function allCases<Db>(subject: FaultSubject<Db>): Promise<FaultCase[]> {
  const run = new Run(subject, 1);
  const problems = await run.play(null);
  assert(problems.length === 0, `${subject.name} without faults: ${problems.join('; ')}`);
  const cases: FaultCase[] = [];
  for (const { number, operation } of run.world.disk.journal) {
    // The last one has no successor that could find the power gone.
    if (number >= run.scriptOperations) break;
    cases.push(...casesAt(number, operation));
  }
  return cases;
}

/** So many of the cases, by a seed. */
export function sampleCases(cases: readonly FaultCase[], count: number, seed: number): FaultCase[] {
  const random = new SeededRandom(seed);
  const left = [...cases];
  const chosen: FaultCase[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(random.below(left.length), 1));
  }
  return chosen;
}

/** Plays the script with this fault; returns what was wrong. The seed decides what tears and what survives. */
export async function runCase<Db>(
  subject: FaultSubject<Db>,
  fault: FaultCase,
  seed: number,
): Promise<string[]> {
  return new Run(subject, seed).play(fault);
}

export function caseName(fault: FaultCase): string {
  return fault.kind === 'power'
    ? `power:${fault.at}:${fault.survives}`
    : `${fault.kind}:${fault.at}:${fault.lasts}`;
}

/** The case of a {@link caseName}, or null. */
export function caseOfName(name: string): FaultCase | null {
  const [kind, at, how] = name.split(':');
  const number = Number(at);
  if (kind === 'power' && (how === 'none' || how === 'some' || how === 'all'))
    return { kind, at: number, survives: how };
  const known = DISK_FAULT_KINDS.find((other) => other === kind);
  if (known !== undefined && (how === 'once' || how === 'while' || how === 'cut'))
    return { kind: known, at: number, lasts: how };
  return null;
}

function casesAt(at: number, operation: DiskOperation): FaultCase[] {
  const cases: FaultCase[] = [];
  for (const kind of DISK_FAULT_KINDS) {
    if (!canHit(kind, operation)) continue;
    cases.push({ kind, at, lasts: 'once' });
    if (kind !== 'short') cases.push({ kind, at, lasts: 'while' });
    if (kind === 'EIO') cases.push({ kind, at, lasts: 'cut' });
  }
  for (const survives of ['none', 'some', 'all'] as const) {
    cases.push({ kind: 'power', at, survives });
  }
  return cases;
}

class Run<Db> {
  readonly world: FaultWorld;
  /** Operations of the script, without those of the closing checks. */
  scriptOperations = 0;
  readonly #subject: FaultSubject<Db>;
  readonly #problems: string[] = [];
  #db: Db | null = null;

  constructor(subject: FaultSubject<Db>, seed: number) {
    this.#subject = subject;
    this.world = faultWorld(seed);
  }

  async play(fault: FaultCase | null): Promise<string[]> {
    const { disk } = this.world;
    if (fault?.kind === 'power') disk.cutPowerAfter(fault.at);
    else if (fault !== null) {
      const to = fault.lasts === 'while' ? Number.POSITIVE_INFINITY : fault.at;
      disk.inject({ kind: fault.kind, from: fault.at, to });
    }
    try {
      await this.#playScript(fault);
      this.scriptOperations = disk.operations;
      disk.heal();
      await this.#end();
    } catch (error) {
      this.#problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return this.#problems;
  }

  async #playScript(fault: FaultCase | null): Promise<void> {
    const { disk } = this.world;
    const { script } = this.#subject;
    let stepsUnderFault = 0;
    let isHealed = fault === null;
    const cutsWhenRepeated = fault !== null && fault.kind !== 'power' && fault.lasts === 'cut';
    for (const step of [{ name: 'open', run: 'restart' as const }, ...script]) {
      const isOver = await this.#try(step);
      if (!disk.isPowered) {
        await this.#restoreCut(fault?.kind === 'power' ? fault.survives : 'none');
        isHealed = true;
      }
      // The client, who was told nothing or an error, does it again.
      if (!isOver) await this.#try(step);
      if (!disk.isPowered) throw new Error('the power went twice');
      if (isHealed || disk.faults === 0) continue;
      if (cutsWhenRepeated) {
        await this.#restoreCut('none');
        isHealed = true;
        continue;
      }
      if (++stepsUnderFault < STEPS_OF_A_LASTING_FAULT) continue;
      disk.heal();
      isHealed = true;
      if (this.#db === null) await this.#try({ name: 'open', run: 'restart' });
      this.world.lines.length = 0;
    }
  }

  /** Does the step; false when it failed as it may. What must not happen is a problem. */
  async #try(step: Step<Db>): Promise<boolean> {
    const { disk } = this.world;
    const faults = disk.faults;
    try {
      if (step.run === 'restart') await bounded(step.name, this.#reopen());
      else if (this.#db !== null) await bounded(step.name, step.run(this.#db, this.world));
      return this.#db !== null;
    } catch (error) {
      const isExcused = disk.faults > faults || !disk.isPowered;
      if (!isExcused)
        this.#problems.push(`${step.name} fails though nothing is amiss: ${full(error)}`);
      else if (!isClear(error)) this.#problems.push(`${step.name}: no clear error: ${full(error)}`);
      return false;
    }
  }

  async #reopen(): Promise<void> {
    await this.#shut();
    this.#db = await this.#subject.open(this.world);
  }

  async #shut(): Promise<void> {
    const db = this.#db;
    this.#db = null;
    if (db === null) return;
    try {
      await this.#subject.close(db);
    } finally {
      this.#checkHandles('after closing');
    }
  }

  async #restoreCut(survives: 'none' | 'some' | 'all'): Promise<void> {
    const { ledger, lines } = this.world;
    this.#db = null;
    this.world.restart(survives);
    if (survives !== 'all') ledger.notePowerCut();
    lines.length = 0;
    this.#db = await bounded('open after the power cut', this.#subject.open(this.world));
    await this.#check('after the power cut', survives !== 'all');
  }

  /** Nothing fails any more: all is there, work goes on, nothing is left over, and a restart changes nothing. */
  async #end(): Promise<void> {
    if (this.#db === null) await this.#reopen();
    if (this.#db !== null) await bounded('recovery', this.#subject.recover(this.#db, this.world));
    await this.#check('at the end');
    // What is acknowledged after a fault must be as safe as before it.
    await this.#restoreCut('none');
    await this.#reopen();
    await this.#check('after a restart');
    const errors = this.world.lines.filter((line) => line.includes('level=error'));
    if (errors.length > 0)
      this.#problems.push(`still complains: ${errors.slice(0, 3).join(' | ')}`);
    await this.#shut();
    const left = leftovers(this.world.env.files, '/');
    if (left.length > 0) this.#problems.push(`left over: ${left.slice(0, 5).join(', ')}`);
  }

  async #check(when: string, isDurable = false): Promise<void> {
    assert(this.#db !== null, 'a database is open');
    const contents = await bounded(when, this.#subject.read(this.#db));
    const wrong = this.world.ledger.check(contents);
    if (contents.isPartial) wrong.push('the answer is partial');
    this.#problems.push(...wrong.map((text) => `${when}: ${text}`));
    this.world.ledger.settle(contents, isDurable);
  }

  #checkHandles(when: string): void {
    const { files, isPowered } = this.world.disk;
    if (isPowered && files.openPaths.length > 0) {
      this.#problems.push(`${when} still open: ${files.openPaths.slice(0, 5).join(', ')}`);
    }
  }
}

/** Names of unfinished things below a directory. */
function leftovers(files: Files, directory: string): string[] {
  return files.list(directory).flatMap((name) => {
    const path = `${directory === '/' ? '' : directory}/${name}`;
    const deeper = files.stat(path).isDirectory ? leftovers(files, path) : [];
    return /\.tmp|\.trash/.test(name) ? [path, ...deeper] : deeper;
  });
}

/** An error that a user can act on: of the program's own kinds, or the system's own words. */
function isClear(error: unknown): boolean {
  return OperatingError.is(error) || /^E[A-Z]+$/.test(systemCode(error));
}

function full(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 6).join(' ') : '';
  return `${errorText(error)} ${stack}`;
}

async function bounded<T>(what: string, work: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = work.finally(() => {
    isSettled = true;
  });
  settled.catch(() => {});
  for (let turn = 0; !isSettled; turn++) {
    if (turn > MAX_TURNS) throw new Error(`${what} hangs`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return settled;
}
