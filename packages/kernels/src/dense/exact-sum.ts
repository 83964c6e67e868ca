import { EXACT_LIMIT, WHOLE_LIMIT } from './dense-format.ts';

/** What bounds every sum that decoding a whole column forms. */
export type SumBounds = {
  readonly order: number;
  readonly first: number;
  readonly delta: number;
  readonly base: number;
  readonly factor: number;
  readonly greatestUnit: number;
  /** Sum of the magnitudes of the numbers outside the frame. */
  readonly patches: number;
};

/**
 * True when no sum over `left` residuals can leave the range in which doubles are exact. Encoders lower the order until it
 * holds and decoders refuse a column for which it does not, so the order of additions never matters.
 */
export function isExactSum(bounds: SumBounds, left: number): boolean {
  const { order, first, delta, base, factor, greatestUnit, patches } = bounds;
  const residual = Math.abs(base) + factor * greatestUnit;
  if (residual > EXACT_LIMIT || Math.abs(first) > WHOLE_LIMIT) return false;
  if (order === 0) return true;
  const sum = left * residual + patches;
  if (order === 1) return Math.abs(first) + sum <= EXACT_LIMIT;
  return Math.abs(first) + (left + 1) * (Math.abs(delta) + sum) <= EXACT_LIMIT;
}
