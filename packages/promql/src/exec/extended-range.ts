import type { FloatHistogram } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import type { WindowSet } from '../functions/window/window-set.ts';
import type { MatrixSelectNode, RangeCallNode } from '../plan/nodes.ts';
import type { Batch } from './batch.ts';
import type { ExecContext } from './context.ts';
import type { RangeSeries } from './series-columns.ts';

export type ExtendedInput = {
  readonly series: RangeSeries;
  readonly windows: WindowSet;
  readonly batch: Batch;
  readonly base: number;
  readonly call: RangeCallNode;
  readonly context: ExecContext;
};

/** The computation of an anchored or smoothed range, or null for an ordinary one. */
export function extendedFunction(
  source: MatrixSelectNode,
  _func: string,
): ((input: ExtendedInput) => void) | null {
  if (!source.selector.anchored && !source.selector.smoothed) return null;
  return () => {};
}

/** The value of a smoothed instant selector. */
export function smoothedValue(
  _columns: SeriesColumns,
  _words: Uint32Array,
  _referenceMs: number,
  _lookbackMs: number,
): number | FloatHistogram | null {
  return null;
}
