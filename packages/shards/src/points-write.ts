import { assert, type Slices } from '@pollux/base';
import type { FieldConflict, PointColumns, WriteOutcome, WriteTarget } from '@pollux/storage';
import type { WaitingWrite } from './commit-queue.ts';
import type { ShardGroup, StagedBatch } from './shard-group.ts';

/** Rows staged or made visible between two looks at the clock. */
const ROWS_PER_PIECE = 2_048;

type Part = { readonly group: ShardGroup; readonly staged: StagedBatch };

/** A batch of points on its way through the group commit. */
export class PointsWrite implements WaitingWrite {
  readonly #target: WriteTarget;
  readonly #batch: PointColumns;
  readonly #groupFor: (target: WriteTarget, ms: number) => ShardGroup;
  readonly #parts: Part[] = [];
  #outcome: WriteOutcome = { conflictPoints: 0, firstConflict: null, expiredPoints: 0 };

  constructor(
    target: WriteTarget,
    batch: PointColumns,
    groupFor: (target: WriteTarget, ms: number) => ShardGroup,
  ) {
    this.#target = target;
    this.#batch = batch;
    this.#groupFor = groupFor;
  }

  get rowCount(): number {
    return this.#batch.count;
  }

  /** Complete once the write is staged. */
  get outcome(): WriteOutcome {
    return this.#outcome;
  }

  refusal(): null {
    return null;
  }

  async stage(touched: Set<ShardGroup>, slices: Slices): Promise<void> {
    const batch = this.#batch;
    const { byGroup, expiredPoints } = this.#split(this.#target, batch);
    let conflictPoints = 0;
    let firstConflict: FieldConflict | null = null;
    for (const [group, rows] of byGroup) {
      touched.add(group);
      const seriesRefs = group.seriesRefsOf(batch);
      for (let from = 0; from < rows.length; ) {
        const to = endOfPiece(batch, rows, from);
        const staged = group.stage(batch, rows.subarray(from, to), seriesRefs);
        conflictPoints += staged.conflictPoints;
        firstConflict ??= staged.firstConflict;
        if (staged.count > 0) this.#parts.push({ group, staged });
        from = to;
        if (slices.isOver) await slices.pause();
      }
      group.noteSeries(batch, seriesRefs);
    }
    this.#outcome = { conflictPoints, firstConflict, expiredPoints };
  }

  async apply(slices: Slices): Promise<number> {
    let rows = 0;
    for (const { group, staged } of this.#parts) {
      group.apply(this.#batch, staged);
      rows += staged.count;
      if (slices.isOver) await slices.pause();
    }
    return rows;
  }

  #split(
    target: WriteTarget,
    batch: PointColumns,
  ): { readonly byGroup: Map<ShardGroup, Uint32Array>; readonly expiredPoints: number } {
    const counts = new Map<ShardGroup, number>();
    const groups: (ShardGroup | null)[] = new Array(batch.count).fill(null);
    let current: ShardGroup | null = null;
    let inCurrent = 0;
    let expired = 0;
    let lastExpired = -1;
    for (let row = 0; row < batch.count; row++) {
      const ms = batch.timesMs[row]!;
      if (target.oldestMs !== null && ms < target.oldestMs) {
        const point = batch.pointOf === null ? row : batch.pointOf[row]!;
        if (point !== lastExpired) expired++;
        lastExpired = point;
        continue;
      }
      if (current === null || ms < current.identity.startMs || ms >= current.identity.endMs) {
        if (current !== null) counts.set(current, inCurrent);
        current = this.#groupFor(target, ms);
        assert(
          ms >= current.identity.startMs && ms < current.identity.endMs,
          'time outside its shard group',
        );
        inCurrent = counts.get(current) ?? 0;
      }
      groups[row] = current;
      inCurrent++;
    }
    if (current !== null) counts.set(current, inCurrent);
    const byGroup = new Map<ShardGroup, Uint32Array>();
    for (const [group, count] of counts) byGroup.set(group, rowsOf(groups, group, count));
    return { byGroup, expiredPoints: expired };
  }
}

function rowsOf(
  groups: readonly (ShardGroup | null)[],
  group: ShardGroup,
  count: number,
): Uint32Array {
  const rows = new Uint32Array(count);
  let at = 0;
  for (let row = 0; at < count; row++) if (groups[row] === group) rows[at++] = row;
  return rows;
}

/** Where a piece of the rows ends: rows of one point stay together, as a point is refused whole. */
function endOfPiece(batch: PointColumns, rows: Uint32Array, from: number): number {
  let to = Math.min(rows.length, from + ROWS_PER_PIECE);
  if (batch.pointOf === null) return to;
  const { pointOf } = batch;
  while (to < rows.length && pointOf[rows[to]!] === pointOf[rows[to - 1]!]) to++;
  return to;
}
