import { type IntervalSet, intervalSet, subtract } from '@pollux/storage';

/** Pieces told at a time; the others follow when those are gathered. A block's time may be anything. */
const MAX_PIECES = 10_000;

/** A piece (startMs, endMs] of time between two bucket edges. */
export type Piece = { readonly startMs: number; readonly endMs: number };

export type HoleRequest = {
  readonly resolutionMs: number;
  readonly spanMs: number;
  /** Times of the blocks, end exclusive. */
  readonly blocks: readonly { readonly minTime: number; readonly maxTime: number }[];
  /** Pieces that are gathered already. */
  readonly done: readonly Piece[];
  /** Nothing behind it is old enough. */
  readonly limitMs: number;
  /** What lies before it must be gathered now, however short the piece. */
  readonly dueMs: number;
};

/**
 * The pieces of the blocks' time that are to be gathered, ascending. They end where a multiple of the span, the end of the
 * blocks or another piece ends them; what only the limit ends waits to become longer, unless it is due.
 *
 *      |------- span -------|------- span -------|---- …
 *        blocks ████████████████████████████████████████
 *        done   ░░░░░░
 *        pieces       (====](====================]      limit
 */
export function piecesToGather(request: HoleRequest): Piece[] {
  const { resolutionMs, spanMs, blocks, done } = request;
  const limitMs = edgeBefore(request.limitMs, resolutionMs);
  const dueMs = edgeBehind(request.dueMs, resolutionMs);
  const endMs = Math.max(limitMs, dueMs);
  const covered: IntervalSet = intervalSet(
    blocks
      .map(({ minTime, maxTime }) => ({
        startMs: edgeBefore(minTime - 1, resolutionMs),
        endMs: Math.min(endMs, edgeBehind(maxTime - 1, resolutionMs)),
      }))
      .filter((piece) => piece.endMs > piece.startMs),
  );
  const pieces: Piece[] = [];
  for (const hole of subtract(covered, intervalSet([...done]))) {
    for (let startMs = hole.startMs; startMs < hole.endMs; ) {
      if (pieces.length === MAX_PIECES) return pieces;
      const spanEndMs = edgeBehind(startMs + 1, spanMs);
      const piece = { startMs, endMs: Math.min(hole.endMs, spanEndMs) };
      const isWhole = piece.endMs === spanEndMs || piece.endMs < endMs;
      const isOld = piece.endMs <= limitMs;
      if (startMs < dueMs || (isWhole && isOld)) pieces.push(piece);
      startMs = piece.endMs;
    }
  }
  return pieces;
}

/** The last edge at or before a time. */
export function edgeBefore(timeMs: number, resolutionMs: number): number {
  return Math.floor(timeMs / resolutionMs) * resolutionMs;
}

/** The first edge at or behind a time. */
export function edgeBehind(timeMs: number, resolutionMs: number): number {
  return Math.ceil(timeMs / resolutionMs) * resolutionMs;
}
