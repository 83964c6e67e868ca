import type { Piece, Plan } from '../plan.ts';

/** Steps for which each shard has one replica, or a splice, of its own. */
export type ShardedPiece = {
  readonly startMs: number;
  readonly endMs: number;
  /** In the order of the plans. */
  readonly ofShards: readonly Piece[];
};

/** Cuts a query wherever any shard's plan goes on with another replica; all plans have the same steps. */
export function cutByAll(
  plans: readonly Pick<Plan, 'pieces'>[],
  stepMs: number,
): readonly ShardedPiece[] {
  const starts = new Set(plans.flatMap(({ pieces }) => pieces.map(({ startMs }) => startMs)));
  const sorted = [...starts].sort((a, b) => a - b);
  const lastMs = plans[0]?.pieces.at(-1)?.endMs ?? 0;
  return sorted.map((startMs, index) => {
    const nextMs = sorted[index + 1];
    return {
      startMs,
      endMs: nextMs === undefined ? lastMs : nextMs - stepMs,
      ofShards: plans.map(({ pieces }) => {
        const found = pieces.findLast((piece) => piece.startMs <= startMs);
        if (found === undefined) throw new Error('BUG: a plan begins behind the query');
        return found;
      }),
    };
  });
}
