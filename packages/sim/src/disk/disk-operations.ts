import { type Random, SeededRandom } from '@pollux/base';
import { SimDiskError } from './disk-error.ts';
import { canHit, type DiskFault, type DiskFaultKind, type DiskOperation } from './disk-faults.ts';

/** One line of what a disk was asked and what became of it. */
export type DiskRecord = {
  readonly number: number;
  readonly operation: DiskOperation;
  readonly path: string;
  readonly outcome: 'ok' | DiskFaultKind | 'no power';
};

export type DiskPredicate = (operation: DiskOperation, path: string) => boolean;

const JOURNAL_RECORDS = 8192;

/** Counts what a disk is asked and decides what fails. */
export class DiskOperations {
  readonly random: Random;
  /** What a sync takes that leaves the thread to others, ms. */
  syncMs = 0;
  readonly #journal: DiskRecord[] = [];
  #count = 0;
  #faults = 0;
  #fault: DiskFault | null = null;
  #next: { readonly kind: DiskFaultKind; readonly matches: DiskPredicate } | null = null;
  #lastPowered = Number.POSITIVE_INFINITY;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get count(): number {
    return this.#count;
  }

  get faults(): number {
    return this.#faults;
  }

  get isPowered(): boolean {
    return this.#count <= this.#lastPowered;
  }

  get journal(): readonly DiskRecord[] {
    return this.#journal;
  }

  inject(fault: DiskFault | null): void {
    this.#fault = fault;
    this.#next = null;
  }

  injectNext(kind: DiskFaultKind, matches: DiskPredicate): void {
    this.#next = { kind, matches };
  }

  cutPowerAfter(operation: number): void {
    this.#lastPowered = operation;
  }

  /**
   * Counts an operation. Throws when it fails before it did anything; gives the kind of fault where it fails half-way, as
   * writes, syncs and short reads do.
   */
  begin(operation: DiskOperation, path: string): DiskFaultKind | null {
    const number = ++this.#count;
    if (number > this.#lastPowered) {
      this.#note({ number, operation, path, outcome: 'no power' });
      throw new SimDiskError('EIO', `${path} (the power is off)`);
    }
    const kind = this.#faultFor(number, operation, path);
    this.#note({ number, operation, path, outcome: kind ?? 'ok' });
    if (kind === null) return null;
    this.#faults++;
    if (operation === 'write' || operation === 'sync' || kind === 'short') return kind;
    throw new SimDiskError(kind, path);
  }

  #faultFor(number: number, operation: DiskOperation, path: string): DiskFaultKind | null {
    const next = this.#next;
    if (next !== null && canHit(next.kind, operation) && next.matches(operation, path)) {
      this.#next = null;
      return next.kind;
    }
    const fault = this.#fault;
    if (fault === null || number < fault.from || number > fault.to) return null;
    return canHit(fault.kind, operation) ? fault.kind : null;
  }

  /** How much of `length` a failing operation gets done. */
  part(length: number): number {
    return this.random.below(length + 1);
  }

  #note(record: DiskRecord): void {
    if (this.#journal.length >= JOURNAL_RECORDS) this.#journal.splice(0, JOURNAL_RECORDS / 2);
    this.#journal.push(record);
  }
}
