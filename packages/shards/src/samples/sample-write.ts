import type { Slices } from '@pollux/base';
import type { FieldConflict, SampleOutcome } from '@pollux/storage';
import type { WaitingWrite } from '../commit-queue.ts';
import { ShardClosedError } from '../errors.ts';
import type { ShardGroup } from '../shard-group.ts';
import type { SampleBatch } from './sample-placer.ts';
import type { SampleRows } from './sample-rows.ts';

/** Rows staged or made visible between two looks at the clock. */
const ROWS_PER_PIECE = 2_048;

type Piece = {
  readonly group: ShardGroup;
  readonly rows: SampleRows;
  readonly from: number;
  readonly to: number;
};

/** Placed samples on their way through the group commit. */
export class SampleWrite implements WaitingWrite {
  readonly #batch: SampleBatch;
  readonly #noteWrite: (group: ShardGroup) => boolean;
  readonly #pieces: Piece[] = [];
  #conflictPoints = 0;
  #firstConflict: FieldConflict | null = null;

  /** `noteWrite` is told that a group is about to be written, and tells whether it is still the one of its span. */
  constructor(batch: SampleBatch, noteWrite: (group: ShardGroup) => boolean) {
    this.#batch = batch;
    this.#noteWrite = noteWrite;
  }

  get rowCount(): number {
    return this.#batch.count;
  }

  /** Complete once the write is staged. */
  get outcome(): SampleOutcome {
    const { expiredPoints, refusedSamples, reservedMeasurement } = this.#batch;
    return {
      conflictPoints: this.#conflictPoints,
      firstConflict: this.#firstConflict,
      expiredPoints,
      refusedSamples,
      reservedMeasurement,
    };
  }

  /** Columns are numbers of a group as it was when the samples were placed. */
  refusal(): Error | null {
    if (this.#batch.parts.every(({ group }) => this.#noteWrite(group))) return null;
    return new ShardClosedError('the shard group of samples that waited');
  }

  async stage(touched: Set<ShardGroup>, slices: Slices): Promise<void> {
    for (const { group, rows } of this.#batch.parts) {
      touched.add(group);
      for (let from = 0; from < rows.count; from += ROWS_PER_PIECE) {
        const staged = group.stageSamples(rows, from, Math.min(rows.count, from + ROWS_PER_PIECE));
        this.#conflictPoints += staged.conflictPoints;
        this.#firstConflict ??= staged.firstConflict;
        if (staged.end > from) this.#pieces.push({ group, rows, from, to: staged.end });
        if (slices.isOver) await slices.pause();
      }
    }
  }

  async apply(slices: Slices): Promise<number> {
    let count = 0;
    for (const { group, rows, from, to } of this.#pieces) {
      group.applySamples(rows, from, to);
      count += to - from;
      if (slices.isOver) await slices.pause();
    }
    return count;
  }
}
