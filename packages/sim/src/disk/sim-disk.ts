import type { Clock } from '@pollux/base';
import type { DiskFault, DiskFaultKind } from './disk-faults.ts';
import { DiskOperations, type DiskPredicate, type DiskRecord } from './disk-operations.ts';
import { SimFiles } from './sim-files.ts';
import type { Survival } from './sim-inode.ts';
import { SimNames } from './sim-names.ts';

/**
 * A disk in memory that keeps its promises and no more: what a file held when it was last synced, the names a directory had
 * when it was last synced. All else may survive a power cut or not. Faults are injected by the number of the operation, so
 * that a script which always does the same can be failed at each of them.
 */
export class SimDisk {
  readonly #names = new SimNames();
  readonly #clock: Clock;
  readonly #operations: DiskOperations;
  #mounted: SimFiles;

  constructor(clock: Clock, seed = 1) {
    this.#clock = clock;
    this.#operations = new DiskOperations(seed);
    this.#mounted = this.#mount();
  }

  /** The disk as programs see it, until the next {@link restart}. */
  get files(): SimFiles {
    return this.#mounted;
  }

  /** How many operations there were, failed ones included. */
  get operations(): number {
    return this.#operations.count;
  }

  /** How many operations failed by what was injected. */
  get faults(): number {
    return this.#operations.faults;
  }

  get isPowered(): boolean {
    return this.#operations.isPowered;
  }

  /** The last operations, oldest first. */
  get journal(): readonly DiskRecord[] {
    return this.#operations.journal;
  }

  /** In place of a fault that was injected before. */
  inject(fault: DiskFault): void {
    this.#operations.inject(fault);
  }

  /** Fails, once, the next operation that `matches` and that the kind can hit. */
  injectNext(kind: DiskFaultKind, matches: DiskPredicate): void {
    this.#operations.injectNext(kind, matches);
  }

  heal(): void {
    this.#operations.inject(null);
  }

  /** From now on syncs that leave the thread to others take so long. */
  slow(syncMs: number): void {
    this.#operations.syncMs = syncMs;
  }

  /** The operation of this number is the last one that is done: the next finds no power. */
  cutPowerAfter(operation: number): void {
    this.#operations.cutPowerAfter(operation);
  }

  /**
   * The power is cut now (or was, by {@link cutPowerAfter}) and comes back; with `all` surviving it is only the processes
   * that end. What was open is dead: whoever still holds it gets errors. Returns the disk as the next life sees it.
   */
  restart(survives: 'none' | 'all' | 'some' = 'none'): SimFiles {
    this.#mounted.unmount();
    const survival: Survival = survives === 'some' ? { some: this.#operations.random } : survives;
    this.#names.cutPower(survival);
    this.#operations.inject(null);
    this.#operations.cutPowerAfter(Number.POSITIVE_INFINITY);
    this.#mounted = this.#mount();
    return this.#mounted;
  }

  #mount(): SimFiles {
    return new SimFiles(this.#operations, this.#names, this.#clock);
  }
}
