import type { Slices } from '@pollux/base';
import type { WaitingWrite } from '../commit-queue.ts';
import type { ShardGroup } from '../shard-group.ts';

/** Writes of one request that are refused, synced and seen together. */
export class JointWrite implements WaitingWrite {
  readonly #parts: readonly WaitingWrite[];

  constructor(parts: readonly WaitingWrite[]) {
    this.#parts = parts;
  }

  get rowCount(): number {
    return this.#parts.reduce((rows, part) => rows + part.rowCount, 0);
  }

  refusal(): Error | null {
    for (const part of this.#parts) {
      const refusal = part.refusal();
      if (refusal !== null) return refusal;
    }
    return null;
  }

  async stage(touched: Set<ShardGroup>, slices: Slices): Promise<void> {
    for (const part of this.#parts) await part.stage(touched, slices);
  }

  async apply(slices: Slices): Promise<number> {
    let rows = 0;
    for (const part of this.#parts) rows += await part.apply(slices);
    return rows;
  }
}
